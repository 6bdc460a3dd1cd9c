"""The two kinds of units that the page ranks are found in a demo model, with true numbers."""

import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.shown_views import cursor, show_views

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def shown(demo_repository: Path) -> Path:
    return demo_repository


def tensor(api: httpx.Client, trace: str, name: str) -> Array:
    """[T, U]"""
    asked = {"tensor": name, "encoding": "float32"}
    answer = api.get(f"/v1/traces/{trace}/window", params=asked)
    shape = [int(one) for one in answer.headers["gatewise-shape"].split(",")]
    return np.frombuffer(answer.content, "<f4").reshape(shape).astype(np.float64)


def halves(values: Array, marking: Array) -> list[float]:
    """Pearson's r on the first half of the steps and on the second."""
    middle = len(values) // 2
    parts = (slice(middle), slice(middle, None))
    return [float(np.corrcoef(values[one], marking[one])[0, 1]) for one in parts]


def follows(text: str) -> tuple[str, list[float]]:
    marking, _, figures = text.partition(": ")
    return marking, [float(one.replace("−", "-")) for one in figures.split(", ")]


def test_both_kinds_in_characters(visit: Visit, api: httpx.Client) -> None:
    trace = show_views(visit.page, "characters", "kinds-view", unit=0, step=300)
    text = api.get(f"/v1/traces/{trace}/inputs").json()["text"]
    word, line, runs = [], [], [0, 0]
    for character in text:
        runs = [runs[0] + 1 if character.isalnum() else 0, 0 if character == "\n" else runs[1] + 1]
        word.append(runs[0])
        line.append(runs[1])
    markings = {"position in the word": np.array(word), "position in the line": np.array(line)}
    markings["spaces"] = np.array([one.isspace() for one in text], np.float64)
    first, second = (visit.page.locator("#kinds-view .kind").nth(index) for index in range(2))
    expect(second.locator("tr.unit")).to_have_count(8, timeout=30_000)

    cells = first.locator("tr.unit").first.locator("th, td").all_inner_texts()
    unit, near_0 = int(cells[0].split()[1]), float(cells[2].split()[0])
    reset = tensor(api, trace, "reset")
    assert near_0 == pytest.approx(100 * (reset[:, unit] < 0.1).mean(), abs=0.6)
    marking, figures = follows(cells[-1])
    assert figures == pytest.approx(halves(reset[:, unit], markings[marking]), abs=0.006)
    assert min(map(abs, figures)) >= 0.5

    cells = second.locator("tr.unit").first.locator("th, td").all_inner_texts()
    unit, near_0 = int(cells[0].split()[1]), float(cells[1].split()[0])
    update, hidden = tensor(api, trace, "update"), tensor(api, trace, "hidden")
    assert near_0 == pytest.approx(100 * (update[:, unit] < 0.1).mean(), abs=0.6)
    assert near_0 >= 50
    marking, figures = follows(cells[-1])
    assert figures == pytest.approx(halves(hidden[:, unit], markings[marking]), abs=0.006)

    ages = np.zeros(len(text))
    for step in range(len(text)):
        ages[step] = (1 - update[step, unit]) * (ages[step - 1] + 1 if step else 1)
    assert float(cells[2]) == pytest.approx(ages.max(), abs=0.6)
    button = second.get_by_role("button", name=f"unit {unit}", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(second.locator(".unit-text").first.locator(".marked")).to_have_count(1)
    assert cursor(visit.page) == {
        "layer": 0,
        "gate": "hidden",
        "unit": unit,
        "step": int(ages.argmax()),
    }
    said = second.locator(".told").inner_text()
    assert re.match(rf"Unit {unit}: its update gate is below 0\.1 at {near_0:.0f} % of", said)


_RANK = """async (statistics) => {
    const {longUnits, shortUnits} = await import("/inspector/views/unit-kinds.js");
    const followed = (marking, strength) =>
        ({marking, found: strength, confirmed: strength, strength});
    const following = new Map([
        ["reset 1", [followed("open quotes", 0.9), followed("spaces", 0.6)]],
        ["reset 2", [followed("spaces", 0.8)]],
        ["hidden 3", [followed("spaces", 0.9), followed("open quotes", 0.7)]],
    ]);
    return [true, false].map((isKnown) => [
        shortUnits(statistics, following, isKnown).map(({unit}) => unit),
        longUnits(statistics, following).map(({unit, followed}) => [unit, followed?.marking ?? ""]),
    ]);
}"""


def test_the_ranking(visit: Visit) -> None:
    """Unit 0 hardly resets, unit 4 remembers for ever and does not move."""
    visit.page.goto("/docs")
    near_0 = [0.2, 0.9, 0.8, 0.6, 1.0]
    statistics = {
        "tensors": {
            "reset": {"std": [0.01, 0.3, 0.3, 0.3, 0.3], "near_0": [0.5] * 5},
            "update": {"near_0": near_0},
            "hidden": {"std": [0.5, 0.5, 0.5, 0.5, 0.0]},
        },
        "memory": {"length": [1.0, 2.0, 3.0, 4.0, None]},
        "reset": {"impact": [0.9, 0.4, 0.2, 0.5, 0.5]},
    }
    known, unknown = visit.page.evaluate(_RANK, statistics)
    assert known[0] == [1, 2, 3]  # 0.4 · 0.6, 0.2 · 0.8, nothing
    assert unknown[0] == [3, 1, 2]  # by impact
    assert known[1] == [[3, "open quotes"], [1, ""], [2, ""]]
