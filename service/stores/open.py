"""From a store's URL to the store."""

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from service.errors import StoreError
from service.stores.memory import MemoryStore
from service.stores.sqlite import SqliteStore
from service.stores.store import Store


def open_store(url: str, durability: Literal["normal", "full"]) -> Store:
    """Open `memory://` or `sqlite:///PATH` (relative; `sqlite:////PATH` is absolute).

    Raises StoreError for any other URL, and for a file that cannot be used.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "memory" and separator and not rest:
        return MemoryStore()
    if scheme == "sqlite" and rest.startswith("/") and rest not in ("/", "/:memory:"):
        return SqliteStore(Path(unquote(rest[1:])), durability)
    raise StoreError(f"store {url!r} is not understood; use sqlite:///PATH or memory://")
