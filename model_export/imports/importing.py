"""From a model that was trained elsewhere to a draft."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.draft import Draft, cells_of, described, graph_files
from model_export.errors import ExportError
from model_export.golden import golden_vectors, initial_states
from model_export.imports.provenance import provenance_of
from model_export.imports.vocabulary import read_vocabulary
from model_export.original import Original
from model_export.report.imported import import_sections
from model_export.rewrite.axes import width_of
from model_export.rewrite.facts import Source
from model_export.rewrite.graphs import Graphs, write_graphs, write_window
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import Hints, Roles, find_roles
from model_export.verify.asked import Asked
from model_export.verify.check import Check
from model_export.verify.prefixes import Run, against_original, against_windows
from service.bundle.manifest import Manifest, Probabilities, Tokens, Values
from service.engine.engine import Engine
from service.engine.golden import deviation

LARGEST_WHOLE = 2**24
GOLDEN_BATCH = 2
GOLDEN_TIME = 64
COMPARED_BATCH = 3
COMPARED_TIME = 24
"""Of the sequences on which a session is held against the original; longer where it looks back
further."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a user says about a model that its file does not.

    `names` and `units` are those of the input columns. `sample` [T, F] or [T] are inputs of the
    size that the model knows; without them it is compared on random ones. `delay` allows answers
    that come so many steps late. `session` says whether sessions run on and on, or on their last
    `window` inputs; by default what the file proves equal to itself.
    """

    name: str
    task: str = "imported"
    hints: Hints = field(default_factory=Hints)
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    output_units: tuple[str, ...] = ()
    vocabulary: Path | None = None
    sample: NDArray[Any] | None = None
    delay: int = 0
    session: Literal["carry", "window"] | None = None
    window: int | None = None
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A draft, and what a user wants to know of how it was made."""

    draft: Draft
    graphs: Graphs
    notes: tuple[str, ...]


def import_original(original: Original, options: ImportOptions) -> Imported:
    """Normalise, find roles, rewrite, and compare with the original on every prefix.

    Raises ExportError naming what stands in the way.
    """
    model = normalise(_copied(original.model))
    graphs, why = _graphs(model, find_roles(model, options.hints), options)
    _check_delay(graphs, options.delay)
    notes = (*original.notes, *_notes(graphs), *why)
    signatures = _Signatures(model, graphs, _completed(options, original.model))
    rows = signatures.rows(GOLDEN_BATCH, GOLDEN_TIME)
    constants = signatures.constants(GOLDEN_BATCH)
    state = initial_states(graphs, GOLDEN_BATCH, constants)
    golden = golden_vectors(graphs, rows, state)
    if graphs.step is not None:
        _check_integers(graphs, golden["states"])
    manifest = Manifest(
        name=options.name,
        version=1,
        task=options.task,
        input=signatures.input,
        output=signatures.output,
        provenance=provenance_of(original, options.created_at),
        files={},
        **described(graphs),
    )
    draft = Draft(
        manifest=manifest,
        graphs=graph_files(graphs),
        golden=golden,
        cells=cells_of(graphs),
        compare=_comparison(original, graphs, signatures),
        sections=import_sections(original, notes, rows[0]),
    )
    return Imported(draft, graphs, notes)


def _copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _graphs(
    model: ir.Model, roles: Roles, options: ImportOptions
) -> tuple[Graphs, tuple[str, ...]]:
    """The graphs, and why sessions run on or see a window: as what the file proves, or is told."""
    window = options.window or roles.fixed.time
    is_last = getattr(roles.analysis.facts[roles.output], "source", None) is Source.LAST
    fixed = roles.fixed.time is not None and not roles.takes_single_steps
    mode = options.session or ("window" if fixed and is_last else "carry")
    if mode == "window":
        if window is None:
            raise ExportError("the file does not say how long a window is; say it by --window N")
        why = "as was asked" if options.session else "since the file fixes their number"
        note = f"A session answers what the model answers to its last {window} inputs, {why}."
        return write_window(model, roles, window), (note,)
    graphs = write_graphs(model, roles)
    _check_recurrence(model, graphs)
    if graphs.step is None:
        hint = " --session window --window N serves it in sessions that see the last N inputs."
        return graphs, (hint.strip(),)
    if fixed and is_last:
        return graphs, (
            f"Sessions run on past the {window} steps that the file was made for, as was asked; "
            "what it answers there cannot be compared with the file.",
        )
    return graphs, ()


