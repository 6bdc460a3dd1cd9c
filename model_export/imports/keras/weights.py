"""The weights of each layer in a Keras file, in both of the layouts that Keras writes."""

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused

Array = NDArray[np.float64]
H5Item = Any
"""A group or a dataset; h5py has no types."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer among its siblings, as far as its weights need it to be found."""

    class_name: str
    name: str


class Weights(Protocol):
    """The weights of one layer, and of the layers within it."""

    def take(self, *names: str) -> dict[str, Array]:
        """The layer's own variables in float64, by Keras's names in Keras's order.

        Raises ModelRefused where the file holds others, fewer or more, or values that are not
        finite.
        """

    def inside(self, attribute: str) -> "Weights":
        """Those of a layer that this one wraps: `cell`, `layer`, `forward_layer`, …"""

    def layers(self, entries: Sequence[Entry]) -> "list[Weights]":
        """Those of each layer of this model, in the order of `entries`."""


class Datasets:
    """Reads numbers out of an HDF5 file, no more than `budget` bytes of them altogether."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._left = budget

    def read(self, dataset: object, where: str) -> Array:
        """Raises ModelRefused for what is no stored array of finite numbers."""
        try:
            values = self._values(dataset, where)
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise ModelRefused(f"{where} cannot be read: {error}") from error
        if not np.isfinite(values).all():
            raise ModelRefused(f"{where} holds NaN or infinity")
        return values

    def _values(self, dataset: object, where: str) -> Array:
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
            raise ModelRefused(f"{where} is no array of numbers")
        if dataset.external or dataset.is_virtual:
            raise ModelRefused(f"{where} lies in another file; that is not followed")
        self._count(dataset.size * 8, where)
        if dataset.size and not dataset.id.get_storage_size():
            raise ModelRefused(f"{where} has a shape and no values")
        return np.asarray(dataset[()], np.float64)

    def _count(self, size: int, where: str) -> None:
        self._left -= size
        if self._left < 0:
            reason = f"{where}: the weights take more than {self._budget:,} bytes in float64"
            raise ModelRefused(reason)


def strings(attributes: Mapping[str, Any], name: str) -> list[str]:
    """An attribute that holds text, or a list of it, which Keras cuts into pieces when long."""
    if name in attributes:
        pieces = [attributes[name]]
    else:
        count = next(number for number in itertools.count() if f"{name}{number}" not in attributes)
        pieces = [attributes[f"{name}{number}"] for number in range(count)]
    found = [text for piece in pieces for text in np.atleast_1d(piece).tolist()]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in found]


def weights_by_number(root: h5py.File, datasets: Datasets) -> Weights:
    """The layout inside `.keras`: groups numbered by class, variables by order."""
    return _Numbered(root, "the model", datasets)


def weights_by_name(root: h5py.File, datasets: Datasets) -> Weights:
    """The layout of `.h5`: a group for each layer of the model, variables by name."""
    return _NamedModel(_child(root, "model_weights"), datasets)


def _child(group: h5py.Group, path: str) -> H5Item:
    """What lies at a path, reached without leaving the file by a link."""
    for name in path.split("/"):
        if not isinstance(group, h5py.Group) or not name.strip(".") or name not in group:
            raise ModelRefused(f"the file lacks the weights {path!r}")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ModelRefused(f"the weights {path!r} are a link; links are not followed")
        group = group[name]
    return group


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A layer's group: `vars/0`, `vars/1`, …, and a group for each layer within."""

    group: h5py.Group | None
    what: str
    datasets: Datasets

    def take(self, *names: str) -> dict[str, Array]:
        variables = self._group("vars") if names else {}
        if len(variables) != len(names):
            raise ModelRefused(
                f"the file holds {len(variables)} weights for {self.what}, not "
                f"{len(names)} ({', '.join(names)})"
            )
        return {
            name: self.datasets.read(_child(variables, str(number)), f"weight {name!r}")
            for number, name in enumerate(names)
        }

    def inside(self, attribute: str) -> Weights:
        return _Numbered(self._group(attribute), attribute, self.datasets)

    def layers(self, entries: Sequence[Entry]) -> list[Weights]:
        """Keras names the groups by class, with a count: `gru`, `gru_1`.

        Keras 2.13 and 2.14 count a layer twice if it has any weights, and write it once.
        """
        counts_twice = self.group is not None and _OLD_LAYERS in self.group
        siblings = self._group(_OLD_LAYERS if counts_twice else "layers")
        used: Counter[str] = Counter()
        found: list[Weights] = []
        for entry in entries:
            name = _snake_case(entry.class_name)
            key = f"{name}_{used[name]}" if used[name] else name
            group = _child(siblings, key) if key in siblings else None
            used[name] += 2 if counts_twice and group is not None and _has_variables(group) else 1
            _expect_name(key, group, entry)
            found.append(_Numbered(group, f"layer {entry.name!r}", self.datasets))
        return found

    def _group(self, name: str) -> h5py.Group:
        if self.group is None:
            raise ModelRefused(f"the file lacks the weights of {self.what}")
        return _child(self.group, name)


