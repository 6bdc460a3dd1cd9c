"""Which runs are made, and with which learning rate."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from model_export.compare.code import code_digest
from model_export.compare.outcomes import errors_by_step, outcome_of, relative_gradients
from model_export.compare.problems import problem_of
from model_export.compare.runs import Run
from model_export.compare.study import VALIDATION_SEED, Contestant, Plan, Study
from model_export.compare.training import held_out_error
from model_export.errors import CheckpointError
from tests.unit.model_export.compare.test_runs import SPEC, finished

PLAN = Plan(
    lengths={"adding": (2, 4, 5)},
    seeds=2,
    steps={"adding": 2},
    learning_rates=(0.001, 0.01),
    hidden_size=4,
    batch_size=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study")
    assert len(list(Study(PLAN, path).run())) == Study(PLAN, path).total
    return path


def test_every_contestant_runs_once_a_seed(folder: Path) -> None:
    study = Study(PLAN, folder)
    runs = [run for run, purpose in study.runs() if purpose == "study"]
    # The GRU, reset before, has the same size in both sizings; here reset after has too.
    cells = {(run.spec.cell, run.spec.hidden_size) for run in runs}
    assert len(cells) < 8
    assert len(runs) == len({run.spec for run in runs}) == len(cells) * 3 * PLAN.seeds
    assert {run.spec.seed for run in runs} == {0, 1}


def test_the_learning_rate_is_chosen_on_another_seed(folder: Path) -> None:
    study = Study(PLAN, folder)
    choosing = [run for run, purpose in study.runs() if purpose == "learning rate"]
    assert {run.spec.seed for run in choosing} == {VALIDATION_SEED}
    assert {run.spec.length for run in choosing} == {2, 4}
    for length, tuned in ((2, 2), (4, 4), (5, 4)):
        contestant = Contestant("adding", length, "rnn", 4)
        candidates = [
            run
            for run in choosing
            if (run.spec.length, run.spec.cell, run.spec.hidden_size) == (tuned, "rnn", 4)
        ]
        best = min(candidates, key=lambda run: run.lowest)
        assert len(candidates) == 2
        assert study.learning_rate(contestant) == best.spec.learning_rate
        assert study.finished(contestant)[0].spec.learning_rate == best.spec.learning_rate


def test_a_rerun_makes_nothing_twice(folder: Path) -> None:
    before = (folder / "runs.jsonl").read_bytes()
    study = Study(PLAN, folder)
    assert study.done == study.total
    assert list(study.run()) == []
    assert (folder / "runs.jsonl").read_bytes() == before


def test_another_source_or_torch_is_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {code_digest()}
    for name, value in (("inspect.getsource", repr), ("torch.__version__", "0")):
        with monkeypatch.context() as patch:
            patch.setattr(name, value)
            digests.add(code_digest.__wrapped__())
    assert len(digests) == 3


def test_runs_of_other_code_are_made_anew(folder: Path, tmp_path: Path) -> None:
    study = Study(PLAN, folder)
    run, _ = next(study.runs())
    assert run.spec.code == code_digest()
    lines = (folder / "runs.jsonl").read_text()
    (tmp_path / "runs.jsonl").write_text(lines.replace(run.spec.code, "0123456789abcdef"))
    assert (Study(PLAN, tmp_path).done, study.done) == (0, study.total)


def test_what_is_interrupted_goes_on_with_the_same_numbers(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "runs.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_text("".join(lines[:-3]))
    study = Study(PLAN, tmp_path)
    assert study.done == study.total - 3
    again = list(study.run())
    whole = {run.spec: run for run, _ in Study(PLAN, folder).runs()}
    assert len(again) == 3
    for run in again:
        assert run.model_copy(update={"step_seconds": 0}) == whole[run.spec].model_copy(
            update={"step_seconds": 0}
        )


def test_runs_of_other_settings_are_not_taken_for_these(folder: Path) -> None:
    other = replace(PLAN, steps={"adding": 3})
    study = Study(other, folder)
    assert study.done == 0
    assert outcome_of(study, Contestant("adding", 2, "rnn", 4)) is None


def test_the_network_of_a_run_is_the_trained_one(folder: Path) -> None:
    study = Study(PLAN, folder)
    run = study.finished(Contestant("adding", 4, "lstm", 4))[1]
    network = study.network(run)
    assert held_out_error(network, problem_of("adding", 4), "test") == run.test_error
    for path in (folder / "weights").glob(f"{run.spec.name}.*"):
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(CheckpointError, match="is missing"):
            study.network(run)
        path.write_bytes(kept)


def test_outcomes_are_over_the_seeds(folder: Path) -> None:
    study = Study(PLAN, folder)
    contestant = Contestant("adding", 5, "gru_before", 4)
    outcome = outcome_of(study, contestant)
    errors = sorted(run.test_error for run in study.finished(contestant))
    assert outcome is not None
    assert (outcome.seeds, outcome.solved, outcome.solved_at) == (2, 0, None)
    assert (outcome.test_error.lowest, outcome.test_error.highest) == tuple(errors)
    assert outcome.test_error.median == pytest.approx(sum(errors) / 2)


def test_gradients_are_relative_to_lag_zero() -> None:
    run = finished(SPEC).model_copy(update={"gradients_at_start": (4.0, 2.0, 1.0)})
    assert relative_gradients([run, run], trained=False).tolist() == [[1, 0.5, 0.25]] * 2


def test_a_run_that_ended_keeps_its_last_error() -> None:
    def with_curve(curve: Sequence[tuple[int, float]]) -> Run:
        return finished(SPEC).model_copy(update={"curve": tuple(curve)})

    runs = [with_curve([(50, 0.5), (100, 0.1)]), with_curve([(50, 0.6), (100, 0.5), (150, 0.4)])]
    steps, errors = errors_by_step(runs)
    assert steps.tolist() == [50, 100, 150]
    assert errors.tolist() == [[0.5, 0.1, 0.1], [0.6, 0.5, 0.4]]
