"""What a report says of a version with 8-bit weights: what the rounding cost."""

from collections.abc import Sequence

from model_export.report.section import Section
from service.bundle.manifest import Manifest


def rounding_sections(manifest: Manifest) -> Sequence[Section]:
    quantization = manifest.quantization
    assert quantization is not None
    after = {score.metric: score for score in manifest.scores}
    scores = [(score, after.get(score.metric)) for score in quantization.scores_before]
    return (Section("rounding.html", {"quantization": quantization, "scores": scores}),)
