"""Every GRU case of ONNX's own backend tests: what it says is answered, or the file is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.errors import ModelRefused
from model_export.rewrite.roles import Hints
from service.engine.engine import Engine
from tests.oracle import assert_agrees
from tests.unit.model_export.imports.onnx.backend_cases import Case, generated, recorded
from tests.unit.model_export.imports.onnx.importing import imported

CASES = [*recorded(), *generated()]
WHOLE = {"test_gru_reverse", "test_gru_bidirectional"}
OUTPUTS = [(case, output) for case in CASES for output in case.outputs]


def test_none_is_missing() -> None:
    assert [case.name for case in CASES] == [
        *("1.19 test_gru_batchwise", "1.19 test_gru_defaults", "1.19 test_gru_seq_length"),
        *("1.19 test_gru_with_initial_bias", "test_gru_defaults", "test_gru_with_initial_bias"),
        *("test_gru_seq_length", "test_gru_batchwise", "test_gru_reverse"),
        "test_gru_bidirectional",
    ]


@pytest.mark.parametrize(
    ("case", "output"), OUTPUTS, ids=[f"{case.name} {output}" for case, output in OUTPUTS]
)
def test_it_answers_what_onnx_expects(case: Case, output: str, tmp_path: Path) -> None:
    """With its weights in the file and its sizes left open, as exporters write it."""
    expected = by_batch(case, case.outputs[output])
    x = case.inputs["X"] if case.is_batch_first else case.inputs["X"].transpose(1, 0, 2)
    model = case.opened(case.with_stored_weights())
    engine = imported(model, tmp_path, Hints(output=output))
    assert engine.manifest.sessions == (case.name not in WHOLE)
    found = in_steps(engine, x) if engine.manifest.sessions else engine.whole(x)
    if expected.ndim == 2 and found.ndim == 3:
        found = found[:, -1]
    assert_agrees(found, expected.astype(np.float64))


def in_steps(engine: Engine, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a session of each row answers, [B, T, O]."""
    state, answers = engine.initial_states(len(x)), []
    for t in range(x.shape[1]):
        steps = engine.step(x[:, t], state, gates=False)
        state = steps.state
        answers.append(steps.output)
    return np.stack(answers, axis=1)


def by_batch(case: Case, given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Y as [B, T, D · H], Y_h as [B, D · H]."""
    if given.ndim == 4:
        order = (0, 1, 2, 3) if case.is_batch_first else (2, 0, 1, 3)
        moved = given.transpose(order)
        return moved.reshape(*moved.shape[:2], -1)
    moved = given if case.is_batch_first else given.transpose(1, 0, 2)
    return moved.reshape(len(moved), -1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_it_is_it_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    """Its sizes are fixed, and its weights are inputs."""
    with pytest.raises(ModelRefused, match=r"the input 'X' \[\d, \d, \d\]|GRU node 'GRU_\d'"):
        imported(case.model, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_weights_that_are_inputs_are_refused_by_name(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="'W'"):
        imported(case.opened(case.model), tmp_path)
