"""Which inputs and outputs of a model are states, which is the sequence, and which the answer.

Never by position: an export may put the state first, or a cache between two outputs.
"""

import re
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.gru_node import INITIAL_H
from model_export.rewrite.origins import MOVING, inputs_of

_DIRECTIONS = {"in", "out", "new", "next", "prev", "previous", "cur", "current", "updated"}
_SAME = {"h0": "h", "hn": "h", "hx": "h", "c0": "c", "cn": "c", "n": "0", "caches": "cache"}
_STATES = {"buffer", "c", "cache", "h", "hidden", "memory", "state", "states"}

Shape = tuple[int | str | None, ...]


def fed_back_in(graph: ir.Graph, states: Mapping[str, str], sequence: str | None) -> dict[str, str]:
    """Inputs by name, and the outputs that are fed to them, as far as that can be told."""
    pairs = {given: output for output, given in states.items()}
    inputs = [one for one in graph.inputs if one.name not in {sequence, *pairs}]
    outputs = [one for one in graph.outputs if one.name not in pairs.values()]
    found = {given: _fed_from(given, outputs) for given in inputs}
    for output in outputs:
        # An input that is joined to a cache is passed on with it: the cache bears the name.
        takers = [given for given in inputs if found[given] is output]
        named = [given for given in takers if _is_state_name(given, output)]
        chosen = named if len(named) == 1 else takers
        if len(chosen) > 1:
            names = _list([str(given.name) for given in chosen])
            raise ModelRefused(
                f"the output {output.name!r} may be fed to any of the inputs {names}; say which "
                "by --state OUTPUT=INPUT"
            )
        pairs.update({str(given.name): str(output.name) for given in chosen})
    return pairs


def _fed_from(given: ir.Value, outputs: Sequence[ir.Value]) -> ir.Value | None:
    """The one output that an input is fed from; None where there is none."""
    alike = [
        output
        for output in outputs
        if _is_alike(given, output)
        and (
            str(given.name) in _passed_on(output)
            or (_is_state_name(given, output) and str(given.name) in inputs_of(output))
        )
    ]
    # nn.GRU gives all its states [batch, time, H] besides the last [1, batch, H].
    named = [output for output in alike if _is_state_name(given, output)]
    exact = [output for output in alike if shape_of(output) == shape_of(given)]
    found = next((some for some in (alike, named, exact) if len(some) == 1), None)
    if alike and found is None:
        names = _list([str(output.name) for output in alike])
        raise ModelRefused(
            f"the input {given.name!r} may be fed from any of the outputs {names}; say which "
            "by --state OUTPUT=INPUT"
        )
    return found[0] if found else None


def _is_alike(given: ir.Value, output: ir.Value) -> bool:
    if given.dtype != output.dtype or given.shape is None or output.shape is None:
        return False
    if len(given.shape) != len(output.shape):
        return False
    return all(
        left == right
        for left, right in zip(shape_of(given), shape_of(output), strict=True)
        if isinstance(left, int) and isinstance(right, int)
    )


def _is_state_name(given: ir.Value, output: ir.Value) -> bool:
    """Whether both are called the same state: `conv_cache` and `conv_cache_out`, `h0` and `hn`."""
    stems = [
        [
            _SAME.get(word, word)
            for word in re.split("[^a-z0-9]+", str(one.name).lower())
            if word not in _DIRECTIONS
        ]
        for one in (given, output)
    ]
    return stems[0] == stems[1] and any(word in _STATES for word in stems[0])


def _passed_on(output: ir.Value) -> frozenset[str]:
    """The inputs that reach an output as the memory of a layer, or by being moved only."""
    found: set[str] = set()
    seen: set[ir.Value] = set()
    waiting: list[ir.Value] = [output]
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        if value.is_graph_input():
            found.add(str(value.name))
        node = value.producer()
        if node is None:
            continue
        if node.op_type in ("GRU", "LSTM", "RNN"):
            waiting += [one for one in node.inputs[INITIAL_H:] if one is not None]
        elif node.op_type in MOVING:
            waiting += [one for one in node.inputs if one is not None]
    return frozenset(found)


def answer_of(graph: ir.Graph, fed_back: set[str], wanted: str | None) -> str:
    """The output that answers a step."""
    names = [str(output.name) for output in graph.outputs]
    if wanted is not None:
        if wanted not in names:
            raise ModelRefused(f"there is no output {wanted!r}; there are {_list(names)}")
        return wanted
    others = [name for name in names if name not in fed_back]
    computed = [
        str(output.name)
        for output in graph.outputs
        if str(output.name) in others and not _is_hidden_state(output)
    ]
    candidates = computed or [
        str(one.name) for one in graph.outputs if str(one.name) in others and _is_of_all_steps(one)
    ]
    candidates = candidates or others
    if not candidates:
        raise ModelRefused(
            f"every output is a state that is fed back ({_list(names)}); name the one that answers "
            "by --output"
        )
    if len(candidates) > 1:
        raise ModelRefused(
            f"the model has several outputs, {_list(candidates)}; name the one that answers by "
            "--output"
        )
    return candidates[0]