def _check_recurrence(model: ir.Model, graphs: Graphs) -> None:
    if graphs.step is not None and not graphs.roles.analysis.layers:
        names = ", ".join(repr(node.name) for node in model.graph if node.op_type == "GRU")
        raise ExportError(
            f"no GRU runs through time, so a session would have nothing to remember: {names} of "
            "type GRU begins anew in every step; export it over whole sequences, or with its state "
            "passed in and out"
        )


def _check_integers(graphs: Graphs, states: NDArray[np.float64]) -> None:
    """`states` [B, T, S] in float64. Whole numbers that a model passes on must stay exact."""
    offset = 0
    for piece in graphs.segments:
        largest = float(np.abs(states[..., offset : offset + piece.size]).max(initial=0))
        if piece.integers and piece.kind == "carried" and largest > LARGEST_WHOLE:
            raise ExportError(
                f"the input {piece.name!r} is fed whole numbers up to {largest:.3g}; a session "
                f"keeps float32, which is exact up to {LARGEST_WHOLE}"
            )
        offset += piece.size


def _check_delay(graphs: Graphs, delay: int) -> None:
    if graphs.why_whole is None and graphs.looks_ahead > delay:
        raise ExportError(
            f"the answers look {graphs.looks_ahead} steps ahead; allow them to come "
            f"{graphs.output.late} steps late by --delay {graphs.output.late}"
        )


def _notes(graphs: Graphs) -> Iterator[str]:
    if graphs.why_whole is not None:
        yield f"Whole sequences only, without sessions: {graphs.why_whole}."
    elif graphs.window is not None:
        return
    elif graphs.looks_ahead:
        yield f"Answers come {graphs.output.late} steps late, since the model looks ahead."
    elif graphs.ready_at > 1:
        yield f"The first answer comes with step {graphs.ready_at}: before, too little is known."


def _comparison(
    original: Original, graphs: Graphs, signatures: "_Signatures"
) -> Callable[[Engine], Iterator[Check]]:
    asked = Asked(original, graphs.roles, graphs.output)

    def compare(engine: Engine) -> Iterator[Check]:
        time = graphs.roles.fixed.time or COMPARED_TIME + graphs.output.late
        time = COMPARED_TIME if graphs.roles.takes_single_steps else time
        rows = signatures.rows(COMPARED_BATCH, time)
        constants = signatures.constants(COMPARED_BATCH)
        if graphs.step is None:
            answer = asked.whole(rows, constants)
            found = engine.whole(rows)
            yield Check("whole sequences against the original", deviation(found, answer))
            yield Check(
                f"each sequence by itself against the original, which {graphs.why_whole}",
                deviation(found, asked.alone(rows, constants)),
            )
            return
        if graphs.window is not None:
            rows = signatures.rows(COMPARED_BATCH, graphs.window + COMPARED_TIME)
            run, noise = _run(engine, graphs, rows, {})
            yield from against_windows(asked, run, rows, graphs.window, noise)
            return
        run, noise = _run(engine, graphs, rows, constants)
        yield from against_original(asked, graphs, run, (rows, constants), noise)

    return compare


def _run(
    engine: Engine, graphs: Graphs, rows: NDArray[Any], constants: dict[str, NDArray[Any]]
) -> tuple[Run, float]:
    """A session in float64, and how far the engine is off it."""
    state = initial_states(graphs, len(rows), constants)
    golden = golden_vectors(graphs, rows, state)
    run = Run(golden["output"], golden["states"])
    found, _ = engine.sequence(rows, state.astype(np.float32))
    return run, deviation(found, run.output)


