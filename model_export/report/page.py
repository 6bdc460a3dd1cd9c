"""What the report says, and the template that says it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_export.report.figures import INK, as_data_address, best_epoch, learning_curve
from model_export.report.gate_pictures import STEPS, gate_pictures
from model_export.report.template import template
from model_export.trained import TrainedModel
from model_export.verify.verify import Check
from service.bundle.manifest import Probabilities, Score, Tokens, Values
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE

_RESETS = {
    "before": "before: the gate acts on the past state, ahead of its weights",
    "after": "after: the gate acts on the weighted past state",
}


@dataclass(frozen=True, slots=True)
class Entrant:
    """One line of a score's comparison; `share` is its bar, of the worst score."""

    name: str
    score: float
    share: float
    is_model: bool


@dataclass(frozen=True, slots=True)
class Contest:
    """A score with everyone who was measured by it, the best first."""

    title: str
    entrants: list[Entrant]
    verdict: str


def write_report(
    file: Path, trained: TrainedModel, engine: Engine, checks: Sequence[Check]
) -> None:
    """Write the page: one file without scripts, and without anything fetched from elsewhere."""
    file.write_text(template("page.html").render(_content(trained, engine, checks)), "utf-8")


def _content(trained: TrainedModel, engine: Engine, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "manifest": engine.manifest,
        "facts": _facts(trained, engine),
        "provenance": trained.provenance,
        "contests": [_contest(score) for score in trained.scores],
        "curve": trained.curve,
        "curve_picture": as_data_address(learning_curve(trained.curve)),
        "best_epoch": best_epoch(trained.curve) if trained.curve.validation else None,
        "gate_pictures": list(gate_pictures(engine, trained.sample)),
        "ink": INK,
        "steps": min(STEPS, len(trained.sample)),
        "checks": sorted(checks, key=lambda check: -check.deviation),
        "tolerance": TOLERANCE,
    }


def _facts(trained: TrainedModel, engine: Engine) -> dict[str, str]:
    manifest = engine.manifest
    parameters = sum(weights.numel() for weights in trained.network.parameters())
    layers = " + ".join(str(layer.hidden_size) for layer in manifest.layers)
    return {
        "Task": manifest.task,
        "Input": _described(manifest.input),
        "Output": _described(manifest.output),
        "Layers": f"{layers} units; a session's state is {manifest.state_size} numbers",
        "Reset": _RESETS[manifest.reset],
        "Parameters": f"{parameters:,}",
        "Held out": trained.provenance.held_out,
        "ONNX opset": str(manifest.opset),
    }


def _described(signature: Values | Tokens | Probabilities) -> str:
    if isinstance(signature, Values):
        pairs = zip(signature.names, signature.units, strict=True)
        return ", ".join(name if unit == "1" else f"{name} [{unit}]" for name, unit in pairs)
    if isinstance(signature, Probabilities):
        return f"probabilities of the next of {signature.width} tokens"
    kind = "tokens" if signature.vocabulary is None else "characters"
    return f"{signature.size} {kind}"


def _contest(score: Score) -> Contest:
    worst = max(score.model, *score.baselines.values(), 0.0) or 1.0
    entrants = [Entrant("this model", score.model, score.model / worst, is_model=True)]
    entrants += [
        Entrant(name, value, value / worst, is_model=False)
        for name, value in score.baselines.items()
    ]
    entrants.sort(key=lambda entrant: entrant.score)
    unit = "" if score.unit == "1" or score.unit in score.metric else f" [{score.unit}]"
    return Contest(score.metric + unit, entrants, _verdict(score))


def _verdict(score: Score) -> str:
    if not score.baselines:
        return "There is no baseline to compare with."
    rival, best = min(score.baselines.items(), key=lambda item: item[1])
    if score.beats_baselines:
        return f"The model wins: {1 - score.model / best:.0%} below {rival}, the best baseline."
    return f"The model does not win: {rival} reaches {best:.4g}."
