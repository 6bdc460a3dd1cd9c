"""What is wanted of a model: read, changed by one writer at a time, never half written."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.bundle import desired as desired_file
from service.bundle.desired import (
    DESIRED_FILE,
    Desired,
    Wish,
    change_desired,
    locked,
    read_desired,
)
from service.errors import RepositoryError, RepositoryReadOnly
from tests.contract.sqlite.disks import fill, small_disk

CANDIDATE, WITHDRAWN = Wish(candidate=True), Wish(withdrawn=True)
DROPPED = Wish(withdrawn=True, loaded=False)


@pytest.mark.parametrize(
    ("desired", "chosen"),
    [
        (Desired(), 10),
        (Desired(default=2), 2),
        (Desired(default=7), 10),
        (Desired(versions={10: CANDIDATE}), 2),
        (Desired(versions={10: WITHDRAWN, 2: CANDIDATE}), 1),
        (Desired(default=2, versions={2: WITHDRAWN}), 10),
        (Desired(default=2, versions={2: CANDIDATE}), 2),
        (Desired(versions={10: WITHDRAWN, 2: CANDIDATE, 1: DROPPED}), None),
        (Desired(versions={10: Wish(loaded=False)}), 2),
    ],
)
def test_which_version_new_sessions_get(desired: Desired, chosen: int | None) -> None:
    assert desired.chosen({1, 2, 10}) == chosen
    assert desired.chosen(()) is None


def test_nobody_has_said_anything(tmp_path: Path) -> None:
    assert read_desired(tmp_path) == read_desired(tmp_path / "none") == Desired()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = Desired().with_default(3).with_wish(4, CANDIDATE).with_wish(2, DROPPED)
    assert change_desired(tmp_path, lambda _: made) == made
    assert read_desired(tmp_path) == made
    assert json.loads((tmp_path / DESIRED_FILE).read_bytes()) == {
        "format": 1,
        "default": 3,
        "versions": {"2": {"withdrawn": True, "loaded": False}, "4": {"candidate": True}},
    }
    assert (tmp_path / DESIRED_FILE).stat().st_mode & 0o044 == 0o044, "others read it"
    assert made.named == {2, 3, 4}
    assert made.with_wish(4, Wish()).versions == {2: DROPPED}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Invalid JSON"),
        ('{"default": 3', "Invalid JSON"),
        ("[]", "valid dictionary|object"),
        ('{"default": "oldest"}', "default"),
        ('{"default": 0}', "default"),
        ('{"versions": {"zero": {}}}', "versions"),
        ('{"versions": {"1": {"withdrawn": 5}}}', "versions.1.withdrawn"),
        ('{"versions": {"1": {"paused": true}}}', "versions.1.paused"),
        ('{"format": 2}', "format"),
        ("\xff\xfe", "Invalid JSON"),
    ],
)
def test_what_cannot_be_understood_is_named_and_left_as_it_is(
    text: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / DESIRED_FILE
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(RepositoryError, match=re.escape(str(file))) as found:
        read_desired(tmp_path)
    assert re.search(words, str(found.value))
    assert "\n" not in str(found.value)
    with pytest.raises(RepositoryError, match="correct it, or remove it"):
        change_desired(tmp_path, lambda before: before.with_default(1))
    assert file.read_bytes() == text.encode("latin-1")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / DESIRED_FILE).mkdir()
    with pytest.raises(RepositoryError, match="Is a directory"):
        read_desired(tmp_path)


def test_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        change_desired(disk, lambda before: before.with_default(1))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(RepositoryReadOnly, match=f"{disk} may not be written here"):
            change_desired(disk, lambda before: before.with_default(2))
        assert read_desired(disk).default == 1


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        change_desired(disk, lambda before: before.with_default(1))
        fill(disk)
        with pytest.raises(RepositoryError, match="cannot be written: No space left"):
            change_desired(disk, lambda before: before.with_default(2))
        assert read_desired(disk).default == 1


def test_a_writer_that_holds_on_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desired_file, "LOCK_SECONDS", 0.05)
    with (
        locked(tmp_path),
        pytest.raises(RepositoryError, match="nothing was changed"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


WRITER = """
import sys
from itertools import count
from pathlib import Path
from service.bundle.desired import Wish, change_desired

folder, first, many = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + many):
    change_desired(folder, lambda before: before.with_wish(number, Wish(candidate=True)))
    print(number, flush=True)
"""


def writer(folder: Path, first: int, many: int) -> subprocess.Popen[str]:
    arguments = [str(folder), str(first), str(many)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_writers_do_not_undo_each_other(tmp_path: Path) -> None:
    writers = [writer(tmp_path, first, 30) for first in (1, 101, 201)]
    for one in writers:
        one.communicate()
        assert one.returncode == 0
    expected = {first + number for first in (1, 101, 201) for number in range(30)}
    assert set(read_desired(tmp_path).versions) == expected


def test_kill_9_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """Whatever the writer was doing: the file is whole, has all that was confirmed, and the next
    writer goes on."""
    confirmed = 0
    for attempt in range(6):
        one = writer(tmp_path, confirmed + 1, 100_000)
        assert one.stdout is not None
        for _ in range(3 + attempt):
            confirmed = int(one.stdout.readline())
        time.sleep(0.0007 * attempt)
        os.kill(one.pid, signal.SIGKILL)
        rest, _ = one.communicate()
        confirmed = max([confirmed, *map(int, re.findall(r"^(\d+)\n", rest, re.MULTILINE))])
        found = set(read_desired(tmp_path).versions)
        assert found in ({*range(1, confirmed + 1)}, {*range(1, confirmed + 2)})
    assert change_desired(tmp_path, lambda before: before.with_default(1)).default == 1
