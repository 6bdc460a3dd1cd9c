"""What is wanted of a model's versions: `desired.json` in the model's folder.

It holds only what differs from the rule, by which the newest version serves new sessions:

    {"format": 1, "default": 3, "versions": {"4": {"candidate": true}, "2": {"withdrawn": true}}}

The services that read the repository, the commands and publishing all go by this file, and there is
no second list. A writer holds a lock on a file beside it, reads, writes a new file and renames it:
readers need no lock and never see half of one, and no writer undoes another's change. The lock is
`flock`: it holds between processes of one machine, and between machines on a file system that
passes it on (NFS 4 does, a mount with `nolock` or `local_lock` does not).
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import RepositoryError, RepositoryReadOnly

DESIRED_FILE = "desired.json"
_NEW_FILE = ".desired.json.new"
_LOCK_FILE = ".desired.lock"

LOCK_SECONDS = 10.0
"""How long a writer waits for another one, which holds the lock for milliseconds."""
_PAUSE_SECONDS = 0.02

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)

Number = Annotated[int, Field(gt=0)]
Default = Number | Literal["newest"]


class _Record(BaseModel):
    # What a newer release has added is not ignored here: writing the file again would lose it.
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wish(_Record):
    """What is wanted of one version.

    A `candidate` is never the default by the rule. One that is `withdrawn` takes no new sessions.
    One that shall not be `loaded` serves nobody.
    """

    candidate: bool = False
    withdrawn: bool = False
    loaded: bool = True

    @property
    def takes_sessions(self) -> bool:
        return self.loaded and not self.withdrawn


_ORDINARY = Wish()


class Desired(_Record):
    """What is wanted of a model: its default version, and of each version what is not the rule."""

    format: Literal[1] = 1
    default: Default = "newest"
    versions: dict[Number, Wish] = {}

    def of(self, version: int) -> Wish:
        return self.versions.get(version, _ORDINARY)

    def chosen(self, among: Collection[int]) -> int | None:
        """The version that serves new sessions, of those that could; None where none may.

        The pinned one where it may; else the newest that is no candidate.
        """
        takes = [version for version in among if self.of(version).takes_sessions]
        if self.default in takes:
            return self.default if isinstance(self.default, int) else None
        return max((one for one in takes if not self.of(one).candidate), default=None)

    def with_default(self, default: Default) -> "Desired":
        return self.model_copy(update={"default": default})

    def with_wish(self, version: int, wish: Wish) -> "Desired":
        others = {one: kept for one, kept in self.versions.items() if one != version}
        versions = others if wish == _ORDINARY else {**others, version: wish}
        return self.model_copy(update={"versions": dict(sorted(versions.items()))})

    @property
    def named(self) -> set[int]:
        """Every version that the file speaks of, whether it is published or not."""
        pinned = {self.default} if isinstance(self.default, int) else set()
        return {*self.versions, *pinned}


def read_desired(model: Path) -> Desired:
    """What is wanted of the model in a folder; the rule where nobody has said anything.

    Raises RepositoryError, naming the file, where it cannot be read or understood.
    """
    file = model / DESIRED_FILE
    try:
        return Desired.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Desired()
    except OSError as error:
        raise RepositoryError(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RepositoryError(
            f"{file}: {place}: {first['msg']}; correct it, or remove it to go by the rule again"
        ) from None


def change_desired(model: Path, change: Callable[[Desired], Desired]) -> Desired:
    """Put what `change` makes of the present state in its place; returns it.

    Raises RepositoryError, RepositoryReadOnly and what `change` raises; nothing is written then.
    """
    with locked(model):
        before = read_desired(model)
        after = change(before)
        if after != before:
            write_desired(model, after)
    return after


@contextmanager
def locked(model: Path) -> Iterator[None]:
    """Keep every other writer of a model's desired state out. A process that dies lets go of it.

    Raises RepositoryError, RepositoryReadOnly.
    """
    try:
        descriptor = _open_lock(model / _LOCK_FILE)
    except OSError as error:
        raise _not_written(model, error) from None
    try:
        _wait_for(descriptor, model)
        yield
    finally:
        os.close(descriptor)


def _open_lock(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        # Made by another user who may write in this folder as well.
        return os.open(file, os.O_RDONLY)


def _wait_for(descriptor: int, model: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RepositoryError(
                    f"another process has held {model / _LOCK_FILE} for {LOCK_SECONDS:.0f} s; "
                    "nothing was changed"
                ) from None
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            raise _not_written(model, error) from None
        else:
            return


def write_desired(model: Path, desired: Desired) -> None:
    """By one rename, and on the disk when this returns. Only whoever holds the lock may do it.

    Raises RepositoryError, RepositoryReadOnly.
    """
    new = model / _NEW_FILE
    said = {"format": desired.format, **desired.model_dump(mode="json", exclude_defaults=True)}
    try:
        # Left by a writer that was killed, perhaps of another user.
        with suppress(FileNotFoundError):
            new.unlink()
        with new.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(said, indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(model / DESIRED_FILE)
        _flush(model)
    except OSError as error:
        raise _not_written(model, error) from None


def _flush(folder: Path) -> None:
    """Have the rename on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(model: Path, error: OSError) -> RepositoryError:
    if error.errno in _READ_ONLY:
        return RepositoryReadOnly(
            f"{model} may not be written here ({error.strerror}); nothing was changed. Run "
            "`python -m service models` where it may, and every service that reads it follows"
        )
    return RepositoryError(f"{model / DESIRED_FILE} cannot be written: {error.strerror}")
