"""All the models that this process serves."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock

from service.bundle.bundle import Bundle, read_manifest
from service.bundle.desired import Desired
from service.bundle.folders import is_version
from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.engine.golden import replay
from service.engine.provider import Provider
from service.errors import (
    BundleError,
    ModelNotFound,
    NoDefaultVersion,
    VersionMissing,
    VersionNotFound,
    VersionRefused,
    VersionUnavailable,
    VersionWithdrawn,
)
from service.repository.versions import Versions


class Models:
    """Engines by name and version, and which of them may serve what begins now.

    Any thread may read while others change something: a change puts new tables in the place of
    the old ones, so that a reader sees it wholly or not at all.
    """

    def __init__(self, engines: Iterable[Engine] = (), repository: Path | None = None) -> None:
        """`repository` is where versions that are not loaded yet may lie."""
        self._repository = repository
        self._engines: Mapping[str, Mapping[int, Engine]] = {}
        self._versions: Mapping[str, Versions] = {}
        self._changing = Lock()
        self.missed = Event()
        """Set when something was asked for that is not loaded; it may lie in the repository."""
        for engine in engines:
            self.add(engine)

    def __iter__(self) -> Iterator[Engine]:
        for versions in self._engines.values():
            yield from versions.values()

    def __contains__(self, version: tuple[str, int]) -> bool:
        name, number = version
        return number in self._engines.get(name, {})

    def add(self, engine: Engine) -> None:
        """Serve one more version, unless it was dropped while it was loaded."""
        name, version = engine.manifest.name, engine.manifest.version
        with self._changing:
            known = self._versions.get(name) or Versions(name, desired=Desired())
            if known.is_wanted(version):
                self._put(
                    replace(
                        known,
                        engines={**known.engines, version: engine},
                        published=known.published | {version},
                        refused=_without(known.refused, version),
                    )
                )

    def refuse(self, name: str, version: int, reason: str) -> None:
        """Know of a version that it cannot be served."""
        with self._changing:
            known = self._versions.get(name) or Versions(name)
            self._put(replace(known, refused={**known.refused, version: reason}))

    def publish(self, name: str, published: Set[int]) -> Set[int]:
        """Know which versions lie in the repository; returns those that have vanished from it."""
        with self._changing:
            known = self._versions.get(name) or Versions(name)
            refused = {one: why for one, why in known.refused.items() if one in published}
            self._put(replace(known, published=frozenset(published), refused=refused))
        return (known.published - published) & known.engines.keys()

    def follow(self, name: str, desired: Desired) -> None:
        """Go by what is wanted of a model from now on; what is dropped serves nobody any more."""
        with self._changing:
            known = self._versions.get(name) or Versions(name)
            engines = {one: e for one, e in known.engines.items() if desired.of(one).loaded}
            self._put(replace(known, desired=desired, engines=engines, problem=None))

    def doubt(self, name: str, problem: str) -> None:
        """Go on by what was wanted of a model: what is wanted now cannot be read."""
        with self._changing:
            known = self._versions.get(name) or Versions(name)
            self._put(replace(known, problem=problem))

    def names(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        return sorted(name for name, known in self._versions.items() if known.numbers)

    def of(self, name: str) -> Versions:
        """All that is known of a model. Raises ModelNotFound."""
        known = self._versions.get(name)
        if known is None or not known.numbers:
            self.missed.set()
            there = ", ".join(self.names())
            raise ModelNotFound(f"there is no model {name!r}; served here: {there}")
        return known

    def default(self, name: str) -> Engine:
        """The version that serves whoever names none. Raises ModelNotFound, NoDefaultVersion."""
        known = self.of(name)
        if known.default is None:
            raise NoDefaultVersion(known.why_no_default())
        return known.default

    def version(self, name: str, version: int) -> Engine:
        """The very version that a session is pinned to.

        Raises VersionUnavailable, VersionRefused, VersionMissing.
        """
        engine = self._engines.get(name, {}).get(version)
        if engine is None:
            raise self._absence(name, version)
        return engine

    def wanted(self, name: str, version: int) -> Engine:
        """A version that a caller asks for by its number, to look at it or to run it.

        Raises ModelNotFound, VersionNotFound, and what `version` raises where it is published and
        not loaded.
        """
        self.of(name)
        if (name, version) not in self and not self._is_published(name, version):
            raise self._not_found(name, version)
        return self.version(name, version)

    def opened(self, name: str, version: int | None = None) -> Engine:
        """The version for what begins now: the one that is asked for, or the default one.

        Raises what `default` and `wanted` raise, VersionWithdrawn.
        """
        if version is None:
            return self.default(name)
        known = self.of(name)
        self.check_open(name, version)
        is_loaded_still = version in known.engines and version not in known.published
        # Perhaps it has come back since the repository was read.
        if is_loaded_still and not self._is_published(name, version):
            raise self._not_found(name, version)
        return self.wanted(name, version)

    def check_open(self, name: str, version: int) -> None:
        """Raises VersionWithdrawn where a version takes no new sessions."""
        known = self._versions.get(name)
        if known is not None and not known.takes_sessions(version):
            raise VersionWithdrawn(
                f"version {version} of model {name!r} is withdrawn and takes no new sessions; "
                "migrate to another version, or restore it with: "
                f"python -m service models restore {name} {version}"
            )

    def manifest(self, name: str, version: int) -> Manifest:
        """Of a version that is loaded, or that lies in the repository. Raises as `version` does."""
        engine = self._engines.get(name, {}).get(version)
        if engine is not None:
            return engine.manifest
        if self._repository is not None:
            try:
                return read_manifest(self._repository / name / str(version))
            except (BundleError, OSError):
                pass
        raise self._absence(name, version)

    def versions(self, name: str) -> list[int]:
        """Every version of a model, ascending. Raises ModelNotFound."""
        return self.of(name).numbers

    def refused(self) -> list[tuple[str, int, str]]:
        """Every version that is in the repository and cannot be served, and why."""
        return [
            (name, one, known.refused[one])
            for name, known in sorted(self._versions.items())
            for one in sorted(known.refused)
        ]

    def _put(self, after: Versions) -> None:
        """Only whoever holds the lock may do it."""
        self._versions = {**self._versions, after.name: after}
        self._engines = {**self._engines, after.name: after.engines}

    def _absence(self, name: str, version: int) -> VersionUnavailable:
        """Why a version is not loaded."""
        known, what = self._versions.get(name), f"version {version} of model {name!r}"
        if known is not None and not known.is_wanted(version):
            return VersionMissing(
                f"{what} was withdrawn and dropped; its sessions are intact: migrate them, or "
                f"restore it with: python -m service models restore {name} {version}"
            )
        if known is not None and version in known.refused:
            return VersionRefused(
                f"{what} cannot be served; sessions on it are intact: {known.refused[version]}"
            )
        self.missed.set()
        if self._is_gone(name, version):
            return VersionMissing(
                f"{what} is not in the repository; sessions on it are intact and go on when it is "
                "there again"
            )
        return VersionUnavailable(
            f"{what} is not served here (yet); sessions on it are intact and go on when it is in "
            "the repository"
        )

    def _not_found(self, name: str, version: int) -> VersionNotFound:
        known = ", ".join(str(one.version) for one in self.of(name).states if one.loaded)
        return VersionNotFound(
            f"there is no version {version} of model {name!r}; served here: {known}"
        )

    def _is_published(self, name: str, version: int) -> bool:
        """Whether the repository holds a version; also where it cannot be read just now."""
        return self._repository is not None and not self._is_gone(name, version)

    def _is_gone(self, name: str, version: int) -> bool:
        """Whether a version is surely not in the repository."""
        if self._repository is None:
            return False
        try:
            return not is_version(self._repository / name / str(version))
        except OSError:
            return False


def _without(reasons: Mapping[int, str], version: int) -> Mapping[int, str]:
    return {one: reason for one, reason in reasons.items() if one != version}


def load_engine(bundle: Bundle, provider: Provider) -> Engine:
    """Open a bundle and replay its golden vectors. Raises BundleError, ProviderUnavailable."""
    engine = Engine(bundle, provider)
    replay(engine)
    return engine


def load_models(
    bundles: Iterable[Bundle], provider: Provider, repository: Path | None = None
) -> Models:
    """Open every bundle and replay its golden vectors. Raises BundleError, ProviderUnavailable."""
    return Models([load_engine(bundle, provider) for bundle in bundles], repository)