_OLD_LAYERS = "_layer_checkpoint_dependencies"


def _has_variables(group: h5py.Group) -> bool:
    found: object = group.visititems(lambda _, item: isinstance(item, h5py.Dataset) or None)
    return found is not None


def _expect_name(key: str, group: h5py.Group | None, entry: Entry) -> None:
    """Files of later versions say which layer a group is of."""
    said = group["vars"].attrs.get("name") if group is not None and "vars" in group else None
    if said is not None and said != entry.name:
        raise ModelRefused(
            f"the weights 'layers/{key}' belong to layer {said!r}, not to {entry.name!r}: "
            "architecture and weights of this file do not fit together"
        )


def _snake_case(class_name: str) -> str:
    """As `keras.src.utils.naming.to_snake_case` has it."""
    words = re.sub(r"\W+", "", class_name)
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", words)
    return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()


@dataclass(frozen=True, slots=True)
class _NamedModel:
    """The group `model_weights`: one group for each layer of the outermost model."""

    group: h5py.Group
    datasets: Datasets

    def take(self, *names: str) -> dict[str, Array]:
        return _Named((), self.datasets).take(*names)

    def inside(self, attribute: str) -> Weights:
        return _Named((), self.datasets).inside(attribute)

    def layers(self, entries: Sequence[Entry]) -> list[Weights]:
        return [self._layer(entry) for entry in entries]

    def _layer(self, entry: Entry) -> Weights:
        if entry.name.split("/")[0] not in self.group:
            return _Named((), self.datasets)
        group = _child(self.group, entry.name)
        names = strings(group.attrs, "weight_names")
        variables = [_Variable(tuple(name.split("/")), _child(group, name)) for name in names]
        return _Named(tuple(variables), self.datasets)


@dataclass(frozen=True, slots=True)
class _Variable:
    path: tuple[str, ...]
    dataset: Any = field(repr=False)

    @property
    def name(self) -> str:
        """`kernel` of `gru/gru_cell/kernel:0`."""
        return self.path[-1].split(":")[0]


@dataclass(frozen=True, slots=True)
class _Named:
    """Variables by their path, in the order in which Keras would load them."""

    variables: tuple[_Variable, ...]
    datasets: Datasets

    def take(self, *names: str) -> dict[str, Array]:
        if not names:
            return {}
        found = {variable.name: variable.dataset for variable in self.variables}
        if len(self.variables) != len(names) or found.keys() != set(names):
            held = ", ".join(variable.name for variable in self.variables) or "none"
            raise ModelRefused(
                f"the file should hold the weights {', '.join(names)}; it has {held}"
            )
        return {name: self.datasets.read(found[name], f"weight {name!r}") for name in names}

    def inside(self, attribute: str) -> Weights:
        half = len(self.variables) // 2
        part = {"forward_layer": slice(half), "backward_layer": slice(half, None)}
        return _Named(self.variables[part.get(attribute, slice(None))], self.datasets)

    def layers(self, entries: Sequence[Entry]) -> list[Weights]:
        return [
            _Named(tuple(v for v in self.variables if entry.name in v.path[:-1]), self.datasets)
            for entry in entries
        ]
