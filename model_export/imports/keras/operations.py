"""Arithmetic and indexing between layers, such as `2 * x` and `x[:, -1]`."""

from collections.abc import Mapping, Sequence

from model_export.errors import ModelRefused
from model_export.imports.keras.layers import Merge, MergeKind, Select
from model_export.imports.keras.network import Value
from model_export.imports.keras.settings import Json, brief, is_number, is_whole

MERGES: dict[str, MergeKind] = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Divide": "divide",
    "TrueDivide": "divide",
}
"""Layers, and operations of Keras 3 of the same names."""

OLD_OPERATION = "TFOpLambda"
_OLD_OPERATIONS: dict[str, MergeKind] = {
    "math.add": "add",
    "__operators__.add": "add",
    "math.subtract": "subtract",
    "math.multiply": "multiply",
    "math.truediv": "divide",
    "math.divide": "divide",
}
"""Functions of TensorFlow, as Keras 2 names them."""

SELECTIONS = {"GetItem", "SlicingOpLambda"}

OPERATIONS = {OLD_OPERATION, "Negative", *SELECTIONS}
"""What is no layer, besides the merges."""


def merge(class_name: str, function: Json, operands: Sequence[Json]) -> Merge:
    """The record of a layer or operation; what is no Value among its operands is a constant.

    Raises ModelRefused for a function or a constant that is not known.
    """
    values = tuple(None if isinstance(item, Value) else _constant(item) for item in operands)
    if class_name == "Negative" or (class_name, function) == (OLD_OPERATION, "math.negative"):
        return Merge("subtract", (0.0, *values))
    if class_name == OLD_OPERATION:
        if function not in _OLD_OPERATIONS:
            known = ", ".join(sorted({*_OLD_OPERATIONS, "math.negative"}))
            reason = f"its function {brief(function)} is not known here; known are {known}"
            raise ModelRefused(reason)
        kind = _OLD_OPERATIONS[function]
    else:
        kind = MERGES[class_name]
    if kind in ("subtract", "divide") and len(values) != 2:
        raise ModelRefused(f"it combines {len(values)} tensors, not two")
    return Merge(kind, values)


def select(items: Json, axes: int) -> Select:
    """x[items] of a tensor with so many axes, the first of which is the batch.

    Raises ModelRefused for an index that is no number or slice.
    """
    read = [_item(item) for item in (items if isinstance(items, list) else [items])]
    if read.count(Ellipsis) == 1:
        at = read.index(Ellipsis)
        read[at : at + 1] = [slice(None)] * (axes - len(read) + 1)
    if Ellipsis in read or read[:1] != [slice(None)]:
        raise ModelRefused("it selects within the batch, whose rows are independent")
    return Select(tuple(read))


def _item(item: Json) -> Json:
    if is_whole(item):
        return item
    if isinstance(item, Mapping):
        if item.get("class_name") == "__ellipsis__":
            return Ellipsis
        bounds = item.get("config") if item.get("class_name") == "__slice__" else item
        if isinstance(bounds, Mapping) and bounds.keys() == {"start", "stop", "step"}:
            return _slice(bounds)
    raise ModelRefused(f"its index holds {brief(item)}; numbers and slices can be imported")


def _slice(bounds: Mapping[str, Json]) -> slice:
    start, stop, step = (bounds[key] for key in ("start", "stop", "step"))
    if not all(bound is None or is_whole(bound) for bound in (start, stop, step)) or step == 0:
        raise ModelRefused(f"its index holds {brief(bounds)}; numbers and slices can be imported")
    # Spelt one way, so that all of an axis is always slice(None).
    everything = (start or 0) == 0 and stop is None and (step or 1) == 1
    return slice(None) if everything else slice(start, stop, step)


def _constant(value: Json) -> float:
    if not is_number(value):
        raise ModelRefused(f"it combines tensors with {brief(value)}; numbers can be imported")
    return float(value)
