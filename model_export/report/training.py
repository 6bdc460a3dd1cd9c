"""What a report says of a training run: scores, curves, gates on held-out data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_export.report.figures import as_data_address, learning_curve
from model_export.report.following import following_sections
from model_export.report.gate_pictures import gates_section
from model_export.report.residuals import residual_sections
from model_export.report.section import Section
from model_export.score_table import spread
from model_export.trained import TrainedModel
from model_export.verdict import why_not_better, wins
from service.bundle.manifest import Score
from service.engine.engine import Engine


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
    better: str
    entrants: list[Entrant]
    verdict: str


def training_sections(trained: TrainedModel) -> Callable[[Engine], Sequence[Section]]:
    def sections(engine: Engine) -> Sequence[Section]:
        return (
            Section(
                "scores.html",
                {
                    "contests": [_contest(score) for score in trained.scores],
                    "baselines": trained.baselines,
                    "why": None if wins(trained.scores) else why_not_better(trained.curve),
                },
            ),
            Section(
                "curves.html",
                {
                    "curve": trained.curve,
                    "parameters": sum(one.numel() for one in trained.network.parameters()),
                    "curve_picture": as_data_address(learning_curve(trained.curve)),
                    "best_epoch": trained.curve.best_epoch if trained.curve.validation else None,
                },
            ),
            *residual_sections(engine, trained.samples),
            *following_sections(engine, trained.sample),
            gates_section(engine, trained.sample, "the held-out data"),
        )

    return sections


def _contest(score: Score) -> Contest:
    worst = max(score.model, *score.baselines.values(), 0.0) or 1.0
    entrants = [Entrant("this model", score.model, score.model / worst, is_model=True)]
    entrants += [
        Entrant(name, value, value / worst, is_model=False)
        for name, value in score.baselines.items()
    ]
    entrants.sort(key=lambda entrant: entrant.score, reverse=score.better == "higher")
    return Contest(_title(score), score.better, entrants, _verdict(score))


def _title(score: Score) -> str:
    has_unit = score.unit not in ("", "1") and score.unit not in score.metric
    unit = f" [{score.unit}]" if has_unit else ""
    seeds = ""
    if len(score.seeds) > 1:
        seeds = f", {len(score.seeds)} seeds {spread(score.seeds)}"
    return f"{score.metric}{unit}{seeds}"


def _verdict(score: Score) -> str:
    rival = score.best_baseline
    if rival is None:
        return "There is no baseline to compare with."
    best = score.baselines[rival]
    if score.beats_baselines:
        side = "below" if score.better == "lower" else "above"
        ahead = f"{abs(1 - score.model / best):.0%} " if best else ""
        return f"The model wins: {ahead}{side} {rival}, the best baseline."
    return f"The model does not win: {rival} reaches {best:.4g}."
