"""What each input and output of a model is for, found by following its values.

Never by position: an export may put the state first, a cache between two outputs, the time
anywhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.analysis import Analysis, analyse
from model_export.rewrite.axes import BATCH, TIME, Axes, Axis, Fixed, merged
from model_export.rewrite.facts import Fact, Source, Whole
from model_export.rewrite.gru_node import INITIAL_H
from model_export.rewrite.normalise import decide
from model_export.rewrite.origins import MOVING, inputs_of

_DIRECTIONS = {"in", "out", "new", "next", "prev", "previous", "cur", "current", "updated"}
_SAME = {"h0": "h", "hn": "h", "hx": "h", "c0": "c", "cn": "c", "n": "0", "caches": "cache"}
_BATCH_NAMES = ("batch",)
_TIME_NAMES = ("frame", "len", "seq", "step", "time")
_STATES = {"buffer", "c", "cache", "h", "hidden", "memory", "state", "states"}

Shape = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Hints:
    """What a user says where a file leaves it open."""

    input: str | None = None
    output: str | None = None
    time_axis: int | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    """Names of inputs by the outputs that are fed back to them."""


@dataclass(frozen=True, slots=True)
class Cache:
    """An input that is fed from an output of the step before."""

    input: str
    output: str
    axes: Axes


@dataclass(frozen=True, slots=True)
class Roles:
    """The sequence `input`, the `output` that answers, and all else that comes in.

    `fed_back` names the output of the step before for every input that has one. A model with
    `caches` takes one step at a time. `states` are inputs that are initial hidden
    states of GRU nodes alone; every layer gets a segment of its own in their place.
    """

    input: str
    input_axes: Axes
    time_axis: int
    output: str
    caches: tuple[Cache, ...]
    states: frozenset[str]
    fed_back: Mapping[str, str]
    constants: Mapping[str, Axes]
    fixed: Fixed
    analysis: Analysis
    layout: "Layout"

    @property
    def takes_single_steps(self) -> bool:
        return bool(self.caches) or self.fixed.time == 1


def find_roles(model: ir.Model, hints: Hints) -> Roles:
    """Branches that are always taken the same way are put in the place of their If nodes.

    Raises ModelRefused saying what cannot be told, and the option that tells it.
    """
    roles = _found(model, hints)
    decided = dict(roles.analysis.decided(model.graph))
    if not decided:
        return roles
    decide(model, decided)
    return find_roles(model, hints)


def _found(model: ir.Model, hints: Hints) -> Roles:
    graph = model.graph
    if not any(node.op_type == "GRU" for node in graph):
        raise ModelRefused(_without_gru(model))
    pairs = _fed_back(graph, hints)
    output = _answer(graph, set(pairs.values()), hints)
    name = _sequence_input(graph, set(pairs), hints)
    states = frozenset(given for given in pairs if _is_only_initial(graph, given))
    cached = {one: pairs[one] for one in pairs if one not in states}
    found: list[Roles] = []
    refused: list[ModelRefused] = []
    for layout in _layouts(_input(graph, name), hints, cached=bool(cached)):
        try:
            roles = _tried(model, name, output, layout, pairs=pairs, states=states)
        except ModelRefused as error:
            # Another input may fit one reading of the axes and not the next.
            refused.append(error)
        else:
            found += [] if roles is None else [roles]
    if refused and not found:
        raise refused[0]
    return _best(found, _input(graph, name), hints)


def _best(found: list[Roles], given: ir.Value, hints: Hints) -> Roles:
    """The reading under which most GRU nodes run through time and the answer keeps its steps."""
    name, shape = given.name, [one if one is not None else "?" for one in _shape(given)]
    if not found:
        raise ModelRefused(
            f"no axis of the input {name!r} {shape} can be the batch: the file must leave it open, "
            "or fix it at 1; see docs/bring-your-own.md"
        )

    def quality(roles: Roles) -> tuple[bool, int, int, int, bool]:
        analysis, answer = roles.analysis, roles.analysis.facts[roles.output]
        return (
            not isinstance(answer, Whole) and bool(analysis.layers),
            analysis.recurrences,
            len(analysis.layers),
            roles.layout.by_names,
            not (isinstance(answer, Whole) and answer.is_final),
        )

    best = max(map(quality, found))
    good = [roles for roles in found if quality(roles) == best]
    axes = {roles.time_axis for roles in good}
    if len(axes) > 1 and hints.time_axis is None:
        listed = ", ".join(map(str, sorted(axes)))
        known = good[0].analysis.facts[good[0].output]
        because = f" ({known.reason})" if isinstance(known, Whole) else ""
        raise ModelRefused(
            f"the time of the input {name!r} {shape} may be any of its axes {listed}{because}; say "
            "which by --time-axis"
        )
    return good[0]


# -------------------------------------------------------------------- inputs and outputs


def _fed_back(graph: ir.Graph, hints: Hints) -> dict[str, str]:
    """Inputs by name, and the outputs that are fed to them, as far as that can be told."""
    pairs = {given: output for output, given in hints.states.items()}
    inputs = [one for one in graph.inputs if one.name not in {hints.input, *pairs}]
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
    exact = [output for output in alike if _shape(output) == _shape(given)]
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
        for left, right in zip(_shape(given), _shape(output), strict=True)
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


def _answer(graph: ir.Graph, fed_back: set[str], hints: Hints) -> str:
    """The output that answers a step."""
    names = [str(output.name) for output in graph.outputs]
    if hints.output is not None:
        if hints.output not in names:
            raise ModelRefused(f"there is no output {hints.output!r}; there are {_list(names)}")
        return hints.output
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
    """Whether an output is nothing but states of GRU nodes, put into another layout."""
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


def _sequence_input(graph: ir.Graph, fed: set[str], hints: Hints) -> str:
    """The input that comes step by step: it reaches what GRU nodes run over."""
    names = [str(one.name) for one in graph.inputs]
    if hints.input is not None:
        if hints.input not in names:
            raise ModelRefused(f"there is no input {hints.input!r}; there are {_list(names)}")
        return hints.input
    reached: set[str] = set()
    for node in graph:
        if node.op_type == "GRU" and node.inputs[0] is not None:
            reached |= inputs_of(node.inputs[0])
    candidates = [
        name
        for name in names
        if name in reached and name not in fed and not _is_only_initial(graph, name)
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


def _is_only_initial(graph: ir.Graph, name: str) -> bool:
    """Whether an input is used for the initial hidden states of GRU nodes and nothing else."""
    waiting = [_input(graph, name)]
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


def _others(graph: ir.Graph, name: str) -> list[str]:
    return [str(one.name) for one in graph.inputs if one.name != name]


# -------------------------------------------------------------------- axes


@dataclass(frozen=True, slots=True)
class Layout:
    """Axes of the sequence input, and what the file fixes of them."""

    axes: Axes
    time_axis: int
    fixed: Fixed
    by_names: int
    """How many of the batch and the time bear a name in the file that says so."""


def _layouts(value: ir.Value, hints: Hints, *, cached: bool) -> Iterator[Layout]:
    """Every way to read the input's axes, the likeliest first."""
    shape = _shape(value)
    rank = len(shape)
    if rank < 2:
        raise ModelRefused(
            f"the input {value.name!r} has {rank} axes; a batch and a time are needed"
        )
    for batch in range(rank):
        if isinstance(shape[batch], int) and shape[batch] != 1:
            continue
        for time in range(rank):
            if time != batch and hints.time_axis in (None, time):
                layout = _layout(shape, batch, time, cached=cached)
                if layout is not None:
                    yield layout


