"""docs/training.md: its example is run as it stands there, and every command takes its options."""

import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from model_export.command_line import main
from model_export.data.rolls import load_rolls
from tests.docs.console import Example, examples_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "training.md"
HEAD, *EXAMPLES = examples_of(DOCUMENT)
HOURS = 1440


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_messy_file_step_by_step(folder: Path) -> None:
    (folder / "load.csv").write_text("\n".join(load_of_two_stations()) + "\n", "utf-8")
    assert HEAD.command == "head -3 load.csv"
    assert (folder / "load.csv").read_text("utf-8").startswith(HEAD.shown + "\n")
    assert len(EXAMPLES) == 5
    for example in EXAMPLES:
        printed = ran(example.command)
        assert pattern_of(example).fullmatch(printed), f"{example.command}\nprints\n{printed}"


@pytest.mark.usefixtures("folder")
def test_every_task_reads_its_data() -> None:
    commands = [
        line.strip()
        for line in DOCUMENT.read_text("utf-8").splitlines()
        if line.startswith("    python -m model_export train ")
    ]
    write_small_data()
    assert len(commands) == 5
    for command in commands:
        printed = ran(f"{command} --dry-run")
        assert re.search(r"^held out: ", printed, re.MULTILINE), f"{command}\nprints\n{printed}"


def test_rolls_are_written_as_the_page_says(folder: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    lengths = {"first": 2, "second": 5, "third": 3, "fourth": 4}
    names = {name: np.ones((length, 3)) for name, length in lengths.items()}
    exec(program, dict(names))
    rolls = load_rolls(str(folder / "chorales.npz"))
    assert [len(one) for one in (*rolls.train, *rolls.validation, *rolls.test)] == [2, 5, 3, 4]


def ran(command: str) -> str:
    """What a command prints, as on a terminal that shows both streams."""
    python, module, *arguments = shlex.split(command.replace("\\\n", " "))
    assert (python, module, arguments.pop(0)) == ("python", "-m", "model_export")
    return CliRunner().invoke(main, arguments).output.strip()


def pattern_of(example: Example) -> re.Pattern[str]:
    """A line of … stands for any lines, … within one for any text."""
    lines = [re.escape(line).replace("…", ".*") for line in example.shown.splitlines()]
    whole = "\n".join(lines).replace("\n.*\n", "\n(?:.*\n)*").removeprefix(".*\n")
    return re.compile(("(?:.*\n)*" if example.shown.startswith("…\n") else "") + whole)


def load_of_two_stations() -> Iterator[str]:
    yield "time;station;load;temperature"
    random = np.random.default_rng(0)
    hours = np.arange(HOURS)
    for station, level in (("1", 1200), ("2", 800)):
        temperature = 5 + 6 * np.sin(2 * np.pi * (hours - 9) / 24)
        temperature += 0.15 * np.cumsum(random.normal(size=HOURS))
        load = level + 150 * np.sin(2 * np.pi * (hours - 7) / 24) - 8 * temperature
        load += 12 * random.normal(size=HOURS)
        for hour in hours:
            if station == "1" and hour in (700, 701):
                continue
            time = datetime(2025, 1, 1) + timedelta(hours=int(hour))
            missing = station == "2" and 300 <= hour < 305
            cells = (german(load[hour]), "" if missing else german(temperature[hour]))
            yield ";".join((f"{time:%Y-%m-%d %H:%M}", station, *cells))


def german(number: float) -> str:
    return f"{number:,.1f}".translate(str.maketrans(",.", ".,"))


def write_small_data() -> None:
    """The files of the commands at the top of the page."""
    random = np.random.default_rng(0)
    load = map(str, np.sin(np.arange(300)))
    Path("load.csv").write_text("\n".join(["load", *load]))
    Path("book.txt").write_text("to be or not to be, " * 2000)
    log = [f"{at // 4},{at},page {random.integers(9)}" for at in range(800)]
    Path("log.csv").write_text("\n".join(["session,time,item", *log]))
    runs = [f"{at // 5},{random.normal():.3f},{'ab'[at // 5 % 2]}" for at in range(1000)]
    Path("runs.csv").write_text("\n".join(["series,level,label", *runs]))
    rolls = (random.random((3, 12, 88)) < 0.1).astype(float)
    cells = np.empty((1, len(rolls)), dtype=object)
    cells[0, :] = list(rolls)
    savemat("chorales.mat", {"traindata": cells, "validdata": cells, "testdata": cells})
