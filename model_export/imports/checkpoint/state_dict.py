"""The tensors of a checkpoint under dotted names, whatever they were wrapped in."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.file import Contents, is_left_out, printable
from model_export.imports.checkpoint.stack import Array

RECURRENT = re.compile(r"(?:^|\.)(?:weight|bias)_(?:ih|hh|hr)(?:_l(0|[1-9]\d{0,3})(_reverse)?)?$")
"""The parameters of nn.RNN, nn.LSTM, nn.GRU and their cells."""

MAX_VALUES = 2**28
_MAX_DEPTH = 8
_MAX_ENTRIES = 1_000_000
_COMPILED = "_orig_mod"
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class StateDict:
    """Tensors by name. `in_order`: they come in the order in which their modules were defined.

    `notes` say what the file holds beside them.
    """

    tensors: Mapping[str, torch.Tensor]
    in_order: bool
    notes: tuple[str, ...] = ()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def array(self, name: str) -> Array:
        """A tensor in float64.

        Raises ModelRefused for values that are not finite, or do not fit into float32.
        """
        tensor = self.tensors[name].detach().resolve_neg()
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelRefused(f"{name} has no plain real numbers, but {kind} ({tensor.layout})")
        array: Array = tensor.to(torch.float64).numpy()
        if not np.isfinite(array).all():
            raise ModelRefused(
                f"{name} holds NaN or infinity: training diverged; take an earlier checkpoint"
            )
        if np.abs(array).max(initial=0) > np.finfo(np.float32).max:
            raise ModelRefused(f"{name} holds values beyond float32's range")
        return array


def read_state_dict(contents: Contents, part: str | None) -> StateDict:
    """Find the tensors of the model in what was saved.

    `part` names one of several state dicts, `.` all of them together. Raises ModelRefused where
    there is none, or more than one and no `part`.
    """
    root, notes = _chosen(contents.root, part)
    walk = _Walk()
    tensors = dict(walk.entries(root))
    if not tensors:
        raise ModelRefused(f"the file holds no tensors, but {_description(root, walk)}")
    if sum(tensor.numel() for tensor in tensors.values()) > MAX_VALUES:
        raise ModelRefused(f"the file holds more than {MAX_VALUES:,} numbers")
    if walk.left_out:
        notes += (f"left out, since only tensors are read: {_listed(walk.left_out)}",)
    return StateDict(_without_wrappers(tensors), contents.in_order, notes)


def _chosen(root: object, part: str | None) -> tuple[object, tuple[str, ...]]:
    """The part of the file that holds the model, and what is said about the rest."""
    if not isinstance(root, Mapping) or part == ".":
        return root, ()
    if part is not None:
        if not isinstance(root.get(part), Mapping):
            raise ModelRefused(f"--state-dict {part}: the file has {_listed(map(str, root))}")
        others = [str(key) for key in root if key != part]
        return root[part], (f"left out by --state-dict {part}: {_listed(others)}",) * bool(others)
    models = [str(key) for key, value in root.items() if _holds_a_model(value)]
    if len(models) > 1:
        raise ModelRefused(
            f"the file holds several state dicts with recurrent layers: {_listed(models)}; choose "
            f"with --state-dict {models[0]}, or --state-dict . if they are parts of one model"
        )
    return root, ()


def _holds_a_model(value: object) -> bool:
    return isinstance(value, Mapping) and any(
        RECURRENT.search(name) for name, _ in _Walk().entries(value)
    )


@dataclass(slots=True)
class _Walk:
    """One pass through nested containers. A pickle can refer to itself, so it is bounded."""

    left_out: list[str] = field(default_factory=list)
    _seen: int = 0

    def entries(self, root: object) -> Iterator[tuple[str, torch.Tensor]]:
        taken = set()
        for name, tensor in self._below(root, "", 0):
            if name in taken:
                raise ModelRefused(f"two tensors of the file are both called {name}")
            if name != printable(name):
                raise ModelRefused(f"a tensor's name is too long or unprintable: {printable(name)}")
            taken.add(name)
            yield name, tensor

    def _below(
        self, value: object, name: str, depth: int
    ) -> Generator[tuple[str, torch.Tensor], None, bool]:
        """The tensors in `value`, and whether there were any. What has none is left out whole."""
        self._seen += 1
        if depth > _MAX_DEPTH or self._seen > _MAX_ENTRIES:
            raise ModelRefused(
                f"the file nests more than {_MAX_DEPTH} containers, or holds more than "
                f"{_MAX_ENTRIES:,} entries; save the model's state dict alone"
            )
        if isinstance(value, torch.Tensor):
            yield name, value
            return True
        found, before = False, len(self.left_out)
        if isinstance(value, Mapping | list | tuple) and not _is_optimizer(value):
            entries = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, inner in entries:
                below = f"{name}.{key}" if name else str(key)
                found |= yield from self._below(inner, below, depth + 1)
        if not found and name:
            self.left_out[before:] = [name]
        return found


def _is_optimizer(value: object) -> bool:
    return isinstance(value, Mapping) and "param_groups" in value


def _without_wrappers(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the prefixes that compiling, data parallelism and containers put before all names.

    A module's own name is kept, so that messages and options can speak of it.
    """
    names = [_parts(name) for name in tensors]
    while all(len(name) > 2 for name in names) and len({name[0] for name in names}) == 1:
        names = [name[1:] for name in names]
    short = [".".join(name) for name in names]
    if len(set(short)) < len(short):
        short = list(tensors)
    return dict(zip(short, tensors.values(), strict=True))


def _parts(name: str) -> list[str]:
    return [part for part in name.split(".") if part != _COMPILED]


def _description(root: object, walk: _Walk) -> str:
    if is_left_out(root):
        return "an object whose class is not read"
    if isinstance(root, Mapping) and not root:
        return "an empty dict"
    what = type(root).__name__
    if any(name.endswith(("weight", "weight_ih_l0")) for name in walk.left_out):
        return f"a {what} with NumPy arrays or other objects; save tensors: model.state_dict()"
    return f"a {what}" + (f" with {_listed(walk.left_out)}" if isinstance(root, Mapping) else "")


def _listed(names: Iterable[str]) -> str:
    names = [printable(name) for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
