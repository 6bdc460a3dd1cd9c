"""A new version of a model in a repository, all of it or nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_export.errors import ModelRefused
from service.bundle.bundle import Bundle, read_bundle, sha256_of
from service.bundle.desired import Wish, locked, read_desired, write_desired
from service.bundle.folders import versions_in
from service.bundle.manifest import MANIFEST_FILE, Manifest
from service.errors import GatewiseError


@contextmanager
def staging(repository: Path) -> Iterator[Path]:
    """A hidden folder in the repository, so that the last rename stays on one file system."""
    repository.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=repository))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def next_version(model: Path) -> int:
    """One above every version that the folder of a model holds, or has held and speaks of: sessions
    of one that was withdrawn and removed must never go on with other weights. Raises ModelRefused.
    """
    try:
        named = read_desired(model).named
    except GatewiseError as error:
        raise ModelRefused(str(error)) from error
    return max({*versions_in(model), *named}, default=0) + 1


def seal(folder: Path, manifest: Manifest) -> Bundle:
    """Write the manifest over whatever files are there, and read the bundle as the service will."""
    files = {file.name: sha256_of(file) for file in folder.iterdir() if file.name != MANIFEST_FILE}
    sealed = manifest.model_copy(update={"files": dict(sorted(files.items()))})
    (folder / MANIFEST_FILE).write_text(sealed.model_dump_json(indent=2) + "\n", "utf-8")
    return read_bundle(folder)


def move_into_place(staged: Path, folder: Path, *, candidate: bool = False) -> Path:
    """Flush everything to the disk and rename. Raises ModelRefused where the folder exists.

    A candidate is known as one before it appears: it must not be the default for a moment.
    """
    for file in (*staged.iterdir(), staged):
        _flush(file)
    # mkdtemp makes folders for their owner alone; a service may run as another user.
    staged.chmod(0o755)
    folder.parent.mkdir(exist_ok=True)
    try:
        with locked(folder.parent):
            _take_number(folder, candidate=candidate)
            staged.rename(folder)
    except (GatewiseError, OSError) as error:
        raise ModelRefused(f"{folder} cannot be published: {error}") from error
    _flush(folder.parent)
    _flush(folder.parent.parent)
    return folder


def _take_number(folder: Path, *, candidate: bool) -> None:
    """Raises ModelRefused where somebody else has taken it meanwhile."""
    model, version = folder.parent, int(folder.name)
    desired = read_desired(model)
    if folder.exists() or version in desired.named:
        raise ModelRefused(f"{folder} appeared while it was being made; publish again")
    if candidate:
        write_desired(model, desired.with_wish(version, Wish(candidate=True)))


def _flush(path: Path) -> None:
    """Have a file or a folder on the disk before anything points to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