class _Signatures:
    """What goes in and comes out, and inputs to try it on."""

    def __init__(self, model: ir.Model, graphs: Graphs, options: ImportOptions) -> None:
        self._graphs = graphs
        self._options = options
        self._random = np.random.default_rng(0)
        value = next(one for one in model.graph.inputs if one.name == graphs.roles.input)
        shape = [width_of(axis) for axis in graphs.roles.input_axes if not _is_symbol(axis)]
        if value.dtype in (ir.DataType.INT32, ir.DataType.INT64):
            self.input: Values | Tokens = self._tokens(model)
        else:
            if options.vocabulary is not None:
                raise ExportError("--vocabulary: the inputs are numbers, not tokens")
            self.input = _values("input", shape, options.names, options.units)
        self.output = self._output(model)

    def rows(self, batch: int, time: int) -> NDArray[Any]:
        """[B, T, F] float32 or [B, T] int64: pieces of the sample, or random numbers."""
        roles, window = self._graphs.roles, self._graphs.window
        if roles.fixed.time is not None and not roles.takes_single_steps and window is None:
            time = roles.fixed.time
        if self._options.sample is not None:
            return _pieces(self._options.sample, batch, time)
        if isinstance(self.input, Tokens):
            return self._random.integers(0, self.input.size, (batch, time))
        return self._random.standard_normal((batch, time, self.input.width)).astype(np.float32)

    def constants(self, batch: int) -> dict[str, NDArray[Any]]:
        """[B, …] each."""
        made: dict[str, NDArray[Any]] = {}
        for piece in self._graphs.segments:
            if piece.kind == "constant":
                shape = (batch, *piece.shape)
                if piece.integers:
                    made[piece.name] = np.zeros(shape, np.int64)
                else:
                    made[piece.name] = self._random.standard_normal(shape).astype(np.float32)
        return made

    def _tokens(self, model: ir.Model) -> Tokens:
        file = self._options.vocabulary
        size = _rows_of_table(model, self._graphs.roles.input)
        return Tokens(size=size, vocabulary=None if file is None else read_vocabulary(file, size))

    def _output(self, model: ir.Model) -> Values | Probabilities:
        fact, options = self._graphs.output, self._options
        shape = [width_of(axis) for axis in fact.axes if not _is_symbol(axis)]
        width = int(np.prod(shape))
        is_next = isinstance(self.input, Tokens) and self.input.size == width
        if is_next and not options.output_names and _ends_in_softmax(model, self._graphs):
            return Probabilities(width=width)
        return _values("output", shape, options.output_names, options.output_units)


def _is_symbol(axis: Sequence[object]) -> bool:
    return any(isinstance(factor, str) for factor in axis) and len(axis) == 1


def _values(
    what: str, shape: Sequence[int], names: tuple[str, ...], units: tuple[str, ...]
) -> Values:
    width = int(np.prod(shape))
    if names and len(names) != width:
        raise ExportError(f"{len(names)} names for {width} columns of the {what}")
    if len(units) not in (0, 1, width):
        raise ExportError(f"{len(units)} units for {width} columns of the {what}")
    arranged = tuple(size for size in shape if size != 1)
    return Values(
        names=names or tuple(f"{what} {index}" for index in range(width)),
        units=units * width if len(units) == 1 else units or ("1",) * width,
        shape=arranged if len(arranged) > 1 else None,
    )


def _pieces(sample: NDArray[Any], batch: int, time: int) -> NDArray[Any]:
    if len(sample) < time:
        raise ExportError(f"the sample has {len(sample)} steps, {time} are needed")
    starts = np.linspace(0, len(sample) - time, batch).astype(int)
    return np.stack([sample[start : start + time] for start in starts])


def _rows_of_table(model: ir.Model, name: str) -> int:
    """How many tokens there are: the rows of the table that they are looked up in."""
    waiting = [next(one for one in model.graph.inputs if one.name == name)]
    while waiting:
        for node, index in waiting.pop().uses():
            if node.op_type == "Gather" and index == 1:
                table = node.inputs[0]
                tensor = None if table is None else ir.convenience.get_const_tensor(table)
                if tensor is not None:
                    return int(str(tensor.shape[0]))
            elif node.op_type in ("Cast", "Transpose", "Unsqueeze", "Squeeze", "Reshape"):
                waiting += node.outputs
    raise ExportError(f"the input {name!r} takes integers, and no table tells how many there are")


def _ends_in_softmax(model: ir.Model, graphs: Graphs) -> bool:
    outputs = {str(one.name): one for one in model.graph.outputs}
    value: ir.Value | None = outputs[graphs.roles.output]
    node = None if value is None else value.producer()
    while node is not None and node.op_type in ("Transpose", "Reshape", "Squeeze", "Unsqueeze"):
        value = node.inputs[0]
        node = None if value is None else value.producer()
    return node is not None and node.op_type == "Softmax"


def _completed(options: ImportOptions, model: onnx.ModelProto) -> ImportOptions:
    """Names and units that the reader of a checkpoint wrote into the model."""
    said = {prop.key: prop.value for prop in model.metadata_props}
    found: dict[str, Any] = {}
    for key in ("names", "units", "output_names", "output_units"):
        if key in said and not getattr(options, key):
            found[key] = tuple(json.loads(said[key]))
    return replace(options, **found)
