"""The log of calls, from a small folder of Python files."""

from pathlib import Path

from benchmarks.figures.stdlib_calls import events_of, write_calls

SOURCE = """
import os

top()

def first(a, *, b=default()):
    one(two(), key=three(b)).four().five(six)
    handlers[0]()
    def inner():
        seven()
    class Local:
        eight()
        def method(self):
            nine()
    return [ten(x) for x in eleven()]

class Outer:
    async def run(self):
        await self.twelve.thirteen()

if os:
    def first(): fourteen()
else:
    def first(): fifteen()
"""


def items(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in events_of(folder):
        found.setdefault(event.session, []).append(event.item)
    return found


def test_each_function_calls_in_the_order_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(SOURCE, "utf-8")
    assert items(tmp_path) == {
        "module.py:first:6": ["one", "two", "three", "four", "five", "ten", "eleven"],
        "module.py:first.inner:9": ["seven"],
        "module.py:first.Local.method:13": ["nine"],
        "module.py:Outer.run:18": ["thirteen"],
        "module.py:first:22": ["fourteen"],
        "module.py:first:24": ["fifteen"],
    }


def test_time_counts_on_from_file_to_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text("def f():\n    g()\n    h()\n", "utf-8")
    events = list(events_of(tmp_path))
    assert [event.time for event in events] == list(range(6))
    assert [event.item for event in events] == ["g", "h"] * 3
    assert {event.session for event in events[:2]} == {events[0].session}


def test_tests_packages_of_others_and_what_is_no_python_are_left_out(tmp_path: Path) -> None:
    for name in ("test/a.py", "x/tests/b.py", "site-packages/c.py", "library/d.py", "testing.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def f():\n    g()\n", "utf-8")
    (tmp_path / "python_2.py").write_text("def f():\n    print 'no'\n", "utf-8")
    assert sorted(items(tmp_path)) == ["library/d.py:f:1", "testing.py:f:1"]


def test_the_file_has_a_header_and_a_row_for_each_call(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text("def f():\n    g()\n    h()\n", "utf-8")
    file = tmp_path / "new" / "calls.csv"
    assert write_calls(tmp_path / "source", file) == 2
    assert file.read_text("utf-8").splitlines() == [
        "session,time,item",
        "a.py:f:1,0,g",
        "a.py:f:1,1,h",
    ]
