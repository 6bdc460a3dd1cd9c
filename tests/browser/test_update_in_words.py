"""What the inspector says of an update is true: of made-up units, and of a model's."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage, gate_values

TEXT = "abc def. gab hhhh"
SHOWN = 0.0005
"""What is less is shown as 0.000; also how far a number is from what is shown of it."""

_SAY = """async ([update, candidate, before]) => {
    const words = await import("/inspector/words.js");
    return words.updateInWords(update, candidate, before);
}"""


def amounts(update: float, candidate: float, before: float) -> tuple[float, float]:
    """How far the unit moves, and how much of the past is in the sum."""
    hidden = (1 - update) * before + update * candidate
    return abs(hidden - before), abs(hidden - update * candidate)


def check(said: str, change: float, kept: float) -> None:
    """Every number and every comparison in the words is that of the unit."""
    margin = 1e-6  # of float32
    if said == "changes and keeps almost nothing":
        assert max(change, kept) < SHOWN + margin
        return
    number = r"(\d\.\d{3})"
    only = re.fullmatch(rf"(changes|keeps) {number}, (changes|keeps) only {number}", said)
    found = only or re.fullmatch(rf"(changes) {number} and (keeps) {number}", said)
    assert found is not None, said
    first, larger, second, smaller = found.groups()
    assert {first, second} == {"changes", "keeps"}
    amounts_of = {"changes": change, "keeps": kept}
    for verb, shown in ((first, larger), (second, smaller)):
        assert float(shown) == pytest.approx(amounts_of[verb], abs=SHOWN + margin)
    if only:
        assert float(larger) > float(smaller)
        assert amounts_of[first] >= 2 * amounts_of[second] - margin
    else:
        assert max(change, kept) < 2 * min(change, kept) + margin or larger == smaller


@pytest.mark.parametrize(
    ("update", "candidate", "before", "words"),
    [
        # A third of the gate, and three times as much of the candidate as of the past.
        (0.327, 0.602, -0.0906, "changes 0.226, keeps only 0.061"),
        (0.95, -0.5, 0.8, "changes 1.235, keeps only 0.040"),
        (0.5, -0.9, 0.2, "changes 0.550, keeps only 0.100"),
        (0.05, 0.9, 0.8, "keeps 0.760, changes only 0.005"),
        # The gate is wide open for a candidate that is hardly another value.
        (0.9, 0.81, 0.8, "keeps 0.080, changes only 0.009"),
        (0.4, 0.9, -0.6, "changes 0.600 and keeps 0.360"),
        (0.5, 0.0, 0.4, "changes 0.200 and keeps 0.200"),
        (0.002, 0.9, 0.6, "keeps 0.599, changes only 0.001"),
        (0.0, 0.9, 0.6, "keeps 0.600, changes only 0.000"),
        (0.7, 0.6, 0.6, "keeps 0.180, changes only 0.000"),
        (0.327, 0.602, 0.0, "changes 0.197, keeps only 0.000"),
        (1.0, -0.4, 0.8, "changes 1.200, keeps only 0.000"),
        (0.0, 0.9, 0.0, "changes and keeps almost nothing"),
        (1.0, 0.8, 0.8, "changes and keeps almost nothing"),
        (0.9, 0.0, 0.0, "changes and keeps almost nothing"),
        (0.5, 0.0037, 0.0012, "changes 0.001 and keeps 0.001"),
    ],
)
def test_made_up_units(
    visit: Visit, update: float, candidate: float, before: float, words: str
) -> None:
    visit.page.goto("/")
    said = visit.page.evaluate(_SAY, [update, candidate, before])
    assert said == words
    check(said, *amounts(update, candidate, before))


def test_every_unit_of_a_model_at_every_step(visit: Visit, api: httpx.Client) -> None:
    page = InspectorPage(visit)
    page.open("letters")
    page.run(TEXT)
    page.expect_progress(f"Ran {len(TEXT)} time steps")
    answer: dict[str, Any] = api.post(
        "/v1/models/letters/sequences", json={"text": TEXT, "gates": True}
    ).json()["sequences"][0]
    update, candidate, hidden = (
        gate_values(answer, 0, gate) for gate in ("update", "candidate", "hidden")
    )
    against_the_gate = 0
    page.point_at(0, "update", unit=0, step=0)
    page.heat_map(0, "update").focus()
    for unit in range(6):
        visit.page.keyboard.press("Home")
        for step in range(len(TEXT)):
            before = hidden[step - 1][unit] if step else 0.0
            change, kept = amounts(update[step][unit], candidate[step][unit], before)
            place = re.compile(rf"^layer 0, unit {unit}, step {step} .*: update \d\.\d{{3}} — ")
            expect(visit.page.locator("#sentence")).to_have_text(place)
            said = page.sentence().partition(" — ")[2]
            check(said, change, kept)
            against_the_gate += update[step][unit] < 0.5 and bool(re.match("changes .* only", said))
            visit.page.keyboard.press("ArrowRight")
        visit.page.keyboard.press("ArrowDown")
    assert against_the_gate, "none of these units shows what the gate alone would get wrong"
