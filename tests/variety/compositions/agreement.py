"""A session against the file itself, by a comparison that shares nothing with the product's."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelExportError
from model_export.imports.importing import import_original
from model_export.imports.onnx.file import read_onnx
from model_export.imports.options import ImportOptions
from model_export.publish import publish
from model_export.rewrite.roles import Hints
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.variety.compositions.composition import Composition, Original, Rows

ALLOWED = 1e-4
"""Of the largest number of an output column: float32 noise is far below, a wrong step far above."""
STEPS, BATCH = 9, 3

Constants = dict[str, NDArray[Any]]


def published(composition: Composition, folder: Path, *, delay: int = 16) -> Engine:
    """As the command imports it, but without pictures in its report. Raises ModelExportError."""
    file = folder / "composition.onnx"
    file.write_bytes(composition.model.SerializeToString())
    time_axis = composition.layout.find("T") if composition.layout != "tokens" else 1
    hints = Hints("x", composition.output, time_axis)
    options = ImportOptions(name="composition", hints=hints, delay=delay)
    draft = import_original(read_onnx(file), options).draft
    place = publish(replace(draft, sections=lambda _: ()), folder / "models")
    return Engine(read_bundle(place), Provider())


def disagreements(composition: Composition, engine: Engine) -> Iterator[str]:
    """Whatever the engine answers otherwise than the file, on every prefix that the file takes."""
    random = np.random.default_rng(11)
    original = Original(composition)
    batch = composition.batch or BATCH
    window = engine.manifest.window
    time = composition.time or STEPS + engine.manifest.ready_at
    if composition.time == 1:
        time = STEPS
    rows = composition.rows(random, batch, time + (5 if window else 0))
    constants: Constants = {
        name: random.standard_normal((batch, width)).astype(np.float32)
        for name, width in composition.constants.items()
    }
    if not engine.manifest.sessions:
        yield from _whole(composition, engine, original, rows)
        return
    answers, states = _in_steps(engine, rows, constants)
    if window:
        yield from _windows(original, rows, answers, window)
        return
    if composition.time == 1:
        expected = original.step_by_step(rows, constants)
        if _off(answers, expected):
            yield f"step by step: {_how(answers, expected)}"
    else:
        yield from _prefixes(composition, engine, original, (rows, constants), answers)
    yield from _alone(engine, rows, constants, answers)
    yield from _sequence(engine, rows, constants, (answers, states))


def _off(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    if found.shape != expected.shape:
        return True
    if not expected.size:
        return False
    scale = max(1.0, float(np.abs(expected).max()))
    return not np.abs(found - expected).max() <= ALLOWED * scale


def _how(found: NDArray[Any], expected: NDArray[Any]) -> str:
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    return f"off by {np.abs(found - expected).max():.3g}"


def _whole(
    composition: Composition, engine: Engine, original: Original, rows: Rows
) -> Iterator[str]:
    times = [rows.shape[1]] if composition.time else [1, 2, 4, rows.shape[1]]
    for time in times:
        try:
            expected = original.answer(rows[:, :time], {})
        except Exception:  # a file that does not take so few steps
            continue
        if expected.shape[-1] != engine.manifest.output.width or not expected.size:
            continue
        found = engine.whole(rows[:, :time])
        if _off(found, expected):
            yield f"a whole sequence of {time} steps: {_how(found, expected)}"
        for at in range(len(rows)):
            alone = engine.whole(rows[at : at + 1, :time])
            if _off(alone, found[at : at + 1]):
                yield f"sequence {at} of {time} steps alone: {_how(alone, found[at : at + 1])}"


def _in_steps(
    engine: Engine, rows: Rows, constants: Constants
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A session of each row: answers [B, T, O] and states [B, T, S]."""
    state = engine.initial_states(len(rows), constants or None)
    answers, states = [], []
    for t in range(rows.shape[1]):
        steps = engine.step(rows[:, t], state, gates=False)
        state = steps.state
        answers.append(steps.output)
        states.append(state)
    return np.stack(answers, axis=1), np.stack(states, axis=1)


