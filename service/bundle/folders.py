"""A model repository: `<name>/<version>/`, versions being positive integers."""

import re
from collections.abc import Iterator
from pathlib import Path

from service.bundle.bundle import Bundle, read_bundle
from service.errors import BundleCorrupt, BundleIncomplete

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_name(name: str) -> bool:
    """Whether a model may have this name, which is then that of a folder and never a way out."""
    return _NAME.fullmatch(name) is not None


def is_version(folder: Path) -> bool:
    """Whether a folder's name is a positive integer as one writes it."""
    return folder.is_dir() and re.fullmatch("[1-9][0-9]*", folder.name) is not None


def version_folders(repository: Path) -> Iterator[Path]:
    """Every `<name>/<version>/` below the repository, by name, then by version.

    Hidden folders are skipped: publishing stages a version in one before it renames it.
    """
    if not repository.is_dir():
        raise BundleIncomplete(f"the model repository {repository} is not a folder")
    for model in sorted(repository.iterdir()):
        if model.is_dir() and not model.name.startswith("."):
            yield from (model / str(version) for version in versions_in(model))


def versions_in(model: Path) -> list[int]:
    """The versions that the folder of a model holds, ascending; none where there is no folder."""
    if not model.is_dir():
        return []
    return sorted(int(child.name) for child in model.iterdir() if is_version(child))


def read_repository(repository: Path) -> list[Bundle]:
    """Every bundle of the repository. One that cannot be served is an error, not a gap."""
    bundles = [read_version(folder) for folder in version_folders(repository)]
    if not bundles:
        raise holds_no_model(repository)
    return bundles


def holds_no_model(repository: Path) -> BundleIncomplete:
    return BundleIncomplete(
        f"the model repository {repository} holds no model; "
        "make one with: python -m model_export train --help"
    )


def read_version(folder: Path) -> Bundle:
    """The bundle in `<name>/<version>/`, whose manifest must say the same name and version.

    Raises BundleIncomplete, BundleCorrupt.
    """
    bundle = read_bundle(folder)
    stated = f"{bundle.manifest.name}/{bundle.manifest.version}"
    placed = f"{folder.parent.name}/{folder.name}"
    if stated != placed:
        raise BundleCorrupt(f"{folder}: its manifest says {stated}, its place says {placed}")
    return bundle
