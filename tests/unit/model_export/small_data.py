"""Small data of every task in files, and recipes that are trained on them in a moment."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_export.data.series import Series, Table
from model_export.data.source import Source
from model_export.recipes.recipe import Recipe
from model_export.recipes.registry import recipe_of

_SIZES: dict[str, object] = {
    **{"hidden_size": 5, "layers": 2, "dropout": 0.3, "batch_size": 4, "epochs": 4}
}
_OPTIONS: dict[str, dict[str, object]] = {
    "characters": {"time_steps": 6, "batch_size": 2, "embedding": 4},
    "forecast": {"time_steps": 6, "batch_size": 2},
    "events": {"embedding": 4, "min_count": 2},
    "multilabel": {},
    "classify": {},
}
TASKS = tuple(_OPTIONS)
DAY = np.timedelta64(1, "D")


def small_recipe(task: str, folder: Path, **options: object) -> Recipe:
    """For data that is written to the folder."""
    given = {"task": task, "data": str(write_data(task, folder)), "name": "tiny"}
    return recipe_of(given | _SIZES | _OPTIONS[task] | options)


def changed(recipe: Recipe, **options: object) -> Recipe:
    return recipe_of(recipe.to_dict() | options)


def write_data(task: str, folder: Path, *, test: Callable[[str], str] = str) -> Path:
    """The data of a task; `test` is what becomes of the cells, or characters, of its test part.

    That of `classify` is left as it is, for its sequences are divided by their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{task}.{'npz' if task == 'multilabel' else 'csv'}"
    if task == "multilabel":
        _write_rolls(file, test)
    else:
        file.write_text(_TEXTS[task](test), "utf-8")
    return file


def _characters(test: Callable[[str], str]) -> str:
    letters = np.random.default_rng(0).choice(list("abc"), 300).tolist()
    return "".join([*letters[:270], *map(test, letters[270:])])


def _forecast(test: Callable[[str], str]) -> str:
    rows = [f"{x:.3f},{y:.3f}" for x, y in np.random.default_rng(0).normal(size=(90, 2))]
    later = [",".join(map(test, row.split(","))) for row in rows[76:]]
    return "\n".join(["a,b", *rows[:76], *later])


def _events(test: Callable[[str], str]) -> str:
    random = np.random.default_rng(0)
    lines = ["session,time,item"]
    for session in range(40):
        for time in range(random.integers(2, 6)):
            item = f"item {random.integers(6)}"
            lines.append(f"{session},{session * 10 + time},{test(item) if session > 35 else item}")
    return "\n".join(lines)


def _classify(_test: Callable[[str], str]) -> str:
    random = np.random.default_rng(0)
    lines = ["series,a,b,label"]
    for series in range(30):
        for _ in range(random.integers(3, 7)):
            a, b = (f"{one:.3f}" for one in random.normal(series % 2, 1, 2))
            lines.append(f"{series},{a},{b},{'even' if series % 2 else 'odd'}")
    return "\n".join(lines)


def _write_rolls(file: Path, test: Callable[[str], str]) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, NDArray[np.int64]] = {}
    for part, count in (("train", 12), ("valid", 4), ("test", 4)):
        lengths = random.integers(4, 9, count)
        rows = (random.random((lengths.sum(), 4)) < 0.3).astype(np.int64)
        if part == "test":
            rows = np.vectorize(lambda cell: int(test(str(cell))))(rows)
        arrays |= {part: rows, f"{part}_lengths": lengths}
    np.savez(file, allow_pickle=False, **arrays)


_TEXTS = {
    "characters": _characters,
    "forecast": _forecast,
    "events": _events,
    "classify": _classify,
}


def table_of(
    *values: NDArray[np.float64],
    known: int = 0,
    inputs: int = 0,
    starts: tuple[str, ...] | None = None,
) -> Table:
    """Series of values [N, C]; the columns are a, b, …, the last ones `known`, then `inputs`.

    With `starts`, dates, each has a row a day from its own on.
    """
    columns = values[0].shape[1]
    names = tuple("abcdefgh"[:columns])
    targets = columns - known - inputs
    series = [
        Series(
            name=str(index),
            values=one,
            times=None if starts is None else _days(starts[index], len(one)),
            lines=np.arange(2, 2 + len(one)),
        )
        for index, one in enumerate(values)
    ]
    return Table(
        targets=names[:targets],
        known=names[targets : targets + known],
        inputs=names[targets + known :],
        series=tuple(series),
        columns=(),
        source=Source("made up", "0"),
        step=None,
    )


def _days(start: str, count: int) -> NDArray[np.datetime64]:
    first = np.datetime64(start, "us")
    days: NDArray[np.datetime64] = first + np.arange(count) * DAY
    return days
