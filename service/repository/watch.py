"""Versions that appear in the repository while the service runs."""

import asyncio
from pathlib import Path
from threading import Event, Thread

import structlog

from service.bundle.folders import read_version, version_folders
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.errors import GatewiseError
from service.metrics.catalogue import THREAD_FAILURES
from service.repository.models import Models, load_engine

PAUSE_SECONDS = 0.5
"""Shortest time from one search to the next, however many requests miss a version."""

Files = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file of a folder."""

log = structlog.get_logger()


class Watch:
    """Searches the repository for versions that are not loaded, and loads them.

    It searches every `seconds`, and at once when a request has missed a model or a version; never
    with 0. A version that cannot be served is logged once, and again when its files change.
    Versions that vanish from the disk stay loaded.
    """

    def __init__(
        self, models: Models, repository: Path, provider: Provider, seconds: float
    ) -> None:
        self._models = models
        self._repository = repository
        self._provider = provider
        self._seconds = seconds
        self._refused: dict[Path, Files] = {}
        self._unreadable = ""
        self._closing = Event()
        # Reading, hashing and replaying take their time: not on the event loop.
        self._thread = Thread(target=self._watch, name="watch", daemon=True)

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
        """Load every version that is not loaded yet, one after the other."""
        try:
            for folder in version_folders(self._repository):
                if self._closing.is_set():
                    return
                if (folder.parent.name, int(folder.name)) not in self._models:
                    self._consider(folder)
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

    def _consider(self, folder: Path) -> None:
        """Load one version, unless it was refused before with the very same files."""
        # Before they are read: a file that changes meanwhile is tried again.
        files = _files_of(folder)
        if self._refused.get(folder) == files:
            return
        try:
            engine = load_engine(read_version(folder), self._provider)
        except Exception as error:  # whatever is wrong with it, the others are served on
            self._refused[folder] = files
            version = {"model": folder.parent.name, "version": int(folder.name)}
            log.warning("version_refused", **version, reason=_reason(error))
        else:
            self._refused.pop(folder, None)
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


def _reason(error: Exception) -> str:
    known = isinstance(error, GatewiseError)
    return str(error) if known else f"{type(error).__name__}: {error}"
