"""What a case of the catalogue is: a file, and what must come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.axes import Axes


@dataclass(frozen=True, slots=True)
class Sessions:
    """Steps equal to the file. The first answer comes at `ready_at`, `delay` steps late."""

    ready_at: int = 1
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """Steps equal to the file on the last `length` inputs."""

    length: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole sequences only, for a reason that holds these words.

    `could_step` marks what a session could follow if there were a rule for it.
    """

    words: tuple[str, ...]
    could_step: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No version at all, for a reason that holds these words. `could_step` as above."""

    words: tuple[str, ...]
    could_step: bool = False


Expected = Sessions | Window | Whole | Refused


@dataclass(frozen=True, slots=True)
class File:
    """A model in ONNX, and the torch module it was written from where there is one."""

    model: onnx.ModelProto
    module: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """`inputs` are axes by name, the sequence first; `output` those of the output `answers`.

    `fed` are inputs by the outputs that are fed back to them. `tokens` is how many there are where
    the sequence holds some. `truth` is another file to compare with, where ONNX Runtime does not
    run this one or runs it less exactly. `within` is what a free run may be off.
    """

    name: str
    write: Callable[[], File]
    expected: Expected
    inputs: Mapping[str, Axes]
    output: Axes
    answers: str = "y"
    fed: Mapping[str, str] = field(default_factory=dict)
    tokens: int | None = None
    integers: frozenset[str] = frozenset()
    hints: Hints = field(default_factory=Hints)
    options: Mapping[str, Any] = field(default_factory=dict)
    truth: Callable[[], File] | None = None
    within: float = 1e-4
    topic: str = ""

    @property
    def sequence(self) -> str:
        return next(iter(self.inputs))

    @property
    def constants(self) -> dict[str, Axes]:
        fed = set(self.fed.values())
        others = list(self.inputs)[1:]
        return {name: self.inputs[name] for name in others if name not in fed}

    @property
    def steps_by_hand(self) -> bool:
        """Whether the file takes one step at a time."""
        return self.inputs[self.sequence].fixed("T") == 1
