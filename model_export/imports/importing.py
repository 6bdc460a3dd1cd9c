"""From a model that was trained elsewhere to a draft."""

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from model_export.draft import Draft, cells_of, described, graph_files
from model_export.errors import ModelRefused
from model_export.golden import golden_vectors, initial_states
from model_export.imports.comparison import Comparison
from model_export.imports.options import ImportOptions
from model_export.imports.provenance import provenance_of
from model_export.imports.signatures import Signatures
from model_export.original import Original
from model_export.report.imported import import_sections
from model_export.rewrite.facts import Source
from model_export.rewrite.graphs import Graphs, write_graphs, write_window
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import Roles, find_roles
from model_export.verify.asked import Asked
from model_export.verify.fewest import fewest_steps
from service.bundle.manifest import Manifest

GOLDEN_BATCH = 2
GOLDEN_TIME = 64
FEWEST_ANSWERS = 16
"""Of a golden sequence, however late its first answer comes."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A draft, and what a user wants to know of how it was made."""

    draft: Draft
    graphs: Graphs
    notes: tuple[str, ...]


def import_original(original: Original, options: ImportOptions) -> Imported:
    """Normalise, find roles, rewrite, and compare with the original on every prefix.

    Raises ModelRefused naming what stands in the way.
    """
    model = normalise(_copied(original.model))
    graphs, why = _graphs(model, find_roles(model, options.hints), options)
    _check_delay(graphs, options.delay)
    notes = (*original.notes, *_notes(graphs), *why)
    signatures = Signatures(model, graphs, options)
    asked = Asked(original, graphs.roles, graphs.output)
    fewest = fewest_steps(
        asked, model, lambda time: signatures.random_rows(1, time), signatures.constants(1)
    )
    _check_window(graphs, fewest)
    time = max(GOLDEN_TIME, graphs.ready_at + FEWEST_ANSWERS, fewest + FEWEST_ANSWERS)
    rows = signatures.rows(GOLDEN_BATCH, time)
    constants = signatures.constants(GOLDEN_BATCH)
    state = initial_states(graphs, GOLDEN_BATCH, constants)
    manifest = Manifest(
        name=options.name,
        version=1,
        task=options.task,
        input=signatures.input,
        output=signatures.output,
        provenance=provenance_of(original, options.created_at),
        files={},
        fewest_steps=fewest,
        **described(graphs),
    )
    draft = Draft(
        manifest=manifest,
        graphs=graph_files(graphs),
        golden=golden_vectors(graphs, rows, state),
        cells=cells_of(graphs),
        compare=Comparison(asked, model, graphs, signatures, fewest),
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
            raise ModelRefused("the file does not say how long a window is; say it by --window N")
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
    if graphs.step is not None and not graphs.segments:
        names = ", ".join(repr(node.name) for node in model.graph if node.op_type == "GRU")
        raise ModelRefused(
            f"no GRU runs through time, so a session would have nothing to remember: {names} of "
            "type GRU begins anew in every step; export it over whole sequences, or with its state "
            "passed in and out"
        )


def _check_window(graphs: Graphs, fewest: int) -> None:
    if graphs.window is not None and graphs.window < fewest:
        raise ModelRefused(
            f"--window {graphs.window}: the model takes sequences of at least {fewest} steps"
        )


def _check_delay(graphs: Graphs, delay: int) -> None:
    if graphs.why_whole is None and graphs.looks_ahead > delay:
        raise ModelRefused(
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