def _is_hidden_state(output: ir.Value) -> bool:
    """Whether an output is nothing but states of GRU nodes, put into another reading."""
    waiting, found = [output], False
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if node is None:
            if value.is_initializer():
                continue
            return False
        if node.op_type == "GRU":
            found = True
        elif node.op_type in MOVING:
            waiting += [one for one in node.inputs if one is not None and not one.is_initializer()]
        else:
            return False
    return found


def _is_of_all_steps(output: ir.Value) -> bool:
    """Whether an output of states has those after every step, rather than the last ones."""
    value: ir.Value | None = output
    while value is not None and (node := value.producer()) is not None:
        if node.op_type == "GRU":
            return value is node.outputs[0]
        value = node.inputs[0]
    return False


def sequence_input(graph: ir.Graph, fed: set[str], wanted: str | None) -> str:
    """The input that comes step by step: it reaches what GRU nodes run over."""
    names = [str(one.name) for one in graph.inputs]
    if wanted is not None:
        if wanted not in names:
            raise ModelRefused(f"there is no input {wanted!r}; there are {_list(names)}")
        return wanted
    reached: set[str] = set()
    for node in graph:
        if node.op_type == "GRU" and node.inputs[0] is not None:
            reached |= inputs_of(node.inputs[0])
    candidates = [
        name
        for name in names
        if name in reached and name not in fed and not is_only_initial(graph, name)
    ]
    only = [one for one in candidates if _rank(graph, one) >= 2]
    if len(only) > 1:
        # A constant that is joined to every step has no time axis: one axis less.
        most = max(_rank(graph, one) for one in only)
        only = [one for one in only if _rank(graph, one) == most]
    if len(only) == 1:
        return only[0]
    if not only:
        raise ModelRefused("no input reaches a GRU node; is the model complete?")
    raise ModelRefused(
        f"several inputs may be the sequence, {_list(only)}; a session has one: name it by "
        "--input, or join them outside the model"
    )


def is_only_initial(graph: ir.Graph, name: str) -> bool:
    """Whether an input is used for the initial hidden states of GRU nodes and nothing else."""
    waiting = [input_of(graph, name)]
    found = False
    while waiting:
        for node, index in waiting.pop().uses():
            if node.op_type == "GRU" and index == INITIAL_H:
                found = True
            elif node.op_type in MOVING - {"Concat", "Expand", "Cast"}:
                waiting += node.outputs
            elif node.op_type not in ("Shape", "Size"):
                return False
    return found


def others_than(graph: ir.Graph, name: str) -> list[str]:
    return [str(one.name) for one in graph.inputs if one.name != name]


def without_gru(model: ir.Model) -> str:
    """What a file without a GRU node holds."""
    kinds = {node.op_type for node in model.graph.all_nodes()}
    if "GRU" in kinds and "If" in kinds and not {"Loop", "Scan"} & kinds:
        return (
            "the model has no GRU node at the top level; its GRU is inside a branch of an If node"
        )
    for kind in ("LSTM", "RNN", "Scan", "Loop"):
        if kind in kinds:
            inside = " (its GRU is inside a subgraph)" if "GRU" in kinds else ""
            return (
                f"the model has no GRU node at the top level; its recurrence is {kind}{inside}: "
                "export nn.GRU or Keras' GRU layer so that it stays one operator"
            )
    if {"Sigmoid", "Tanh"} <= kinds and "Mul" in kinds:
        return (
            "the model has no GRU node; it has sigmoids and tanhs, perhaps an unrolled cell: "
            "export nn.GRU instead of nn.GRUCell, so that it stays one operator"
        )
    return f"the model has no GRU node and no recurrence; it holds {_list(sorted(kinds))}"


def input_of(graph: ir.Graph, name: str) -> ir.Value:
    return next(one for one in graph.inputs if one.name == name)


def _rank(graph: ir.Graph, name: str) -> int:
    return len(shape_of(input_of(graph, name)))


def shape_of(value: ir.Value) -> Shape:
    if value.shape is None:
        raise ModelRefused(f"{value.name!r} has no shape in the file")
    return tuple(
        size if isinstance(size, int) else (size.value if size.value else None)
        for size in value.shape
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
