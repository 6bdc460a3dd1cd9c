"""The report of a version with 8-bit weights: what the rounding cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_export.report.template import template
from model_export.verify.verify import Check
from service.bundle.manifest import Manifest


def write_quantization_report(file: Path, manifest: Manifest, checks: Sequence[Check]) -> None:
    """Write the page: one file without scripts, and without anything fetched from elsewhere."""
    file.write_text(template("quantized.html").render(_content(manifest, checks)), "utf-8")


def _content(manifest: Manifest, checks: Sequence[Check]) -> dict[str, Any]:
    quantization = manifest.quantization
    assert quantization is not None
    after = {score.metric: score for score in manifest.scores}
    return {
        "manifest": manifest,
        "quantization": quantization,
        "scores": [(score, after.get(score.metric)) for score in quantization.scores_before],
        "checks": sorted(checks, key=lambda check: -check.deviation),
    }
