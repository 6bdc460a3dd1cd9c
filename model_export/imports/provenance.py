"""Where an imported model came from."""

import platform
from importlib.metadata import version

from model_export.original import Original
from service.bundle.bundle import sha256_of
from service.bundle.manifest import Provenance

_RECORDED = ("gatewise", "numpy", "onnx", "onnxruntime")


def provenance_of(original: Original, created_at: str) -> Provenance:
    """`created_at` is an ISO 8601 time."""
    return Provenance(
        created_at=created_at,
        data=f"{original.file.name}, {original.framework}",
        data_sha256=sha256_of(original.file),
        held_out="nothing is known of the data",
        seed=0,
        versions={"python": platform.python_version()} | {one: version(one) for one in _RECORDED},
        hyperparameters={},
    )
