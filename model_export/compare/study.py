"""Which runs are made, in which order, and with which learning rate."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import load_file, save_file

from model_export.compare.cells import (
    CELLS,
    CellName,
    Recurrent,
    hidden_size_for,
    parameter_count,
)
from model_export.compare.code import code_digest
from model_export.compare.measures import gradient_norms
from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of
from model_export.compare.runs import Run, RunFile, RunSpec
from model_export.compare.training import held_out_error, train
from model_export.errors import CheckpointError

Sizing = Literal["hidden", "parameters"]
SIZINGS: tuple[Sizing, ...] = get_args(Sizing)

Purpose = Literal["learning rate", "study"]

VALIDATION_SEED = 1000
"""Learning rates are chosen on it; the seeds of the study are 0, 1, …"""

_GRADIENT_SEQUENCES = 32
_GRADIENT_SEED = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared. All cells have the same steps, batches and learning rates to choose from.

    With equal hidden size every cell has `hidden_size`; with equal parameters, as many as a GRU
    of that size with reset "before". Learning rates are chosen for each problem, cell and hidden
    size at the `tuned_lengths` shortest lengths; longer ones take the choice of the longest of
    these.
    """

    lengths: Mapping[ProblemName, tuple[int, ...]]
    seeds: int
    steps: Mapping[ProblemName, int]
    learning_rates: tuple[float, ...]
    hidden_size: int = 32
    batch_size: int = 32
    keep_bias: float = 1.0
    tuned_lengths: int = 2


@dataclass(frozen=True, slots=True)
class Contestant:
    """One cell of one size on one problem at one length."""

    problem: ProblemName
    length: int
    cell: CellName
    hidden_size: int