def _prefixes(
    composition: Composition,
    engine: Engine,
    original: Original,
    given: tuple[Rows, Constants],
    answers: NDArray[np.float32],
) -> Iterator[str]:
    rows, constants = given
    begin = engine.manifest.ready_at - 1
    total = rows.shape[1]
    for time in [total] if composition.time else range(1, total + 1):
        try:
            expected = original.answer(rows[:, :time], constants)
        except Exception:  # a file that does not take so few steps
            continue
        if composition.answers_each_step:
            found = answers[:, begin:time]
            count = min(found.shape[1], expected.shape[1])
            if engine.manifest.delay == 0 and found.shape[1] < expected.shape[1]:
                yield f"the first {time} steps: {expected.shape[1]} answers, {count} given"
            found, expected = found[:, :count], expected[:, :count]
        elif time <= begin:
            continue
        else:
            found = answers[:, time - 1]
        if _off(found, expected):
            yield f"the first {time} steps: {_how(found, expected)}"


def _alone(
    engine: Engine, rows: Rows, constants: Constants, answers: NDArray[np.float32]
) -> Iterator[str]:
    """Each row in a session that shares no batch with another."""
    begin = engine.manifest.ready_at - 1
    for at in range(len(rows)):
        some = {name: one[at : at + 1] for name, one in constants.items()}
        found, _ = _in_steps(engine, rows[at : at + 1], some)
        if _off(found[:, begin:], answers[at : at + 1, begin:]):
            yield f"row {at} alone: {_how(found[:, begin:], answers[at : at + 1, begin:])}"


def _sequence(
    engine: Engine,
    rows: Rows,
    constants: Constants,
    stepped: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> Iterator[str]:
    """The other graph, from the middle on as well."""
    begin, middle = engine.manifest.ready_at - 1, rows.shape[1] // 2
    states: NDArray[np.float32] | None = None
    parts = []
    for some in (rows[:, :middle], rows[:, middle:]):
        before = engine.initial_states(len(rows), constants or None)
        output, states = engine.sequence(some, before if states is None else states[:, -1])
        parts.append((output, states))
    for what, expected, found in zip(
        ("outputs", "states"),
        stepped,
        (np.concatenate(both, axis=1) for both in zip(*parts, strict=True)),
        strict=True,
    ):
        if _off(found[:, begin:], expected[:, begin:]):
            yield f"{what} of a sequence: {_how(found[:, begin:], expected[:, begin:])}"


def _windows(
    original: Original,
    rows: Rows,
    answers: NDArray[np.float32],
    window: int,
) -> Iterator[str]:
    for end in range(window, rows.shape[1] + 1):
        expected = original.answer(rows[:, end - window : end], {})
        found = answers[:, end - 1]
        expected = expected[:, -1] if expected.ndim == 3 else expected
        if _off(found, expected):
            yield f"steps {end - window + 1} to {end}: {_how(found, expected)}"


def outcome_of(composition: Composition, folder: Path) -> str:
    """`sessions`, `window`, `whole` or `refused`.

    Raises AssertionError where a session answers otherwise than the file, and where a refusal names
    nothing; whatever else the importer raises is its fault.
    """
    try:
        engine = published(composition, folder)
    except ModelExportError as refusal:
        message = str(refusal)
        assert _names_something(composition, message), message
        return "refused"
    wrong = list(disagreements(composition, engine))
    assert not wrong, wrong
    if not engine.manifest.sessions:
        return "whole"
    return "window" if engine.manifest.window else "sessions"


def _names_something(composition: Composition, message: str) -> bool:
    """A node, a tensor, an operator, or what is the weights' own: that they are chaotic."""
    graph = composition.model.graph
    names = {value.name for value in (*graph.input, *graph.output)}
    names |= {node.name for node in graph.node} | {node.op_type for node in graph.node}
    if message.startswith("verification failed"):
        return "its weights make it chaotic" in message
    return any(name in message for name in names)
