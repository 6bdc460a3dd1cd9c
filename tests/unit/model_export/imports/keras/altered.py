"""Recorded Keras files with something changed in them."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py

RECORDED = Path(__file__).parent / "recorded"
SEQUENTIAL = RECORDED / "keras_3" / "mixed_names.keras"
FUNCTIONAL = RECORDED / "keras_3" / "initial_state.keras"
HDF5 = RECORDED / "keras_2" / "nested.h5"

Config = dict[str, Any]


def altered(
    folder: Path,
    *,
    config: Callable[[Config], object] | None = None,
    weights: Callable[[h5py.File], object] | None = None,
    metadata: Config | None = None,
    of: Path = SEQUENTIAL,
) -> Path:
    """A `.keras` file whose architecture and weights were changed in place."""
    with zipfile.ZipFile(of) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        record = json.loads(members["config.json"])
        config(record)
        members["config.json"] = json.dumps(record).encode()
    if metadata is not None:
        members["metadata.json"] = json.dumps(metadata).encode()
    if weights is not None:
        content = BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as root:
            weights(root)
        members["model.weights.h5"] = content.getvalue()
    return zipped(folder, members)


def zipped(folder: Path, members: dict[str, bytes]) -> Path:
    file = folder / "model.keras"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def layer(config: Config, name: str) -> Config:
    """The configuration of one layer."""
    found: Config = next(
        entry["config"] for entry in config["config"]["layers"] if entry["config"]["name"] == name
    )
    return found


def replaced(root: h5py.File, path: str, **dataset: object) -> None:
    """Another dataset in the place of one."""
    del root[path]
    root.create_dataset(path, **dataset)
