"""The modules that a state dict's names speak of, and what their tensors say they can be."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.state_dict import RECURRENT, StateDict

_BATCH_NORM = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
PLAIN_KINDS = ("linear", "embedding", "batchnorm", "layernorm", "prelu")
_TOP = "the top level"


@dataclass(frozen=True, slots=True)
class Module:
    """`shapes` of its own tensors by the last part of their names, in the order of the file."""

    path: str
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def label(self) -> str:
        return self.path or _TOP

    @property
    def is_recurrent(self) -> bool:
        return any(RECURRENT.search(leaf) for leaf in self.shapes)

    def tensor(self, leaf: str) -> str:
        """The full name of one of its tensors."""
        return f"{self.path}.{leaf}" if self.path else leaf

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(self.tensor(leaf) for leaf in self.shapes)

    def can_be(self, kind: str) -> bool:
        """Whether its tensors are those of a `linear`, `embedding`, `batchnorm`, …"""
        if kind == "batchnorm":
            return self._can_be_batch_norm()
        weight, bias = self.shapes.get("weight", ()), self.shapes.get("bias")
        if not set(self.shapes) <= {"weight", "bias"} or not weight or 0 in weight:
            return False
        if kind in ("linear", "embedding"):
            return len(weight) == 2 and (bias is None or (kind == "linear" and bias == weight[:1]))
        return len(weight) == 1 and (bias is None or (kind == "layernorm" and bias == weight))

    def _can_be_batch_norm(self) -> bool:
        leaves = set(self.shapes)
        shapes = {self.shapes[leaf] for leaf in leaves - {"num_batches_tracked"}}
        one_width = len(shapes) == 1 and len(next(iter(shapes))) == 1 and (0,) not in shapes
        return {"running_mean", "running_var"} <= leaves <= _BATCH_NORM and one_width

    def described(self) -> str:
        """For messages: what it most likely is, and its widths."""
        if self.can_be("linear"):
            rows, columns = self.shapes["weight"]
            return f"{self.label} (linear, {columns} to {rows})"
        if self.can_be("batchnorm"):
            return f"{self.label} (batchnorm of {self.shapes['running_mean'][0]})"
        if self.can_be("layernorm"):
            return f"{self.label} (layernorm of {self.shapes['weight'][0]})"
        shapes = ", ".join(f"{leaf} {list(shape)}" for leaf, shape in self.shapes.items())
        return f"{self.label} ({shapes})"


def read_modules(state: StateDict, ignore: tuple[str, ...]) -> tuple[Module, ...]:
    """Modules in the order of the file, or of their numbers and names where it keeps none.

    Tensors whose name begins with one of `ignore` are passed over.
    """
    names = [name for name in state.tensors if not name.startswith(ignore or ("\0",))]
    _refuse_useless(ignore, state)
    grouped: dict[str, dict[str, tuple[int, ...]]] = {}
    for name in names if state.in_order else sorted(names, key=naturally):
        path, _, leaf = name.rpartition(".")
        grouped.setdefault(path, {})[leaf] = state.shape(name)
    return tuple(Module(path, shapes) for path, shapes in grouped.items())


def refuse_unusable(modules: Iterable[Module]) -> None:
    """Raise ModelRefused for a module that no part of a head can be."""
    for module in modules:
        if not any(module.can_be(kind) for kind in PLAIN_KINDS):
            prefix = f"{module.path}." if module.path else module.tensors[0]
            raise ModelRefused(
                f"{module.described()} cannot be imported: besides GRUs, only "
                f"{', '.join(PLAIN_KINDS)} have weights here, of shapes that fit together; "
                f"if it is no part of the model, allow it with --ignore {prefix}"
            )


def find_module(modules: Iterable[Module], name: str, option: str) -> Module:
    """The module with this name, or with this end of its name. Raises ModelRefused otherwise."""
    modules = tuple(modules)
    found = [module for module in modules if module.path == name] or [
        module for module in modules if module.path.endswith(f".{name}")
    ]
    if len(found) != 1:
        what = "names several modules" if found else "names no module of the file"
        known = ", ".join(module.label for module in found or modules)
        raise ModelRefused(f"{option}: {name!r} {what}: {known}")
    return found[0]


def stem(path: str) -> str:
    """A name without its numbers: modules with the same one are counted, not just named."""
    return re.sub(r"\d+", "", path)


def naturally(name: str) -> list[Any]:
    """A key that sorts fc10 behind fc9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _refuse_useless(ignore: tuple[str, ...], state: StateDict) -> None:
    for prefix in ignore:
        if not prefix or not any(name.startswith(prefix) for name in state.tensors):
            raise ModelRefused(f"--ignore {prefix!r}: no tensor's name begins so")
