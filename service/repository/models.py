"""All the models that this process serves."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Event

from service.bundle.bundle import Bundle
from service.bundle.folders import is_version
from service.engine.engine import Engine
from service.engine.golden import replay
from service.engine.provider import Provider
from service.errors import ModelNotFound, VersionNotFound, VersionUnavailable


class Models:
    """Engines by name and version. They only ever become more.

    Any thread may read while one thread adds: adding puts a new table in the place of the old
    one, so that a reader sees a version wholly or not at all.
    """

    def __init__(self, engines: Iterable[Engine] = (), repository: Path | None = None) -> None:
        """`repository` is where versions that are not loaded yet may lie."""
        self._repository = repository
        self._engines: Mapping[str, Mapping[int, Engine]] = {}
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
        """Serve one more version; new sessions get it from now on if it is the latest."""
        name, version = engine.manifest.name, engine.manifest.version
        versions = {**self._engines.get(name, {}), version: engine}
        self._engines = {**self._engines, name: versions}

    def names(self) -> list[str]:
        """The names of all models, sorted."""
        return sorted(self._engines)

    def latest(self, name: str) -> Engine:
        """The highest version of a model. Raises ModelNotFound."""
        versions = self._engines.get(name)
        if versions is None:
            self.missed.set()
            known = ", ".join(self.names())
            raise ModelNotFound(f"there is no model {name!r}; served here: {known}")
        return versions[max(versions)]

    def version(self, name: str, version: int) -> Engine:
        """The very version that a session is pinned to. Raises VersionUnavailable."""
        engine = self._engines.get(name, {}).get(version)
        if engine is None:
            self.missed.set()
            raise VersionUnavailable(
                f"version {version} of model {name!r} is not served here (yet); sessions on it are "
                "intact and go on when it is in the repository"
            )
        return engine

    def wanted(self, name: str, version: int) -> Engine:
        """A version that a caller asks for by its number.

        Raises VersionNotFound, or VersionUnavailable where it is published and not loaded yet.
        """
        if (name, version) not in self and not self._is_published(name, version):
            served = ", ".join(map(str, self.versions(name)))
            raise VersionNotFound(
                f"there is no version {version} of model {name!r}; served here: {served}"
            )
        return self.version(name, version)

    def versions(self, name: str) -> list[int]:
        """Every version of a model, ascending. Raises ModelNotFound."""
        self.latest(name)
        return sorted(self._engines[name])

    def _is_published(self, name: str, version: int) -> bool:
        """Whether the repository holds a version; also where it cannot be read just now."""
        if self._repository is None:
            return False
        try:
            return is_version(self._repository / name / str(version))
        except OSError:
            return True


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
