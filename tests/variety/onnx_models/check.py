"""One case: the file through the importer into a repository, and its steps against the file."""

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from numpy.typing import NDArray

from model_export.errors import ModelExportError
from model_export.imports.importing import import_original
from model_export.imports.onnx.file import read_onnx
from model_export.imports.options import ImportOptions
from model_export.publish import publish
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole, Window
from tests.variety.onnx_models.gates import gates_by_node
from tests.variety.onnx_models.original import FileInRuntime, Given, named_in

Array = NDArray[Any]

BATCH = 3
PREFIXES = 12
"""Every prefix up to here is compared, of longer sequences some."""
LONGER = (40, 150)
SCALES = (0.3, 1.0, 4.0)
"""Of random inputs; a row of a batch each."""
FIRST_STEP = 1e-5
OTHER_PARTS = 1e-4
"""Of exporters against torch, and of gates in float64 after a free run."""


def check(case: Case, folder: Path) -> str:
    """Hold a case against what is expected of it; returns what came of it, in a line.

    Raises AssertionError. An exception that is no refusal passes through: it is a crash.
    """
    file = case.write()
    place = folder / "model.onnx"
    onnx.save(file.model, place)
    repository = folder / "models"
    repository.mkdir()
    try:
        engine = _imported(case, place, repository)
    except ModelExportError as refused:
        assert list(repository.iterdir()) == [], "a refused model left something behind"
        return _refused(case, file.model, str(refused))
    truth = case.truth() if case.truth else file
    original = FileInRuntime(case, truth)
    _against_torch(case, original)
    return _served(case, engine, original)


def _imported(case: Case, file: Path, repository: Path) -> Engine:
    options = ImportOptions(name="model", hints=case.hints, **case.options)
    version = publish(import_original(read_onnx(file), options).draft, repository)
    return Engine(read_bundle(version), Provider())


def _refused(case: Case, model: onnx.ModelProto, message: str) -> str:
    assert isinstance(case.expected, Refused), f"refused: {message}"
    lacks = [word for word in case.expected.words if word not in message]
    assert not lacks, f"{lacks} is not in {message!r}"
    assert any(name in message for name in named_in(model)) or "--" in message, message
    return f"refused: {message}"


def _served(case: Case, engine: Engine, original: FileInRuntime) -> str:
    manifest = engine.manifest
    if not manifest.sessions:
        assert isinstance(case.expected, Whole), f"whole sequences only: {manifest.reason}"
        lacks = [word for word in case.expected.words if word not in str(manifest.reason)]
        assert not lacks, f"{lacks} is not in {manifest.reason!r}"
        assert any(name in str(manifest.reason) for name in named_in(original.file.model))
        _whole(case, engine, original)
        return f"whole: {manifest.reason}"
    if manifest.window is not None:
        assert case.expected == Window(manifest.window), f"a window of {manifest.window}"
        _window(case, engine, original)
        return f"a window of {manifest.window}"
    assert case.expected == Sessions(manifest.ready_at, manifest.delay), (
        f"sessions, ready at {manifest.ready_at}, delay {manifest.delay}"
    )
    _sessions(case, engine, original)
    return "sessions"


def _sessions(case: Case, engine: Engine, original: FileInRuntime) -> None:
    for time in _times(case):
        rows, constants = _inputs(case, time)
        found = _free_run(engine, rows, constants)
        for row in range(BATCH):
            given = {name: one[row] for name, one in constants.items()}
            where = f"row {row} of {time} steps"
            if case.steps_by_hand:
                _close(found[row], original.by_hand(rows[row], given), case, where)
                continue
            _prefixes(case, engine, original, (rows[row], found[row], given), where)
        alone = _free_run(engine, rows[:1], {name: one[:1] for name, one in constants.items()})
        _close(alone[0], found[0], case, "alone")
    _gates(case, engine, original)


def _prefixes(
    case: Case,
    engine: Engine,
    original: FileInRuntime,
    session: tuple[Array, Array, Given],
    where: str,
) -> None:
    """`session` is what it was given [T, F], what it answered [T, O], and its constants."""
    rows, found, given = session
    late = engine.manifest.ready_at - 1
    assert np.isnan(found[:late]).all(), "answers before it is ready"
    for length in _prefix_lengths(case, len(rows), late):
        answer = original.whole(rows[:length], given)
        at = f"{where}, the first {length}"
        if engine.manifest.answers == "last step":
            assert answer.ndim == 1, "answers the last step only, the file every step"
            _close(found[length - 1], answer, case, at)
        else:
            assert answer.ndim == 2, "answers every step, the file the last one only"
            final = answer[: length - late]
            _close(found[late : late + len(final)], final, case, at)


