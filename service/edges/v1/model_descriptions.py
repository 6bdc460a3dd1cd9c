"""What `/v1/models` says of models and their versions."""

from collections.abc import Iterator
from typing import Any

from service.bundle.manifest import REPORT_FILE, Layer, Manifest
from service.edges.v1.examples import example_of
from service.edges.v1.schemas import (
    ConstantAnswer,
    LayerAnswer,
    ModelAnswer,
    SegmentAnswer,
    UndefaultedModelAnswer,
    VersionAnswer,
    VersionStateAnswer,
)
from service.engine.engine import Engine
from service.repository.versions import Versions


def describe_model(versions: Versions) -> ModelAnswer | UndefaultedModelAnswer:
    """A model by its default version, or by its versions alone where it has none."""
    common: dict[str, Any] = {
        "wanted_default": None if versions.desired is None else versions.desired.default,
        "versions": [
            VersionStateAnswer(
                version=one.version,
                state=one.state,
                loaded=one.loaded,
                reason=None if one.reason is None else _text(one.reason),
            )
            for one in versions.states
        ],
        "problem": None if versions.problem is None else _text(versions.problem),
    }
    engine = versions.default
    if engine is None:
        return UndefaultedModelAnswer(name=_text(versions.name), **common)
    report = f"/v1/models/{versions.name}/report" if _has_report(engine) else None
    described = _described(versions, engine, report)
    return ModelAnswer(**described, **common, default=engine.manifest.version)


def describe_version(versions: Versions, engine: Engine) -> VersionAnswer:
    place = f"/v1/models/{versions.name}/versions/{engine.manifest.version}"
    report = f"{place}/report" if _has_report(engine) else None
    return VersionAnswer(**_described(versions, engine, report))


def _described(versions: Versions, engine: Engine, report: str | None) -> dict[str, Any]:
    manifest = engine.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "state": versions.state_of(manifest.version),
        "task": manifest.task,
        "input": manifest.input,
        "output": manifest.output,
        "input_ranges": list(manifest.input_ranges),
        "takes": manifest.input.described,
        "gives": manifest.output.described,
        "answers": manifest.answers,
        "sessions": manifest.sessions,
        "reason": manifest.reason,
        "window": manifest.window,
        "ready_at": manifest.ready_at,
        "delay": manifest.delay,
        "steps": manifest.steps,
        "fewest_steps": manifest.fewest_steps,
        "constants": [ConstantAnswer(**one.model_dump()) for one in manifest.constants],
        "layers": [_layer(index, layer) for index, layer in enumerate(manifest.layers)],
        "segments": list(_segments(manifest)),
        "state_size": manifest.state_size,
        "scores": list(manifest.scores),
        "provider": engine.provider,
        "example": example_of(engine),
        "report": report,
    }


def _layer(index: int, layer: Layer) -> LayerAnswer:
    return LayerAnswer(
        layer=index,
        name=layer.name,
        hidden_size=layer.hidden_size,
        lanes=layer.lanes,
        offset=layer.offset,
        reset=layer.reset,
        gates=list(layer.gates),
        gate_activation=layer.gate_activation,
        candidate_activation=layer.candidate_activation,
        clip=layer.clip,
    )


def _segments(manifest: Manifest) -> Iterator[SegmentAnswer]:
    offset = 0
    for segment in manifest.state:
        yield SegmentAnswer(
            name=segment.name, kind=segment.kind, shape=list(segment.shape), offset=offset
        )
        offset += segment.size


def _has_report(engine: Engine) -> bool:
    return REPORT_FILE in engine.manifest.files


def _text(name: str) -> str:
    """The name of a folder need not be Unicode, and JSON must be."""
    return name.encode("utf-8", "backslashreplace").decode()
