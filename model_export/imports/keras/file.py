"""Opening a Keras file: its architecture as JSON and its weights, and nothing that can run.

Two layouts are in use:

- `.keras` of Keras 3 and of Keras 2 from 2.13 on: a zip of `config.json`, `metadata.json` and
  `model.weights.h5`, whose groups are numbered by class (`layers/gru_1/cell/vars/0`).
- `.h5` of every version, and `.keras` before 2.13: one HDF5 file with the architecture in the
  attribute `model_config` and the weights by name in the group `model_weights`.

See https://keras.io/guides/serialization_and_saving. A file is told by its content, not its name.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import h5py

from model_export.errors import ModelRefused, one_line
from model_export.imports.keras.rehearsal import survives
from model_export.imports.keras.settings import Json
from model_export.imports.keras.weights import (
    Datasets,
    Weights,
    strings,
    weights_by_name,
    weights_by_number,
)

LONGEST_JSON = 32 << 20
LARGEST_WEIGHTS = 1 << 30
"""An ONNX model in one file holds at most 2 GiB."""
LARGEST_FILE = 4 << 30
"""Beside the weights an `.h5` file may hold the optimizer's state, of twice their size."""

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


@dataclass(frozen=True, slots=True)
class KerasFile:
    """`architecture` is the model's `class_name` and `config`; weights are read when asked for."""

    architecture: Mapping[str, Json]
    version: str
    weights: Weights

    @property
    def major(self) -> int:
        """2 or 3: they differ in a few formulas."""
        return int(self.version.split(".")[0])


@contextmanager
def open_keras(file: Path) -> Iterator[KerasFile]:
    """Raises ModelRefused where the file is no Keras model, is damaged, too large or weights only.

    Nothing of the file is executed, unpickled or written to disk.
    """
    try:
        with file.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                yield from _archive(stream)
            else:
                yield from _hdf5(stream)
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelRefused(f"the zip archive is damaged: {error}") from error
    except FileNotFoundError as error:
        raise ModelRefused("there is no such file") from error
    # h5py reports damage as any of these.
    except (OSError, RuntimeError, KeyError, UnicodeError) as error:
        raise ModelRefused(f"the file cannot be read: {one_line(error)}") from error


def _archive(stream: BinaryIO) -> Iterator[KerasFile]:
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        architecture = _json(_member(archive, _CONFIG, LONGEST_JSON), _CONFIG)
        metadata = _json(_member(archive, _METADATA, LONGEST_JSON), _METADATA)
        weights = _member(archive, _WEIGHTS, LARGEST_WEIGHTS)
    with _opened(weights, _WEIGHTS) as root:
        version = _version(metadata.get("keras_version"))
        yield KerasFile(architecture, version, weights_by_number(root, _datasets()))


def _hdf5(stream: BinaryIO) -> Iterator[KerasFile]:
    stream.seek(0)
    content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ModelRefused(f"the file has more than {LARGEST_FILE:,} bytes; no more are read")
    with _opened(content, "the file") as root:
        if "model_config" not in root.attrs:
            raise ModelRefused(
                "the HDF5 file holds no architecture (attribute 'model_config'): it is weights "
                "only, or no Keras file; save the whole model with model.save('model.keras')"
            )
        text = strings(root.attrs, "model_config")
        architecture = _json("".join(text), "the attribute 'model_config'")
        version = _version("".join(strings(root.attrs, "keras_version")) or None)
        yield KerasFile(architecture, version, weights_by_name(root, _datasets()))


@contextmanager
def _opened(content: bytes, what: str) -> Iterator[h5py.File]:
    if not survives(content):
        raise ModelRefused(f"{what} is damaged: the HDF5 library hangs or crashes on it")
    try:
        root = h5py.File(BytesIO(content), "r")
    except (OSError, ValueError) as error:
        reason = f"{what} is no HDF5 file, or is damaged: {one_line(error)}"
        raise ModelRefused(reason) from error
    with root:
        yield root


def _datasets() -> Datasets:
    return Datasets(LARGEST_WEIGHTS)


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """The content of one member, which is never larger than `limit` once inflated."""
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        found = ", ".join(archive.namelist()[:10]) or "nothing"
        raise ModelRefused(f"the zip archive lacks {name}; it holds {found}") from error
    if info.file_size > limit:
        reason = f"{name} would take {info.file_size:,} bytes; at most {limit:,} are read"
        raise ModelRefused(reason)
    try:
        return archive.read(info)
    except RuntimeError as error:  # an entry that is encrypted, or packed in an unknown way
        raise ModelRefused(f"{name} cannot be read: {one_line(error)}") from error


def _json(text: bytes | str, what: str) -> Mapping[str, Json]:
    if len(text) > LONGEST_JSON:
        reason = f"{what} is {len(text):,} long; at most {LONGEST_JSON:,} are read"
        raise ModelRefused(reason)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{what} is no JSON that can be read: {one_line(error)}") from error
    if not isinstance(record, dict):
        raise ModelRefused(f"{what} is no JSON object")
    return record


def _version(text: Json) -> str:
    """Raises ModelRefused for any but Keras 2 and 3, whose formulas differ."""
    if not isinstance(text, str) or text.split(".")[0] not in ("2", "3"):
        raise ModelRefused(
            f"the file was written by Keras {text or 'of an unknown version'}; "
            "versions 2 and 3 can be read"
        )
    return text
