"""What appears in the repository while the service runs, what vanishes, and what is wanted."""

import asyncio
from collections import defaultdict
from pathlib import Path
from threading import Event, Thread

import structlog

from service.bundle.folders import holds_no_model, read_version, version_folders
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.errors import BundleCorrupt, GatewiseError, ProviderUnavailable, RepositoryError
from service.metrics.catalogue import THREAD_FAILURES
from service.repository.desired import Steering
from service.repository.models import Models, load_engine

PAUSE_SECONDS = 0.5
"""Shortest time from one search to the next, however many requests miss a version."""

Files = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file of a folder."""

log = structlog.get_logger()


class Watch:
    """Searches the repository for versions that are not loaded, loads them, and keeps to what is
    wanted of each model.

    It searches every `seconds`, and at once when a request has missed a model or a version; never
    with 0. A version that cannot be served is logged once, and again when its files change.
    Versions that vanish from the disk stay loaded, and take no new sessions.
    """

    def __init__(
        self, models: Models, repository: Path, provider: Provider, seconds: float
    ) -> None:
        self.steering = Steering(models, repository)
        self._models = models
        self._repository = repository
        self._provider = provider
        self._seconds = seconds
        self._refused: dict[Path, tuple[Files, GatewiseError]] = {}
        self._unreadable = ""
        self._closing = Event()
        # Reading, hashing and replaying take their time: not on the event loop.
        self._thread = Thread(target=self._watch, name="watch", daemon=True)

    def begin(self, *, strict: bool = False) -> None:
        """The first search, before anything is served.

        What cannot be served keeps nothing else from being served; but it is an error where
        nothing can be, and with `strict`. Raises BundleError, RepositoryError,
        ProviderUnavailable.
        """
        try:
            self._search()
        except OSError as failure:
            raise RepositoryError(f"{self._repository} cannot be read: {failure}") from None
        for _, error in self._refused.values():
            if strict or isinstance(error, ProviderUnavailable) or not list(self._models):
                raise error
        for name in self._models.names():
            if strict and (problem := self._models.of(name).problem) is not None:
                raise RepositoryError(problem)
        if not self._models.names():
            raise holds_no_model(self._repository)

    def start(self) -> None:
        """Search from now on, in a thread of its own."""
        if self._seconds > 0:
            self._thread.start()

    async def close(self) -> None:
        """Stop, once a version that is being loaded is done."""
        self._closing.set()
        self._models.missed.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def search(self) -> None:
        """Go by what is wanted, and load every version that is not loaded yet."""
        try:
            self._search()
        except (GatewiseError, OSError) as error:
            if str(error) != self._unreadable:
                log.warning("repository_unreadable", reason=str(error))
            self._unreadable = str(error)
        else:
            self._unreadable = ""

    def _watch(self) -> None:
        while not self._closing.wait(PAUSE_SECONDS):
            self._models.missed.wait(self._seconds)
            self._models.missed.clear()
            try:
                self.search()
            except Exception:  # a mistake of ours; versions to come must be found all the same
                THREAD_FAILURES.labels("watch").inc()
                log.exception("watch_failed")

    def _search(self) -> None:
        published: dict[str, dict[int, Path]] = defaultdict(dict)
        for folder in version_folders(self._repository):
            published[folder.parent.name][int(folder.name)] = folder
        if not published and self._models.names():
            # A volume that is not mounted looks like this: nobody wants to lose everything at once.
            raise holds_no_model(self._repository)
        for name in {*published, *self._models.names()}:
            self._take_stock(name, published[name])
        there = {folder for folders in published.values() for folder in folders.values()}
        self._refused = {one: why for one, why in self._refused.items() if one in there}
        for name in sorted(published):
            for version, folder in published[name].items():
                if self._closing.is_set():
                    return
                if self._is_due(name, version):
                    self._consider(folder)

    def _take_stock(self, name: str, published: dict[int, Path]) -> None:
        """Before anything is loaded, which may take long.

        What is wanted is read after the folders: who publishes a candidate says so first.
        """
        for version in self._models.publish(name, published.keys()):
            log.warning("version_vanished", model=name, version=version)
        if name in self._models.names():
            self.steering.follow(name)

    def _is_due(self, name: str, version: int) -> bool:
        return (name, version) not in self._models and self._models.of(name).is_wanted(version)

    def _consider(self, folder: Path) -> None:
        """Load one version, unless it was refused before with the very same files."""
        # Before they are read: a file that changes meanwhile is tried again.
        files = _files_of(folder)
        name, version = folder.parent.name, int(folder.name)
        if folder in self._refused and self._refused[folder][0] == files:
            return
        try:
            engine = load_engine(read_version(folder), self._provider)
        except Exception as error:  # whatever is wrong with it, the others are served on
            refusal = _refusal(folder, error)
            self._refused[folder] = files, refusal
            self._models.refuse(name, version, str(refusal))
            log.warning("version_refused", model=name, version=version, reason=str(refusal))
        else:
            self._refused.pop(folder, None)
            # Somebody may have changed his mind while it was loaded.
            self.steering.follow(name)
            self._models.add(engine)
            log_loaded(engine)


def log_loaded(engine: Engine) -> None:
    manifest = engine.manifest
    log.info(
        "model_loaded", model=manifest.name, version=manifest.version, provider=engine.provider
    )


def _files_of(folder: Path) -> Files:
    """Nothing for a folder that cannot be read."""
    try:
        stats = {file.name: file.stat() for file in folder.iterdir()}
    except OSError:
        return ()
    return tuple((name, stats[name].st_size, stats[name].st_mtime_ns) for name in sorted(stats))


def _refusal(folder: Path, error: Exception) -> GatewiseError:
    if isinstance(error, GatewiseError):
        return error
    return BundleCorrupt(f"{folder}: {type(error).__name__}: {error}")
