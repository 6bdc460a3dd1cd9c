"""What a repository holds, as a command sees it that serves nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from service.bundle.desired import Default, Desired, read_desired
from service.bundle.folders import read_version, versions_in
from service.errors import BundleError


@dataclass(frozen=True, slots=True)
class VersionStock:
    """One version: `serving`, `candidate`, `withdrawn`, `dropped`, or `broken` for a reason."""

    version: int
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModelStock:
    """One model; `default` is what new sessions get, `wanted_default` what somebody has chosen."""

    name: str
    default: int | None
    wanted_default: Default
    versions: tuple[VersionStock, ...]


def stock_of(model: Path) -> ModelStock:
    """Raises RepositoryError where what is wanted cannot be read."""
    desired = read_desired(model)
    versions = tuple(_version_stock(model, one, desired) for one in versions_in(model))
    whole = [one.version for one in versions if one.reason is None]
    return ModelStock(model.name, desired.chosen(whole), desired.default, versions)


def default_of(model: Path, desired: Desired) -> int | None:
    """What new sessions get: of the versions whose files are all there and unchanged."""
    whole = [one for one in versions_in(model) if fault_of(model / str(one)) is None]
    return desired.chosen(whole)


def fault_of(folder: Path) -> str | None:
    """Why the version in a folder cannot be served, as far as its files say."""
    try:
        read_version(folder)
    except (BundleError, OSError) as error:
        return str(error)
    return None


def as_json(models: Sequence[ModelStock]) -> str:
    return json.dumps([asdict(model) for model in models], indent=2)


def as_text(models: Sequence[ModelStock]) -> str:
    """A line for each version below one for its model."""
    lines = []
    for model in models:
        default = "no default version" if model.default is None else f"default {model.default}"
        pinned = "" if model.wanted_default == "newest" else f", pinned to {model.wanted_default}"
        lines.append(f"{model.name}: {default}{pinned}")
        for one in model.versions:
            reason = "" if one.reason is None else f"  {one.reason}"
            lines.append(f"  {one.version:>4}  {one.state}{reason}")
    return "\n".join(lines)


def _version_stock(model: Path, version: int, desired: Desired) -> VersionStock:
    wish, fault = desired.of(version), fault_of(model / str(version))
    if not wish.takes_sessions:
        state = "withdrawn" if wish.loaded else "dropped"
    elif fault is not None:
        state = "broken"
    else:
        state = "candidate" if wish.candidate else "serving"
    return VersionStock(version, state, fault)
