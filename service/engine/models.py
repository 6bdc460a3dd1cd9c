"""All the models that this process serves."""

from collections.abc import Iterable, Iterator

from service.bundle.bundle import Bundle
from service.engine.engine import Engine
from service.engine.golden import replay
from service.engine.provider import Provider
from service.errors import ModelNotFound


class Models:
    """Engines by name and version; immutable once made."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self._engines: dict[str, dict[int, Engine]] = {}
        for engine in engines:
            versions = self._engines.setdefault(engine.manifest.name, {})
            versions[engine.manifest.version] = engine

    def __iter__(self) -> Iterator[Engine]:
        for versions in self._engines.values():
            yield from versions.values()

    def names(self) -> list[str]:
        """The names of all models, sorted."""
        return sorted(self._engines)

    def latest(self, name: str) -> Engine:
        """The highest version of a model. Raises ModelNotFound."""
        versions = self._engines.get(name)
        if versions is None:
            known = ", ".join(self.names())
            raise ModelNotFound(f"there is no model {name!r}; served here: {known}")
        return versions[max(versions)]

    def version(self, name: str, version: int) -> Engine:
        """The very version that a session began with. Raises ModelNotFound."""
        engine = self._engines.get(name, {}).get(version)
        if engine is None:
            raise ModelNotFound(
                f"version {version} of model {name!r} is not in the repository any more; "
                "restore it there, or create a new session"
            )
        return engine

    def versions(self, name: str) -> list[int]:
        """Every version of a model, ascending. Raises ModelNotFound."""
        self.latest(name)
        return sorted(self._engines[name])


def load_models(bundles: Iterable[Bundle], provider: Provider) -> Models:
    """Open every bundle and replay its golden vectors. Raises BundleError."""
    engines = [Engine(bundle, provider) for bundle in bundles]
    for engine in engines:
        replay(engine)
    return Models(engines)
