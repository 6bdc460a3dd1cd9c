"""Holding an imported model against its original, in float64 and as it will be served."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.draft import cells_of, layers_of
from model_export.errors import ModelRefused
from model_export.float64.graph import Float64Graph
from model_export.golden import golden_vectors, initial_states
from model_export.imports.signatures import Signatures
from model_export.rewrite.graphs import Graphs
from model_export.verify.asked import Asked, Rows
from model_export.verify.check import Check
from model_export.verify.original_gates import OriginalGates
from model_export.verify.parting import Parting
from model_export.verify.prefixes import Run, against_original, against_windows
from model_export.verify.verify import refuse_chaotic
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE, deviation, scale_of

COMPARED_BATCH = 3
COMPARED_TIME = 24
"""Of the sequences on which a session is held against the original, behind all that it looks back
at."""
LONGEST_PAST = 2000


class Comparison:
    """All checks of one import; `Draft.compare`."""

    def __init__(
        self,
        asked: Asked,
        normalised: ir.Model,
        graphs: Graphs,
        signatures: Signatures,
        fewest: int,
    ) -> None:
        self._graphs = graphs
        self._signatures = signatures
        self._asked = asked
        self._fewest = fewest
        self._normalised = normalised
        self._parting = Parting(self._asked, graphs, normalised)

    def __call__(self, engine: Engine) -> Iterator[Check]:
        """Every check; one that failed says at which operator the two part, if it can be told.

        Raises ModelRefused where float32 is too coarse for the model.
        """
        rows, constants = self._rows(), self._signatures.constants(COMPARED_BATCH)
        if self._graphs.step is None:
            yield from self._whole(engine, rows)
            return
        state = initial_states(self._graphs, COMPARED_BATCH, constants)
        golden = golden_vectors(self._graphs, rows, state)
        run = Run(golden["output"], golden["states"])
        yield from self._sequence_graph(rows, state, run)
        noise = _noise(engine, rows, state, run)
        if self._graphs.window is not None:
            checks = against_windows(self._asked, run, rows, self._graphs.window, noise)
        else:
            given = rows, constants
            checks = against_original(
                self._asked, self._graphs, run, given, noise=noise, fewest=self._fewest
            )
        for check in checks:
            part = "" if check.passed else self._parting.of_session(rows, constants, state)
            yield replace(check, part=part)
        gates = OriginalGates(
            self._normalised, self._graphs, layers_of(self._graphs), cells_of(self._graphs)
        )
        yield from gates.checks(rows, constants, golden)

    def _rows(self) -> Rows:
        graphs = self._graphs
        if graphs.window is not None:
            time = graphs.window + COMPARED_TIME
        elif graphs.roles.takes_single_steps:
            time = COMPARED_TIME
        else:
            past = sum(one.frames for one in graphs.roles.analysis.carried)
            time = COMPARED_TIME + graphs.output.late + min(past, LONGEST_PAST) + self._fewest - 1
            time = graphs.roles.fixed.time or time
        return self._signatures.rows(COMPARED_BATCH, time)

    def _whole(self, engine: Engine, rows: Rows) -> Iterator[Check]:
        """Whole sequences, those of several callers in one batch, and each of them alone."""
        found, expected = engine.whole(rows), self._asked.whole(rows, {})
        yield Check("whole sequences against the original", deviation(found, expected))
        alone = self._asked.alone(rows, {})
        check = Check("each sequence alone", deviation(found, alone, scale_of(expected)))
        if not check.passed:
            raise ModelRefused(
                f"the output {self._graphs.roles.output!r} of a sequence depends on the other "
                f"sequences of its batch, which may be other callers'; {self._graphs.why_whole}"
            )
        yield check

    def _sequence_graph(self, rows: Rows, state: NDArray[np.float64], run: Run) -> Iterator[Check]:
        """The sequence graph against the step graph, both in float64."""
        graphs = self._graphs
        if graphs.sequence is None or graphs.sequence_gives not in ("outputs and states", "states"):
            return
        found = Float64Graph(graphs.sequence).run({"input": rows, "state": state})
        expected = {"states": run.states, "output": run.output}
        off = max(
            deviation(value, expected[name], scale_of(expected[name], TOLERANCE))
            for name, value in found.items()
        )
        check = Check("sequence graph against step graph, in float64", off)
        part = "" if check.passed else self._parting.of_graphs(rows, state)
        yield replace(check, part=part)


def _noise(engine: Engine, rows: Rows, state: NDArray[np.float64], run: Run) -> float:
    """How far the engine is off a run in float64."""
    found, _ = engine.sequence(rows, state.astype(np.float32))
    noise = deviation(found, run.output)
    refuse_chaotic(noise, rows.shape[1])
    return noise