class Study:
    """Makes the runs of a plan, keeps each in FOLDER/runs.jsonl, and makes none twice."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self._weights = folder / "weights"
        self._weights.mkdir(parents=True, exist_ok=True)
        self._file = RunFile(folder / "runs.jsonl")
        self._runs = dict(self._file.read())

    def run(self) -> Iterator[Run]:
        """Makes all runs that are not done yet; yields each when it is kept."""
        for spec in self._specs():
            if spec not in self._runs:
                run = self._runs[spec] = self._make(spec)
                self._file.append(run)
                yield run

    @property
    def done(self) -> int:
        """How many of the plan's runs are done."""
        return sum(1 for _ in self.runs())

    @property
    def total(self) -> int:
        """How many runs there are."""
        tuned = sum(contestant.length in self._tuned(contestant) for contestant in self._all())
        choices = len(self.plan.learning_rates)
        return len(self._all()) * self.plan.seeds + (tuned * choices if choices > 1 else 0)

    def contestants(self, problem: ProblemName, length: int, sizing: Sizing) -> list[Contestant]:
        """One for each cell, in the order of CELLS."""
        return [
            Contestant(problem, length, cell, self._hidden_size(problem, length, cell, sizing))
            for cell in CELLS
        ]

    def finished(self, contestant: Contestant) -> list[Run]:
        """The runs of a contestant that are done, one for each seed."""
        if not self._is_tuned(contestant):
            return []
        specs = (self._spec(contestant, seed) for seed in range(self.plan.seeds))
        return [self._runs[spec] for spec in specs if spec in self._runs]

    def runs(self) -> Iterator[tuple[Run, Purpose]]:
        """All runs of the plan that are done, and what each is for."""
        for contestant in self._all():
            choosing = self._candidates(contestant) if self._is_tuned(contestant) else []
            if contestant.length in self._tuned(contestant) and len(choosing) > 1:
                yield from ((self._runs[spec], "learning rate") for spec in choosing)
            yield from ((run, "study") for run in self.finished(contestant))

    def learning_rate(self, contestant: Contestant) -> float:
        """The one that solved the problem in fewest steps, else that with the lowest error."""
        candidates = self._candidates(contestant)
        if len(candidates) == 1:
            return candidates[0].learning_rate
        return min((self._runs[spec] for spec in candidates), key=_rank).spec.learning_rate

    def network(self, run: Run) -> Recurrent:
        """The network of a finished run. Raises CheckpointError where its weights are gone."""
        path = self._path(run.spec)
        if not path.exists():
            raise CheckpointError(f"{path} is missing; delete runs.jsonl beside it to begin anew")
        network = network_of(run.spec)
        network.load_state_dict(load_file(path))
        return network.eval()

    def _specs(self) -> Iterator[RunSpec]:
        """Learning rates first, then seed by seed: what is interrupted has some of everything."""
        for contestant in self._all():
            if contestant.length in self._tuned(contestant) and len(self.plan.learning_rates) > 1:
                yield from self._candidates(contestant)
        for seed in range(self.plan.seeds):
            for contestant in self._all():
                yield self._spec(contestant, seed)

    def _all(self) -> list[Contestant]:
        """Every contestant once, also where both sizings give a cell the same hidden size."""
        found = (
            contestant
            for problem, lengths in self.plan.lengths.items()
            for length in lengths
            for sizing in SIZINGS
            for contestant in self.contestants(problem, length, sizing)
        )
        return list(dict.fromkeys(found))

    def _tuned(self, contestant: Contestant) -> list[int]:
        return sorted(self.plan.lengths[contestant.problem])[: self.plan.tuned_lengths]

    def _candidates(self, contestant: Contestant) -> list[RunSpec]:
        tuned = self._tuned(contestant)
        length = contestant.length if contestant.length in tuned else tuned[-1]
        return [
            self._with_rate(replace(contestant, length=length), rate, VALIDATION_SEED)
            for rate in self.plan.learning_rates
        ]

    def _is_tuned(self, contestant: Contestant) -> bool:
        candidates = self._candidates(contestant)
        return len(candidates) == 1 or all(spec in self._runs for spec in candidates)

    def _spec(self, contestant: Contestant, seed: int) -> RunSpec:
        return self._with_rate(contestant, self.learning_rate(contestant), seed)

    def _with_rate(self, contestant: Contestant, rate: float, seed: int) -> RunSpec:
        return RunSpec(
            **asdict(contestant),
            learning_rate=rate,
            seed=seed,
            steps=self.plan.steps[contestant.problem],
            batch_size=self.plan.batch_size,
            keep_bias=self.plan.keep_bias,
            code=code_digest(),
        )

    def _hidden_size(
        self, problem: ProblemName, length: int, cell: CellName, sizing: Sizing
    ) -> int:
        size = self.plan.hidden_size
        if sizing == "hidden" or cell == "gru_before":
            return size
        traits = problem_of(problem, length).traits
        parameters = parameter_count("gru_before", traits.input_size, size, traits.output_size)
        return hidden_size_for(parameters, cell, traits.input_size, traits.output_size)

    def _make(self, spec: RunSpec) -> Run:
        problem = problem_of(spec.problem, spec.length)
        network = network_of(spec)
        probe = problem.batch(_GRADIENT_SEQUENCES, torch.Generator().manual_seed(_GRADIENT_SEED))
        at_start = gradient_norms(network, problem, probe)
        training = train(
            network,
            problem,
            learning_rate=spec.learning_rate,
            steps=spec.steps,
            batch_size=spec.batch_size,
            seed=spec.seed,
        )
        save_file(network.state_dict(), self._path(spec))
        return Run(
            spec=spec,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            curve=training.curve,
            solved_at=training.solved_at,
            diverged=training.diverged,
            test_error=held_out_error(network, problem, "test"),
            step_seconds=training.step_seconds,
            gradients_at_start=tuple(at_start.tolist()),
            gradients_when_trained=tuple(gradient_norms(network, problem, probe).tolist()),
        )

    def _path(self, spec: RunSpec) -> Path:
        return self._weights / f"{spec.name}.safetensors"


def network_of(spec: RunSpec) -> Recurrent:
    """The network of a run before its training."""
    traits = problem_of(spec.problem, spec.length).traits
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return Recurrent(
            spec.cell, traits.input_size, spec.hidden_size, traits.output_size, spec.keep_bias
        )


def _rank(run: Run) -> tuple[bool, float, float]:
    return run.solved_at is None, run.solved_at or 0, run.lowest
