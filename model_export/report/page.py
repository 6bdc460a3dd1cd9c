"""The report of a version, and the template that it is written with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from model_export.report.section import Section
from model_export.report.template import template
from model_export.verify.check import Check
from service.bundle.manifest import Layer, Manifest
from service.engine.engine import Engine

_RESETS = {
    "before": "before: the gate acts on the past state, ahead of its weights",
    "after": "after: the gate acts on the weighted past state",
}


def write_report(
    file: Path, engine: Engine, sections: Sequence[Section], checks: Sequence[Check]
) -> None:
    """Write the page: one file without scripts, and without anything fetched from elsewhere."""
    file.write_text(template("page.html").render(_content(engine, sections, checks)), "utf-8")


def _content(
    engine: Engine, sections: Sequence[Section], checks: Sequence[Check]
) -> dict[str, Any]:
    manifest = engine.manifest
    return {
        "manifest": manifest,
        "facts": _facts(engine),
        "provenance": manifest.provenance,
        # Every template escapes what it shows.
        "sections": [Markup(template(one.template).render(one.content)) for one in sections],
        "checks": sorted(checks, key=lambda check: -check.deviation / check.allowed),
    }


def _facts(engine: Engine) -> dict[str, str]:
    manifest = engine.manifest
    facts = {
        "Task": manifest.task,
        "Input": manifest.input.described,
        "Output": f"{manifest.output.described}, {manifest.answers}",
    }
    if manifest.layers:
        layers = " + ".join(map(_units, manifest.layers))
        facts["Layers"] = f"{layers} units; a session's state is {manifest.state_size} numbers"
        facts["Reset"] = "; ".join(
            _RESETS[reset] for reset in dict.fromkeys(layer.reset for layer in manifest.layers)
        )
    facts["Sessions"] = _sessions(manifest)
    if manifest.provenance is not None:
        facts["Held out"] = manifest.provenance.held_out
    return facts | {"ONNX opset": str(manifest.opset)}


def _units(layer: Layer) -> str:
    size = str(layer.hidden_size)
    return size if layer.lanes == 1 else f"{layer.lanes} × {size}"


def _sessions(manifest: Manifest) -> str:
    if not manifest.sessions:
        return f"none, whole sequences only: {manifest.reason}"
    parts = ["run on"] if manifest.window is None else [f"see the last {manifest.window} inputs"]
    if manifest.ready_at > 1:
        parts.append(f"answer from step {manifest.ready_at} on")
    return ", ".join(parts)
