"""The examples of docs/sessions.md are run as printed; its figures are those of the code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.edges.http.events import WAITING_SECONDS
from service.edges.v1.requests import MAX_ITEMS, MAX_METADATA_BYTES
from service.operations.keys import MAX_KEY_BYTES
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS
from tests.docs.console import TOLERANCE, as_json, examples_of, matches, run
from tests.service_process import ServiceProcess, running_service

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "sessions.md"


@pytest.fixture(scope="module")
def demo_service(
    demo_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("sessions")
    store = f"sqlite:///{folder / 'sessions.db'}"
    with running_service(demo_repository, store, folder / "log") as service:
        yield service


def test_examples_answer_what_is_shown(demo_service: ServiceProcess) -> None:
    examples = examples_of(DOCUMENT)
    assert len(examples) == 8
    printed = [run(example.command, demo_service.url) for example in examples]
    for example, found in zip(examples, printed, strict=True):
        read = events_in if example.shown.startswith("event: ") else as_json
        assert matches(read(example.shown), read(found), tolerance=TOLERANCE), f"{example}\n{found}"
    assert printed[1] == printed[2], "a retry gets the same bytes"


def events_in(text: str) -> object:
    """Server-sent events as a list of their names and data."""
    lines = [event.split("\n") for event in text.strip().split("\n\n")]
    return [[name, as_json(data.removeprefix("data: "))] for name, data in lines]


def test_figures_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text("utf-8")
    for figure in (
        f"**{KEPT_RECEIPTS} latest**",
        f"**{KEPT_ANSWER_BYTES:,} bytes**",
        f"1 to {MAX_KEY_BYTES} bytes",
        f"up to {MAX_METADATA_BYTES // 1024} KiB",
        f"up to {MAX_ITEMS:,} items",
        f"at most {KEPT_RECEIPTS} items of one session",
        f"every {WAITING_SECONDS:.0f} seconds",
    ):
        assert figure in text, figure
