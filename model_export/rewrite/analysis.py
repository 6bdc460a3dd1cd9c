"""What is known of every value of a graph, rule by rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from model_export.rewrite.axes import Axes, Fixed, axes_of, width_of
from model_export.rewrite.carried import Carried
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone, Whole
from model_export.rewrite.rules.padding import settled
from model_export.rewrite.rules.recurrent import RECURRENT, runs_through_time
from model_export.rewrite.rules.rule import Context, Edit, GruLayer, in_turn
from model_export.rewrite.rules.table import outcome_of


@dataclass(frozen=True, slots=True)
class Analysis:
    """The facts of all values and the edits of nodes, by their names."""

    facts: Mapping[str, Fact | Whole]
    edits: Mapping[str, Edit]
    layers: tuple[GruLayer, ...]
    carried: tuple[Carried, ...]
    counts_steps: bool
    recurrences: int
    """Nodes that run through time, whether a session can follow them or not."""

    def decided(self, graph: ir.Graph) -> Iterator[tuple[str, bool]]:
        """The If nodes whose condition is known, and what it is."""
        for node in graph:
            if node.op_type == "If" and node.inputs[0] is not None:
                condition = self.of(node.inputs[0])
                if isinstance(condition, Fact) and condition.value is not None:
                    yield str(node.name), bool(np.all(condition.value))

    def of(self, value: ir.Value) -> Fact | Whole:
        return self.facts[str(value.name)]


def analyse(
    model: ir.Model,
    inputs: Mapping[str, Fact],
    fixed: Fixed,
    state_inputs: frozenset[str] = frozenset(),
    cached: frozenset[str] = frozenset(),
) -> Analysis:
    """Follow every node. A node without a way to run in sessions makes its outputs `Whole`."""
    graph = model.graph
    evaluator = _Evaluator(model, inputs)
    context = Context(fixed, evaluator.evaluate, state_inputs, cached)
    facts: dict[str, Fact | Whole] = dict(inputs)
    edits: dict[str, Edit] = {}
    for name, value in graph.initializers.items():
        tensor = ir.convenience.get_const_tensor(value)
        assert tensor is not None
        numbers = tensor.numpy()
        facts[name] = Fact(axes_of(numbers.shape), value=numbers)
    recurrences = 0
    for node in graph:
        known = [None if value is None else facts[str(value.name)] for value in node.inputs]
        if node.op_type in RECURRENT and isinstance(known[0], Fact):
            recurrences += runs_through_time(node, known[0], context)
        around = [facts[name] for name in _taken_from_around(node) if name in facts]
        spoilt = next((one for one in (*known, *around) if isinstance(one, Whole)), None)
        if spoilt is not None:
            made: tuple[Fact | Whole, ...] = (spoilt,) * len(node.outputs)
        elif any(isinstance(one, Fact) and one.source for one in around):
            reason = (
                f"{node.op_type} node {node.name!r} has a graph of its own that takes the input"
            )
            made = (Whole(reason),) * len(node.outputs)
        else:
            made = _followed(node, known, context, edits)
        facts.update({str(out.name): fact for out, fact in zip(node.outputs, made, strict=True)})
    return Analysis(
        facts,
        edits,
        tuple(context.layers),
        tuple(context.carried),
        context.counts_steps,
        recurrences,
    )


def _taken_from_around(node: ir.Node) -> Iterator[str]:
    """Names of all values that the graphs inside a node use."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            inner = attribute.as_graph()
            yield from (str(value.name) for value in inner.outputs)
            for one in inner.all_nodes():
                yield from (str(value.name) for value in one.inputs if value is not None)


def _followed(
    node: ir.Node, known: list[Fact | Whole | None], context: Context, edits: dict[str, Edit]
) -> tuple[Fact | Whole, ...]:
    facts = [one for one in known if not isinstance(one, Whole)]
    layers, carried = len(context.layers), len(context.carried)
    try:
        facts, delay = settled(node, facts, context)
        outcome = outcome_of(node, facts, context)
    except NeedsWhole as error:
        whole = Whole(f"{node.op_type} node {node.name!r} {error}", isinstance(error, NotAlone))
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        # A rule takes a node for what it should be; a foreign file may hold anything. What a rule
        # does not understand is served as a whole, as the file has it.
        whole = Whole(f"{node.op_type} node {node.name!r} cannot be followed: {error}")
    else:
        edit = in_turn(delay, outcome.edit)
        if edit is not None:
            edits[str(node.name)] = edit
        return outcome.facts
    # What a rule had a session carry before it gave up is carried for nothing.
    del context.layers[layers:], context.carried[carried:]
    return (whole,) * len(node.outputs)


class _Evaluator:
    """Computes values that depend on nothing but the file and the lengths of its inputs."""

    def __init__(self, model: ir.Model, inputs: Mapping[str, Fact]) -> None:
        self._model = model
        self._inputs = inputs

    def evaluate(self, value: ir.Value, batch: int, time: int) -> NDArray[np.generic]:
        """The numbers of a STATIC value. Lengths that the file fixes stay as they are."""
        tensor = ir.convenience.get_const_tensor(value)
        if tensor is not None:
            return np.asarray(tensor.numpy())
        part = self._model.clone()
        wanted = next(out for node in part.graph for out in node.outputs if out.name == value.name)
        part.graph.outputs[:] = [wanted]
        passes.RemoveUnusedNodesPass()(part)
        feeds = {
            str(given.name): _zeros(given, self._inputs[str(given.name)].axes, batch, time)
            for given in part.graph.inputs
        }
        try:
            (found,) = ReferenceEvaluator(ir.to_proto(part)).run(None, feeds)
        except Exception as error:  # the package's operators raise anything
            raise NeedsWhole(f"has {value.name!r}, which cannot be computed: {error}") from None
        return np.asarray(found)


def _zeros(value: ir.Value, axes: Axes, batch: int, time: int) -> NDArray[np.generic]:
    lengths = {"batch": batch, "time": time}
    shape = [
        width_of(axis) * int(np.prod([lengths[str(one)] for one in axis if isinstance(one, str)]))
        for axis in axes
    ]
    assert value.dtype is not None
    return np.zeros(shape, value.dtype.numpy())
