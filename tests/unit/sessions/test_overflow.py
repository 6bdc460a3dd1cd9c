"""Inputs that float32 can hold, but that a model's arithmetic cannot."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_export.model.config import LabelsHead, ValuesFront
from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.bundle.signatures import Labels, Values
from service.engine.provider import Provider
from service.errors import InvalidInput
from service.repository.models import Models, load_models
from tests.bundles import kind_of_model, plain_report
from tests.contract.sessions import read, same
from tests.new_kinds import fill_missing, make_kind
from tests.unit.sessions.steps import answered, holding, request, stepper, weather


@pytest.fixture(scope="module")
def small_units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """Models whose inputs are divided by a tenth, without and with missing values. Their outputs
    show nothing of an overflow that the gates have hidden."""
    front = ValuesFront(mean=(0.0, 0.0, 0.0), scale=(0.1, 0.1, 0.1))
    taken, given = Values(names=("a", "b", "c"), units=("1",) * 3), Labels(names=("a", "b", "c"))
    trained = kind_of_model("small", front, LabelsHead(3), taken, given, hidden_sizes=(6,))
    folder: Path = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(trained, folder)
    gaps = taken.model_copy(update={"missing": True})
    make_kind(folder / "small", folder / "gaps", gaps, None, change=fill_missing)
    yield load_models(read_repository(folder), Provider())


@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("small", [3e38, 3e38, 3e38]),
        ("small", [-3e38, -3e38, -3e38]),
        ("gaps", [-3e38, None, 3e38]),
    ],
)
def test_a_state_that_is_not_finite_is_never_stored(
    small_units: Models, model: str, row: list[float | None], time: int
) -> None:
    before = weather("s", model=model, state=np.zeros(6, np.float32))
    store = holding(before)
    rows = [row] * time
    (outcome,) = stepper(small_units, store).run([request("s", rows)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.faults[0].place == ("inputs", 0)
    assert same(read(store), before)


def test_what_is_wrong_is_said_of_a_session_that_is_known_as_well(small_units: Models) -> None:
    """The very record that the store has: read again, it is no other one."""
    store = holding(weather("s", model="small", state=np.zeros(6, np.float32)))
    run = stepper(small_units, store).run
    answered(run([request("s", [[0.1, 0.1, 0.1]])])[0])
    before = read(store)
    for _ in range(2):
        (outcome,) = run([request("s", [[3e38, 3e38, -3e38]])])
        assert isinstance(outcome, InvalidInput)
    assert read(store) is before
