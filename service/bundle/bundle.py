"""Reading one version of a model from disk, and refusing it when it is not what it says."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from service.bundle.manifest import (
    GOLDEN_FILE,
    HIDDEN,
    INITIAL_FILE,
    MANIFEST_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Manifest,
)
from service.errors import BundleCorrupt, BundleIncomplete


@dataclass(frozen=True, slots=True)
class Bundle:
    """A version whose files are all there and unchanged since they were written."""

    folder: Path
    manifest: Manifest

    @property
    def step_graph(self) -> Path:
        return self.folder / STEP_FILE

    @property
    def sequence_graph(self) -> Path:
        return self.folder / SEQUENCE_FILE

    @property
    def initial_graph(self) -> Path:
        return self.folder / INITIAL_FILE

    def golden(self) -> dict[str, NDArray[Any]]:
        """The golden vectors: inputs, and what the original makes of them in float64.

        `input` [B, T, F] float32 or [B, T] int64; float64 `output` [B, T, O], which is [B, O] of a
        model without sessions that answers the last step. With sessions also the `state` [B, S]
        before the first step, the `states` [B, T, S], every gate by name, [B, T, G], and `hidden`
        where the state does not have it. What a step has no answer to yet is NaN.
        """
        file = self.folder / GOLDEN_FILE
        names = ["input", "output"]
        if self.manifest.sessions:
            names += ["state", "states", *self.manifest.gate_names]
            names += [] if self.manifest.hidden_in_state else [HIDDEN]
        try:
            with np.load(file) as arrays:
                golden = {name: arrays[name] for name in names}
        except KeyError as error:
            raise BundleCorrupt(f"{file} lacks an array: {error.args[0]}") from None
        except (ValueError, AttributeError, OSError, BadZipFile) as error:
            raise BundleCorrupt(f"{file} is not an archive of arrays: {error}") from None
        input_type = self.manifest.input.dtype
        for name, array in golden.items():
            expected = (input_type,) if name == "input" else (np.float64, np.float32)
            if array.dtype not in expected:
                raise BundleCorrupt(f"{file}: {name} is {array.dtype}, not {expected[0].__name__}")
        return {
            name: array if name == "input" else array.astype(np.float64)
            for name, array in golden.items()
        }


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bundle(folder: Path) -> Bundle:
    """Read the manifest and check every file's hash.

    Raises BundleIncomplete or BundleCorrupt, naming the file and what is wrong with it.
    """
    manifest = read_manifest(folder)
    for name in manifest.required_files:
        if name not in manifest.files:
            raise BundleIncomplete(f"{folder / MANIFEST_FILE} lists no {name}")
    for name, digest in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise BundleIncomplete(f"{file} is missing")
        if (found := sha256_of(file)) != digest:
            raise BundleCorrupt(
                f"{file} has SHA-256 {found[:12]}…, the manifest says {digest[:12]}…; "
                "publish the version again"
            )
    return Bundle(folder, manifest)


def read_manifest(folder: Path) -> Manifest:
    """What a version says of itself, with no look at its other files.

    Raises BundleIncomplete, BundleCorrupt.
    """
    file = folder / MANIFEST_FILE
    if not file.is_file():
        raise BundleIncomplete(f"{file} is missing")
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleCorrupt(f"{file}: {place}: {first['msg']}") from None
