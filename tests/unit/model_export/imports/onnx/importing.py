"""From a model in memory to an engine, by the way that the command takes."""

from pathlib import Path

import onnx

from model_export.imports.importing import import_original
from model_export.imports.onnx.file import read_onnx
from model_export.imports.options import ImportOptions
from model_export.publish import publish
from model_export.rewrite.roles import Hints
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider


def imported(model: onnx.ModelProto, folder: Path, hints: Hints | None = None) -> Engine:
    """Write, import and publish a model, and open what came of it. Raises ModelRefused."""
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    given = ImportOptions(name="model", hints=hints or Hints())
    draft = import_original(read_onnx(file), given).draft
    place = publish(draft, folder / "models")
    return Engine(read_bundle(place), Provider())
