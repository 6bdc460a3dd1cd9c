"""What each input and output of a model is for, found by following its values.

Never by position: an export may put the state first, a cache between two outputs, the time
anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.analysis import Analysis, analyse
from model_export.rewrite.axes import Axes, Fixed
from model_export.rewrite.cleaning import clean
from model_export.rewrite.facts import Fact, Source, Whole
from model_export.rewrite.normalise import decide
from model_export.rewrite.readings import Reading, readings_of, session_axes
from model_export.rewrite.signature import (
    answer_of,
    fed_back_in,
    input_of,
    is_only_initial,
    others_than,
    sequence_input,
    shape_of,
    without_gru,
)


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
    reading: Reading

    @property
    def takes_single_steps(self) -> bool:
        return bool(self.caches) or self.fixed.time == 1


def find_roles(model: ir.Model, hints: Hints) -> Roles:
    """Branches that are always taken the same way are put in the place of their If nodes, and what
    only other outputs need is left out.

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
        raise ModelRefused(without_gru(model))
    pairs = fed_back_in(graph, hints.states, hints.input)
    output = answer_of(graph, set(pairs.values()), hints.output)
    name = sequence_input(graph, set(pairs), hints.input)
    _keep(model, {output, *pairs.values()})
    states = frozenset(given for given in pairs if is_only_initial(graph, given))
    cached = {one: pairs[one] for one in pairs if one not in states}
    found: list[Roles] = []
    refused: list[ModelRefused] = []
    for reading in readings_of(input_of(graph, name), hints.time_axis, cached=bool(cached)):
        try:
            roles = _tried(model, name, output, reading, pairs=pairs, states=states)
        except ModelRefused as error:
            # Another input may fit one reading of the axes and not the next.
            refused.append(error)
        else:
            found += [] if roles is None else [roles]
    if refused and all(map(_answers_nothing, found)):
        raise refused[0]
    return _best(found, input_of(graph, name), hints)


def _keep(model: ir.Model, outputs: set[str]) -> None:
    """Leave out all other outputs, so that no session carries anything for them."""
    graph = model.graph
    if any(one.name not in outputs for one in graph.outputs):
        graph.outputs[:] = [one for one in graph.outputs if one.name in outputs]
        clean(model)


def _answers_nothing(roles: Roles) -> bool:
    """Whether a reading is of no use, not even for whole sequences."""
    answer = roles.analysis.facts[roles.output]
    return isinstance(answer, Whole) and answer.is_final


def _best(found: list[Roles], given: ir.Value, hints: Hints) -> Roles:
    """The reading under which most GRU nodes run through time and the answer keeps its steps."""
    name, shape = given.name, [one if one is not None else "?" for one in shape_of(given)]
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
            roles.reading.by_names,
            not _answers_nothing(roles),
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


def _tried(
    model: ir.Model,
    name: str,
    output: str,
    reading: Reading,
    *,
    pairs: Mapping[str, str],
    states: frozenset[str],
) -> Roles | None:
    """The roles under one reading, with the axes of all other inputs found; None if none fit."""
    others = others_than(model.graph, name)
    cached = {one: output for one, output in pairs.items() if one not in states}
    choices = [session_axes(input_of(model.graph, one), reading) for one in others]
    best: Roles | None = None
    for chosen in product(*choices):
        axes = dict(zip(others, chosen, strict=True))
        facts = {one: Fact(found, Source.SESSION) for one, found in axes.items()}
        source = Source.STREAM
        facts[name] = Fact(reading.axes, source)
        analysis = analyse(model, facts, reading.fixed, states, frozenset(cached))
        roles = Roles(
            input=name,
            input_axes=reading.axes,
            time_axis=reading.time_axis,
            output=output,
            caches=tuple(Cache(one, cached[one], axes[one]) for one in cached),
            states=states,
            fed_back=pairs,
            constants={one: axes[one] for one in others if one not in states and one not in cached},
            fixed=reading.fixed,
            analysis=analysis,
            reading=reading,
        )
        if not isinstance(analysis.facts[output], Whole):
            return roles
        best = best or roles
    return best
