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
    CELLS_FILE,
    GOLDEN_FILE,
    HIDDEN,
    INITIAL_FILE,
    INSPECT_FILE,
    MANIFEST_FILE,
    SAMPLE_FILE,
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

    @property
    def inspect_graph(self) -> Path:
        return self.folder / INSPECT_FILE

    def cells(self) -> dict[str, NDArray[Any]]:
        """The weights and activations of every layer, as docs/architecture.md names them."""
        return _arrays(self.folder / CELLS_FILE)

    def sample(self) -> NDArray[Any]:
        """Real held-out inputs, [T, F] float32 or [T] int64: the longest stretch that the version
        has, which is a sequence of its golden vectors where training left no longer one."""
        if SAMPLE_FILE not in self.manifest.files:
            first: NDArray[Any] = self.golden()["input"][0]
            return first
        arrays = _arrays(self.folder / SAMPLE_FILE)
        if "input" not in arrays or arrays["input"].dtype != self.manifest.input.dtype:
            expected = self.manifest.input.dtype.__name__
            raise BundleCorrupt(f"{self.folder / SAMPLE_FILE} has no array `input` of {expected}")
        return arrays["input"]

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
        arrays = _arrays(file)
        missing = [name for name in names if name not in arrays]
        if missing:
            raise BundleCorrupt(f"{file} lacks an array: {missing[0]}")
        golden = {name: arrays[name] for name in names}
        input_type = self.manifest.input.dtype
        for name, array in golden.items():
            expected = (input_type,) if name == "input" else (np.float64, np.float32)
            if array.dtype not in expected:
                raise BundleCorrupt(f"{file}: {name} is {array.dtype}, not {expected[0].__name__}")
        return {
            name: array if name == "input" else array.astype(np.float64)
            for name, array in golden.items()
        }


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (ValueError, AttributeError, OSError, BadZipFile) as error:
        raise BundleCorrupt(f"{file} is not an archive of arrays: {error}") from None


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
