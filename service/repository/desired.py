"""Choosing the default version of a model, withdrawing versions and restoring them.

The functions change a repository, whoever serves from it; `Steering` does so for a process that
serves, which then goes by it at once.
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from service.bundle.desired import Default, Desired, Wish, change_desired, read_desired
from service.bundle.folders import is_name, versions_in
from service.errors import ModelNotFound, RepositoryError, VersionNotFound, VersionWithdrawn
from service.repository.models import Models

log = structlog.get_logger()


def choose_default(repository: Path, name: str, default: Default) -> Desired:
    """Pin a version as the default, or go by the rule again with `newest`.

    A candidate that is chosen is one no more. Raises ModelNotFound, VersionNotFound,
    VersionWithdrawn, RepositoryError.
    """
    model = model_folder(repository, name)

    def change(desired: Desired) -> Desired:
        if default == "newest":
            return desired.with_default(default)
        _check_published(model, default)
        wish = desired.of(default)
        if not wish.takes_sessions:
            raise VersionWithdrawn(
                f"version {default} of model {name!r} is withdrawn; restore it first"
            )
        chosen = wish.model_copy(update={"candidate": False})
        return desired.with_wish(default, chosen).with_default(default)

    return change_desired(model, change)


def withdraw(
    repository: Path, name: str, version: int, *, drop: bool = False, loaded: Collection[int] = ()
) -> Desired:
    """Have a version take no new sessions; with `drop`, have it serve nobody.

    It is pinned no more. `loaded` are versions that may have vanished from the repository and are
    served all the same. Raises ModelNotFound, VersionNotFound, RepositoryError.
    """
    model = model_folder(repository, name)

    def change(desired: Desired) -> Desired:
        _check_published(model, version, {*loaded, *desired.named})
        changes = {"withdrawn": True, "loaded": desired.of(version).loaded and not drop}
        wish = desired.of(version).model_copy(update=changes)
        without = desired.with_default("newest") if desired.default == version else desired
        return without.with_wish(version, wish)

    return change_desired(model, change)


def restore(repository: Path, name: str, version: int) -> Desired:
    """Undo `withdraw`, except that the version is not pinned again: a candidate is one again.

    Raises ModelNotFound, VersionNotFound, RepositoryError.
    """
    model = model_folder(repository, name)

    def change(desired: Desired) -> Desired:
        _check_published(model, version, desired.named)
        return desired.with_wish(version, Wish(candidate=desired.of(version).candidate))

    return change_desired(model, change)


def model_folder(repository: Path, name: str) -> Path:
    """Raises ModelNotFound."""
    if not is_name(name) or not (repository / name).is_dir():
        raise ModelNotFound(f"there is no model {name!r} in {repository}")
    return repository / name


def _check_published(model: Path, version: int, known: Collection[int] = ()) -> None:
    published = versions_in(model)
    if version not in published and version not in known:
        there = ", ".join(map(str, published)) or "none"
        raise VersionNotFound(
            f"there is no version {version} of model {model.name!r}; in the repository: {there}"
        )


class Steering:
    """Keeps the models of this process to what is wanted, whoever wrote it."""

    def __init__(self, models: Models, repository: Path) -> None:
        self._models = models
        self._repository = repository
        # From reading the file to going by it: what was read first must not come last.
        self._lock = Lock()

    def follow(self, name: str) -> None:
        """Read what is wanted of a model, and go by it; where that fails, by what was read last."""
        with self._lock:
            before = self._models.of(name)
            try:
                self._go_by(name, read_desired(self._repository / name))
            except RepositoryError as error:
                self._models.doubt(name, str(error))
                if str(error) != before.problem:
                    log.warning("desired_unreadable", model=name, reason=str(error))

    def choose_default(self, name: str, default: Default) -> None:
        """Raises what the function does, and what `Models.opened` raises for a version that is
        not loaded here."""
        self._models.of(name)
        if default != "newest":
            self._models.opened(name, default)
        self._change(name, partial(choose_default, self._repository, name, default))

    def withdraw(self, name: str, version: int, *, drop: bool = False) -> None:
        """Raises what the function does."""
        loaded = self._models.of(name).engines.keys()
        order = partial(withdraw, self._repository, name, version, drop=drop, loaded=loaded)
        self._change(name, order)

    def restore(self, name: str, version: int) -> None:
        """Raises what the function does. A version that was dropped is loaded soon."""
        self._models.of(name)
        self._change(name, partial(restore, self._repository, name, version))
        self._models.missed.set()

    def _change(self, name: str, order: Callable[[], Desired]) -> None:
        with self._lock:
            self._go_by(name, order())

    def _go_by(self, name: str, desired: Desired) -> None:
        before = self._models.of(name)
        self._models.follow(name, desired)
        if desired != (before.desired or Desired()):
            default = self._models.of(name).default
            log.info(
                "desired_followed",
                model=name,
                wanted=desired.default,
                default=None if default is None else default.manifest.version,
            )
