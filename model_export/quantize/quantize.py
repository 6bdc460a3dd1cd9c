"""From a version of a model to one with 8-bit weights, measured before it is published."""

import shutil
from pathlib import Path

from model_export.errors import ExportError
from model_export.quantize.blocks import BITS, BLOCK_SIZE
from model_export.quantize.graphs import quantized_step, rounded_sequence
from model_export.quantize.loss import golden_differences, held_out_scores
from model_export.quantize.options import Options
from model_export.report import write_quantization_report
from model_export.verify.verify import Check, verify
from model_export.versions import move_into_place, next_version, seal, staging
from service.bundle.bundle import Bundle
from service.bundle.manifest import (
    GOLDEN_FILE,
    REPORT_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Manifest,
    Quantization,
    Score,
)
from service.engine.engine import Engine
from service.engine.golden import TOLERANCE
from service.engine.provider import Provider

_MARGIN = 2.0
"""Of the tolerance over the largest deviation seen: other inputs, and other kernels."""


def quantize(source: Bundle, repository: Path, name: str, options: Options) -> Path:
    """Publish `source` with 8-bit weights as a new version of `name`; returns its folder.

    Raises ExportError where nothing is large enough to gain, or the loss is above a bound;
    DataError where the held-out data cannot be had.
    """
    if source.manifest.quantization is not None:
        raise ExportError(f"{source.folder} has 8-bit weights already; quantize the version before")
    with staging(repository) as folder:
        manifest = source.manifest.model_copy(
            update={
                "name": name,
                "version": next_version(repository / name),
                "quantization": _provisional(source, options.largest_deviation),
            }
        )
        (folder / STEP_FILE).write_bytes(quantized_step(source.step_graph.read_bytes()))
        (folder / SEQUENCE_FILE).write_bytes(rounded_sequence(source.sequence_graph.read_bytes()))
        shutil.copyfile(source.folder / GOLDEN_FILE, folder / GOLDEN_FILE)
        bundle = seal(folder, manifest)
        checks = verify(bundle, Provider())
        measured = _measured(bundle, checks, options)
        write_quantization_report(folder / REPORT_FILE, measured, checks)
        seal(folder, measured)
        return move_into_place(folder, repository / name / str(manifest.version))


def _provisional(source: Bundle, largest_deviation: float) -> Quantization:
    """What the first checks run under: the bound itself is their tolerance."""
    return Quantization(
        bits=BITS,
        block_size=BLOCK_SIZE,
        source=f"{source.manifest.name}/{source.manifest.version}",
        tolerance=largest_deviation,
        output_difference=0,
        state_difference=0,
        scores_before=source.manifest.scores,
    )


def _measured(bundle: Bundle, checks: list[Check], options: Options) -> Manifest:
    """The manifest with what the rounding cost. Raises ExportError, DataError."""
    engine, manifest = Engine(bundle, Provider()), bundle.manifest
    assert manifest.quantization is not None
    worst = max(check.deviation for check in checks if check.allowed > TOLERANCE)
    scores: tuple[Score, ...] = ()
    if manifest.scores and not options.unscored:
        scores = held_out_scores(engine, manifest, options.data)
        _compare(manifest.scores, scores, options.largest_score_loss)
    differences = golden_differences(engine)
    quantization = manifest.quantization.model_copy(
        update={
            "tolerance": min(options.largest_deviation, float(f"{_MARGIN * worst:.2g}")),
            "output_difference": differences.output,
            "state_difference": differences.state,
        }
    )
    return manifest.model_copy(update={"scores": scores, "quantization": quantization})


def _compare(before: tuple[Score, ...], after: tuple[Score, ...], largest: float) -> None:
    for old, new in zip(before, after, strict=True):
        if not new.model <= old.model * (1 + largest):
            raise ExportError(
                f"{old.metric} on the held-out data goes from {old.model:.4g} to {new.model:.4g}, "
                f"which is more than {largest:.1%} worse; serve it in float32"
            )
