"""Logs of events become sessions."""

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_export.data.events import OTHER, EventLog, EventRoles, load_events
from model_export.errors import DataError
from tests.unit.model_export.data.conftest import WriteFile

Event = tuple[str, int, str]


def log(events: list[Event], header: str = "session,time,item") -> str:
    return (
        header + "\n" + "".join(f"{who},{1_600_000_000 + at},{what}\n" for who, at, what in events)
    )


def sessions(count: int, *items: str) -> list[Event]:
    """`count` sessions one after the other, each of all `items`."""
    return [
        (f"s{number}", 100 * number + at, item)
        for number in range(count)
        for at, item in enumerate(items)
    ]


def names(log: EventLog) -> list[list[str]]:
    return [[log.items[id_] for id_ in session] for session in log.sessions]


def test_sessions_come_in_the_order_of_their_start_and_events_in_that_of_time(
    write: WriteFile,
) -> None:
    events = sessions(12, "a", "b", "a")
    read = load_events(write(log(events[::-1])), min_count=1)
    assert names(read) == [["a", "b", "a"]] * 12
    assert read.items == ("a", "b", OTHER)
    assert read.starts is not None
    assert (np.diff(read.starts) > np.timedelta64(0)).all()
    assert str(read.starts[0])[:19] == "2020-09-13T12:26:40"
    assert [report.role for report in read.columns] == ["session", "time", "item"]


def test_items_that_are_rare_in_training_are_other_everywhere(write: WriteFile) -> None:
    events = sessions(20, "a", "b")
    events += [("s0", 50, "rare"), ("s18", 1850, "late"), ("s19", 1950, "late"), ("s1", 150, "c")]
    read = load_events(write(log(events)), min_count=2)
    assert read.items == ("a", "b", OTHER)
    assert names(read)[0] == ["a", "b", OTHER]
    assert names(read)[18] == ["a", "b", OTHER]
    assert any(f"now {OTHER}: 4" in note for note in read.notes)


def test_the_training_part_alone_counts(write: WriteFile) -> None:
    """An item that is frequent only in the later sessions stays unknown."""
    events = sessions(10, "a", "b") + [
        (who, at + 5000, what) for who, at, what in sessions(10, "new", "a")
    ]
    events = [(f"{who}-{at > 4999}", at, what) for who, at, what in events]
    path = write(log(events))
    assert load_events(path, min_count=5, train=0.5).items == ("a", "b", OTHER)
    assert load_events(path, min_count=5, train=10).items == ("a", "b", OTHER)
    assert load_events(path, min_count=5, train=0.9).items == ("a", "b", "new", OTHER)


@pytest.mark.parametrize(
    ("events", "note"),
    [
        ([(who, -at, what) for who, at, what in sessions(12, "a", "b", "c")],
         "rows that went back in time within their session, sorted: 24"),
        ([event for event in sessions(12, "a", "b") for _ in range(2)],
         "rows that say what another one says in every column, kept: 24"),
        ([*sessions(12, "a", "b"), ("s3", 301, "c")],
         "events at the time of another item of their session, in the file's order: 2"),
    ],
)  # fmt: skip
def test_what_is_odd_about_the_order_of_events_is_told(
    write: WriteFile, events: list[Event], note: str
) -> None:
    others = load_events(write(log(sessions(12, "a", "b"))), min_count=1).notes
    assert load_events(write(log(events)), min_count=1).notes == (*others, note)


def test_times_in_two_units_are_refused(write: WriteFile) -> None:
    events = [f"s{at // 2},{1_600_000_000 + at}{'000' * (at > 9)},a" for at in range(24)]
    with pytest.raises(DataError) as refused:
        load_events(write("\n".join(["session,time,item", *events])), min_count=1)
    assert str(refused.value).endswith(
        "line 12, column 'time': 1600000010000 counts milliseconds since 1970, and 1600000000 in "
        "line 2 seconds; write all times in one unit"
    )


def test_sessions_of_one_event_are_left_out_and_counted(write: WriteFile) -> None:
    read = load_events(write(log([*sessions(12, "a", "b"), ("one", 7, "a")])), min_count=1)
    assert len(read.sessions) == 12
    assert "sessions of one event left out: 1" in read.notes


def test_roles_and_numbers_as_names(write: WriteFile) -> None:
    events = sessions(12, "007", "8")
    path = write(log(events, header="visit,when,product"))
    with pytest.raises(DataError, match="no column 'session'; --session names it, one of visit"):
        load_events(path)
    read = load_events(path, roles=EventRoles("visit", "when", "product"), min_count=1)
    assert read.items == ("007", "8", OTHER)


