"""What an operator does to a store, beside the services that use it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime

from service.app import store_of
from service.settings import Settings
from service.stores.open import shown


def accept_clock(settings: Settings) -> str:
    """Trust the clock of the store as it is now; running services follow within a minute.

    Raises StoreError.
    """
    with closing(store_of(settings)) as store:
        doubt = store.clock_held
        store.accept_clock()
        now = datetime.fromtimestamp(store.now(), UTC).isoformat(timespec="seconds")
    was = "it was not in doubt" if doubt is None else f"before: {doubt}"
    return f"the clock of {shown(settings.store)} is accepted as {now} ({was})"


def finish_upgrade(settings: Settings) -> str:
    """Write everything as this release does, once all services are of it. Raises StoreError."""
    with closing(store_of(settings)) as store:
        written = store.finish_upgrade()
    return f"{shown(settings.store)} is upgraded; {written} sessions were written anew"


COMMANDS: Mapping[tuple[str, str], Callable[[Settings], str]] = {
    ("clock", "accept"): accept_clock,
    ("store", "finish-upgrade"): finish_upgrade,
}
"""By the words on the command line; each returns a line that says what was done."""