def _layout(shape: Shape, batch: int, time: int, *, cached: bool) -> Layout | None:
    """None where another axis than these two is left open."""
    length = shape[time]
    single = cached or length == 1
    if single and isinstance(length, int) and length != 1:
        return None
    axes: list[Axis] = []
    for at, size in enumerate(shape):
        if at == batch:
            axes.append((BATCH,))
        elif at == time:
            axes.append(() if single else (TIME,))
        elif isinstance(size, int):
            axes.append(merged((size,)))
        else:
            return None
    fixed = Fixed(
        batch=1 if shape[batch] == 1 else None,
        time=1 if single else length if isinstance(length, int) else None,
    )
    return Layout(tuple(axes), time, fixed, _by_names(shape[batch], shape[time]))


def _by_names(batch: int | str | None, time: int | str | None) -> int:
    named = [
        isinstance(name, str) and any(word in name.lower() for word in words)
        for name, words in ((batch, _BATCH_NAMES), (time, _TIME_NAMES))
    ]
    return sum(named)


def _tried(
    model: ir.Model,
    name: str,
    output: str,
    layout: Layout,
    *,
    pairs: Mapping[str, str],
    states: frozenset[str],
) -> Roles | None:
    """The roles under one layout, with the axes of all other inputs found; None if none fit."""
    others = _others(model.graph, name)
    cached = {one: output for one, output in pairs.items() if one not in states}
    choices = [_session_axes(_input(model.graph, one), layout) for one in others]
    best: Roles | None = None
    for chosen in product(*choices):
        axes = dict(zip(others, chosen, strict=True))
        facts = {one: Fact(found, Source.SESSION) for one, found in axes.items()}
        source = Source.STREAM
        facts[name] = Fact(layout.axes, source)
        analysis = analyse(model, facts, layout.fixed, states, frozenset(cached))
        roles = Roles(
            input=name,
            input_axes=layout.axes,
            time_axis=layout.time_axis,
            output=output,
            caches=tuple(Cache(one, cached[one], axes[one]) for one in cached),
            states=states,
            fed_back=pairs,
            constants={one: axes[one] for one in others if one not in states and one not in cached},
            fixed=layout.fixed,
            analysis=analysis,
            layout=layout,
        )
        if not isinstance(analysis.facts[output], Whole):
            return roles
        best = best or roles
    return best


def _session_axes(value: ir.Value, layout: Layout) -> list[Axes]:
    """Ways to read an input that is the same at every step, the likeliest first."""
    shape = _shape(value)
    open_axes = [at for at, size in enumerate(shape) if not isinstance(size, int)]
    if len(open_axes) > 1:
        raise ModelRefused(
            f"the input {value.name!r} leaves {len(open_axes)} of its axes open; only the batch "
            "may be: export it with fixed sizes"
        )
    if open_axes:
        places = open_axes
    else:
        ones = [at for at, size in enumerate(shape) if size == 1]
        lanes = [at for at, size in enumerate(shape) if size != 1]
        places = [*ones, *lanes] if layout.fixed.batch == 1 else []
    if not places:
        raise ModelRefused(
            f"the input {value.name!r} has no batch axis; every session needs a row of its own"
        )
    return [
        tuple(
            merged((BATCH, size) if isinstance(size, int) else (BATCH,))
            if at == place
            else merged((int(str(size)),))
            for at, size in enumerate(shape)
        )
        for place in places
    ]


def _without_gru(model: ir.Model) -> str:
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


def _input(graph: ir.Graph, name: str) -> ir.Value:
    return next(one for one in graph.inputs if one.name == name)


def _rank(graph: ir.Graph, name: str) -> int:
    return len(_shape(_input(graph, name)))


def _shape(value: ir.Value) -> Shape:
    if value.shape is None:
        raise ModelRefused(f"{value.name!r} has no shape in the file")
    return tuple(
        size if isinstance(size, int) else (size.value if size.value else None)
        for size in value.shape
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