def _prefix_lengths(case: Case, time: int, late: int) -> list[int]:
    if case.inputs[case.sequence].fixed("T") is not None:
        return [time]
    lengths = range(1, time + 1) if time <= PREFIXES else (time // 2, time)
    return [length for length in lengths if length > late]


def _free_run(engine: Engine, rows: Array, constants: Given) -> Array:
    """Answers [B, T, O] of sessions that go step by step, their state fed back."""
    state = _begun(engine, len(rows), constants)
    answers = []
    for t in range(rows.shape[1]):
        steps = engine.step(rows[:, t], state, gates=False)
        state = steps.state
        answers.append(steps.output)
    return np.stack(answers, axis=1)


def _begun(engine: Engine, batch: int, constants: Given) -> Array:
    """The first state [B, S]; a constant that is one number has an axis of its own there."""
    shapes = {one.name: (batch, *one.shape) for one in engine.manifest.constants}
    given = {name: one.reshape(shapes[name]) for name, one in constants.items()}
    return engine.initial_states(batch, given or None)


def _window(case: Case, engine: Engine, original: FileInRuntime) -> None:
    length = engine.manifest.window
    assert length is not None
    rows, _ = _inputs(case, length + PREFIXES)
    found = _free_run(engine, rows, {})
    assert np.isnan(found[:, : length - 1]).all(), "answers before its window is full"
    for row in range(BATCH):
        for end in range(length, rows.shape[1] + 1):
            answer = original.whole(rows[row, end - length : end], {})
            last = answer if answer.ndim == 1 else answer[-1]
            _close(found[row, end - 1], last, case, f"row {row}, steps to {end}")


def _whole(case: Case, engine: Engine, original: FileInRuntime) -> None:
    for time in _times(case):
        rows, _ = _inputs(case, time)
        found = engine.whole(rows)
        for row in range(BATCH):
            answer = original.whole(rows[row], {})
            assert found[row].shape == answer.shape, f"{found.shape} for {answer.shape}"
            _close(found[row], answer, case, f"row {row} of {time} steps")


def _gates(case: Case, engine: Engine, original: FileInRuntime) -> None:
    """Gates and hidden state of every layer that has the name of its node."""
    if case.steps_by_hand or engine.manifest.ready_at > 1:
        return
    time = case.inputs[case.sequence].fixed("T") or PREFIXES
    rows, constants = _inputs(case, time)
    given = {name: one[1] for name, one in constants.items()}
    expected = gates_by_node(original.file.model, original.feed(rows[1], given))
    state = _begun(engine, BATCH, constants)
    for t in range(time):
        steps = engine.step(rows[:, t], state, gates=True)
        state = steps.state
        assert steps.gates is not None
        for layer in engine.manifest.layers:
            for name, values in expected.get(layer.name, {}).items():
                off = np.abs(steps.gates[name][1, layer.span] - values[t]).max()
                assert off <= OTHER_PARTS, f"{name} of {layer.name} at step {t} is off by {off:g}"


def _against_torch(case: Case, original: FileInRuntime) -> None:
    """An exporter that writes another model than the module is."""
    if original.file.module is None or case.steps_by_hand:
        return
    rows, constants = _inputs(case, case.inputs[case.sequence].fixed("T") or PREFIXES)
    given = {name: one[1] for name, one in constants.items()}
    by_torch = original.by_torch(rows[1], given)
    off = _deviation(original.whole(rows[1], given), by_torch)
    assert off <= OTHER_PARTS, f"the exporter's file is off torch by {off:g}"


def _times(case: Case) -> tuple[int, ...]:
    fixed = case.inputs[case.sequence].fixed("T")
    return (PREFIXES, *LONGER) if fixed in (None, 1) else (fixed,)


def _inputs(case: Case, time: int) -> tuple[Array, dict[str, Array]]:
    """Rows [B, T, F] or tokens [B, T], each sequence of a scale of its own; constants [B, …]."""
    random = np.random.default_rng(crc32(case.name.encode()) + time)
    scales = np.array(SCALES, np.float32)
    if case.tokens is not None:
        rows: Array = random.integers(0, case.tokens, (BATCH, time))
    else:
        width = case.inputs[case.sequence].width
        drawn = random.standard_normal((BATCH, time, width)).astype(np.float32)
        rows = drawn * scales[:, np.newaxis, np.newaxis]
    constants: dict[str, Array] = {}
    for name, axes in case.constants.items():
        shape = (BATCH, *(one.length or 1 for one in axes if one.symbol != "B"))
        if name in case.integers:
            constants[name] = random.integers(0, 2, shape)
        else:
            constants[name] = random.standard_normal(shape).astype(np.float32)
    return rows, constants


def _close(found: Array, expected: Array, case: Case, where: str) -> None:
    off = _deviation(found, expected)
    assert off <= case.within, f"{where}: off by {off:g}"


def _deviation(found: Array, expected: Array) -> float:
    """Relative to the largest number of each column."""
    if found.shape != expected.shape:
        return float("inf")
    missing = np.isnan(expected)
    if not np.array_equal(missing, np.isnan(found)):
        return float("inf")
    wide = np.nan_to_num(expected.astype(np.float64))
    scale = np.maximum(np.abs(wide.reshape(-1, wide.shape[-1])).max(axis=0, initial=0), 1e-3)
    return float(np.max(np.abs(np.nan_to_num(found) - wide) / scale, initial=0))
