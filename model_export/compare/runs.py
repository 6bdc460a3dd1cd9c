"""Runs of the study: what each was asked, what came of it, and the file that keeps them."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model_export.compare.cells import CellName
from model_export.compare.problem import ProblemName
from model_export.errors import DataError


class RunSpec(BaseModel):
    """Everything that decides how a run goes; two equal ones are the same run.

    `code` is the digest of what makes it; a run that was kept without one is none of today's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: ProblemName
    length: int
    cell: CellName
    hidden_size: int
    learning_rate: float
    seed: int
    steps: int
    batch_size: int
    keep_bias: float
    code: str = ""

    @property
    def name(self) -> str:
        """Short, and different for every two runs."""
        digest = sha256(self.model_dump_json().encode()).hexdigest()[:8]
        return f"{self.problem}-{self.length}-{self.cell}-{self.hidden_size}-{self.seed}-{digest}"


class Run(BaseModel):
    """A finished run.

    `curve` holds (step, validation error); `test_error` is of the weights with the lowest of
    these. Gradient norms are by lag, as in `measures.gradient_norms`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    spec: RunSpec
    parameters: int
    curve: tuple[tuple[int, float], ...]
    solved_at: int | None
    diverged: bool
    test_error: float
    step_seconds: float
    gradients_at_start: tuple[float, ...]
    gradients_when_trained: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """The lowest validation error; infinite where training broke down before the first."""
        return min((error for _, error in self.curve), default=float("inf"))


class RunFile:
    """`runs.jsonl`: a line for each finished run, in the order in which they ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mapping[RunSpec, Run]:
        """All finished runs.

        A last line without an end was cut off with its process and is removed, so that its run is
        done again. Raises DataError for any other line that is no run.
        """
        if not self._path.exists():
            return {}
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._path.write_bytes(whole)
        return {run.spec: run for run in self._parsed(whole)}

    def append(self, run: Run) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(run.model_dump_json() + "\n")

    def _parsed(self, content: bytes) -> Iterator[Run]:
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                yield Run.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors()[0]
                place = ".".join(map(str, fault["loc"])) or "the line"
                raise DataError(
                    f"{self._path}, line {number}, {place}: {fault['msg']}; "
                    "remove the line to do its run again, or choose another --out"
                ) from error