def test_whole_numbers_of_one_value_are_one_name(write: WriteFile) -> None:
    events = [(f"{at % 12}{'.0' * (at % 2)}", at, item) for at, item in enumerate("789" * 12)]
    events += [(who, at + 100, "7.0") for who, at, _ in events if at < 12]
    events[0] = ("0.00", 0, "7")
    read = load_events(write(log(events)), min_count=1)
    assert len(read.sessions) == 12
    assert set(read.items) == {"7", "8", "9", OTHER}
    assert [report.high for report in read.columns][::2] == ["12 different", "3 different"]
    [session, item] = [note for note in read.notes if "written in several ways" in note]
    assert session.startswith("'session': numbers written in several ways are one session, such as")
    assert item.endswith("one item, such as '7.0' and '7' (such rows: 12)")


def test_numbers_that_a_float_does_not_hold_are_names_of_their_own(write: WriteFile) -> None:
    long = ["90071992547409930", "90071992547409931", "90071992547409929"]
    assert len(load_events(write(log(sessions(12, *long))), min_count=1).items) == 4


def test_a_vocabulary_is_kept(write: WriteFile) -> None:
    path = write(log(sessions(12, "a", "b", "c")))
    read = load_events(path, items=("b", OTHER, "a"))
    assert read.items == ("b", OTHER, "a")
    assert names(read)[0] == ["a", "b", OTHER]
    with pytest.raises(DataError, match="1 item such as 'c' unknown to the vocabulary"):
        load_events(path, items=("b", "a"))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([*sessions(12, "a", "b"), ("s1", 199, "")], "line 26, column 'item': no item (rows w"),
        ([*sessions(12, "a", "b"), ("", 199, "a")], "line 26, column 'session': no session (rows"),
        ([*sessions(12, "a", "b"), ("s1", 199, "N/A")],
         "line 26, column 'item': 'N/A' stands for a missing value, so that there is no item"),
        (sessions(12, "1", "Null"), "line 3, column 'item': 'Null' stands for a missing value, so "
         "that there is no item (rows without one: 12); remove such rows, or write another word"),
        (sessions(12, "1", "2", "01"), "line 4, column 'item': '01' is the same number as '1' in "
         "line 2, and may be another item; write each item in one way"),
        (sessions(12, "1.10", "2", "1.1"), "line 4, column 'item': '1.1' is the same number as '"),
        (sessions(3, "a", "b"), "3 sessions of two events or more, at least 10 are needed"),
        (sessions(12, "a"), "0 sessions of two events"),
        ([(who, at, f"{who}{what}") for who, at, what in sessions(12, "a", "b")],
         "no item comes 5 times in the training part; the most frequent comes 1 times"),
        (sessions(12, OTHER, "b"), "an item is named '(other)'"),
    ],
)  # fmt: skip
def test_logs_that_cannot_be_used_are_refused(
    write: WriteFile, events: list[Event], message: str
) -> None:
    with pytest.raises(DataError) as refused:
        load_events(write(log(events)))
    assert message in str(refused.value)


def test_a_cell_of_parquet_that_is_no_number_is_no_item(write: WriteFile) -> None:
    path = write(log(sessions(12, "1", "2"))).replace(".csv", ".parquet")
    table = pl.DataFrame({"session": [at // 2 for at in range(24)], "time": range(24)})
    for gap in (None, float("nan")):
        items = [gap if at == 5 else float(at % 2) for at in range(24)]
        table.with_columns(item=pl.Series(items)).write_parquet(path)
        with pytest.raises(DataError, match=r"row 6, column 'item': .*no item \(rows without"):
            load_events(path, min_count=1)


def test_parquet_holds_the_same(write: WriteFile) -> None:
    path = write(log(sessions(12, "a", "b")))
    moved = path.replace(".csv", ".parquet")
    pl.read_csv(path).write_parquet(moved)
    assert names(load_events(moved, min_count=1)) == names(load_events(path, min_count=1))


EVENTS = st.lists(
    st.tuples(st.sampled_from("pqrstuvwxyz"), st.integers(0, 50), st.sampled_from("abcd")),
    min_size=40,
    max_size=80,
)


@given(EVENTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_is_in_its_session(write: WriteFile, events: list[Event]) -> None:
    """By a plain loop: sessions of two or more, each in the order of time and then of the file."""
    expected: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for who, at, what in events:
        expected[who].append((at, what))
    long = [sorted(one, key=lambda pair: pair[0]) for one in expected.values() if len(one) > 1]
    if len(long) < 10:
        return
    read = load_events(write(log(events)), min_count=1, train=1.0)
    assert sorted(names(read)) == sorted([what for _, what in one] for one in long)
    assert read.starts is not None
    starts = [int(start.astype(np.int64) // 1_000_000 - 1_600_000_000) for start in read.starts]
    assert starts == sorted(one[0][0] for one in long)
