"""From a version of a model to a draft with 8-bit weights, measured before it is published."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.draft import Draft
from model_export.errors import ModelRefused
from model_export.quantize.blocks import BITS, BLOCK_SIZE
from model_export.quantize.columns import rounded_cells
from model_export.quantize.graphs import (
    quantized_inspect,
    quantized_step,
    rounded_columns,
    rounded_sequence,
)
from model_export.quantize.loss import golden_differences, held_out_scores
from model_export.quantize.options import Options
from model_export.quantize.trial import trial
from model_export.report.quantized import rounding_sections
from service.bundle.bundle import Bundle
from service.bundle.manifest import (
    CELLS_FILE,
    INITIAL_FILE,
    INSPECT_FILE,
    SAMPLE_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Manifest,
    Quantization,
    Score,
    Tolerance,
)
from service.engine.engine import Engine

_GOES_ON = ("outputs and states", "states")
_MARGIN = 2.0
"""Of the tolerance over the largest deviation seen: other inputs, and other kernels."""


def quantized_draft(source: Bundle, name: str, options: Options) -> Draft:
    """`source` with 8-bit weights, as a version of `name`.

    The golden vectors are still those of the unrounded weights. Raises ModelRefused where nothing
    is large enough to gain, or the loss is above a bound; DataError where the held-out data cannot
    be had.
    """
    if source.manifest.quantization is not None:
        raise ModelRefused(
            f"{source.folder} has 8-bit weights already; quantize the version before"
        )
    if source.manifest.sequence not in _GOES_ON:
        raise ModelRefused(
            f"{source.folder} cannot have 8-bit weights: only a model whose sequence graph goes on "
            "from a state can, this one has windows, caches, a delay or no sessions"
        )
    weights = _rounded(source)
    allowed = options.largest_deviation
    unmeasured = replace(
        weights,
        manifest=source.manifest.model_copy(update={"name": name, "files": {}}),
        tolerance=Tolerance(step=allowed, run=allowed, floor=1.0),
    )
    with trial(unmeasured) as (engine, deviations):
        manifest = _measured(engine, source, deviations, options)
    quantization = manifest.quantization
    assert quantization is not None
    reached = quantization.tolerance
    return replace(
        weights,
        manifest=manifest,
        sections=lambda _: rounding_sections(manifest),
        tolerance=Tolerance(step=reached, run=reached, floor=1.0),
    )


def _rounded(source: Bundle) -> Draft:
    """What follows from the rounding alone. A version of format 1 has nothing to inspect."""
    step, files = source.step_graph.read_bytes(), source.manifest.files
    columns = rounded_columns(step)
    graphs = {
        STEP_FILE: quantized_step(step),
        SEQUENCE_FILE: rounded_sequence(source.sequence_graph.read_bytes()),
    }
    if INITIAL_FILE in files:
        graphs[INITIAL_FILE] = source.initial_graph.read_bytes()
    if INSPECT_FILE in files:
        graphs[INSPECT_FILE] = quantized_inspect(source.inspect_graph.read_bytes(), columns)
    cells: dict[str, NDArray[Any]] = {}
    if CELLS_FILE in files:
        cells = rounded_cells(source.cells(), columns)
    return Draft(
        manifest=source.manifest,
        graphs=graphs,
        golden=_golden(source),
        cells=cells,
        compare=lambda _: (),
        sections=lambda _: (),
        sample=source.sample() if SAMPLE_FILE in files else None,
    )


def _golden(source: Bundle) -> dict[str, NDArray[Any]]:
    golden = source.golden()
    return {
        name: array if name == "input" else array.astype(np.float64)
        for name, array in golden.items()
    }


def _measured(
    engine: Engine, source: Bundle, deviations: Iterable[float], options: Options
) -> Manifest:
    """The manifest with what the rounding cost. Raises ModelRefused, DataError."""
    manifest = engine.manifest
    scores: tuple[Score, ...] = ()
    if manifest.scores and not options.unscored:
        scores = held_out_scores(engine, manifest, options.data)
        compare_scores(manifest.scores, scores, options.largest_score_loss)
    differences = golden_differences(engine)
    worst = _MARGIN * max(deviations)
    quantization = Quantization(
        bits=BITS,
        block_size=BLOCK_SIZE,
        source=f"{source.manifest.name}/{source.manifest.version}",
        tolerance=min(options.largest_deviation, float(f"{worst:.2g}")),
        output_difference=differences.output,
        state_difference=differences.state,
        scores_before=source.manifest.scores,
    )
    return manifest.model_copy(update={"scores": scores, "quantization": quantization})


def compare_scores(before: tuple[Score, ...], after: tuple[Score, ...], largest: float) -> None:
    """Raises ModelRefused where a score got worse by more than the share `largest`."""
    for old, new in zip(before, after, strict=True):
        # Not `new.is_better`: a score that is no number is refused too.
        lost = new.model - old.model if old.better == "lower" else old.model - new.model
        if not lost <= largest * abs(old.model):
            raise ModelRefused(
                f"{old.metric} on the held-out data goes from {old.model:.4g} to {new.model:.4g}, "
                f"which is more than {largest:.1%} worse; serve it in float32"
            )
