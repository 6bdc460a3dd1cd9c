"""What the page makes of quantiles, labels, classes, items and missing values."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from service.bundle.manifest import Score
from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage
from tests.new_kinds import CLASSES, LEVELS, NOTES

ROWS = [[20.5, 1001.0, 0.5], [21.25, 998.5, 0.25]]
TYPED_ROWS = "20.5, 1001, 0.5\n21.25, 998.5, 0.25"
MIXED_CHORDS = [[1.0, 0.0, 1.0], [40.0, -30.0, 20.0], [-40.0, 30.0, 0.0]]


@pytest.fixture(scope="module")
def shown(new_kinds: Path) -> Path:
    return new_kinds


SCORES = [
    Score(metric="error", unit="1", model=0.5, baselines={"naive": 0.75, "ridge": 0.25}),
    Score(metric="accuracy", unit="1", model=0.5, baselines={"naive": 0.25}, better="higher"),
]


@pytest.fixture
def inspector(visit: Visit) -> InspectorPage:
    return InspectorPage(visit)


def answer_of(api: httpx.Client, model: str, inputs: list[Any]) -> dict[str, Any]:
    """What the API says to one sequence, asked without the page."""
    answer = api.post(f"/v1/models/{model}/sequences", json={"inputs": [inputs]})
    sequence: dict[str, Any] = answer.raise_for_status().json()["sequences"][0]
    return sequence


def percents(likely: dict[str, float]) -> list[tuple[str, object]]:
    return [(name, pytest.approx(100 * p, abs=0.51)) for name, p in likely.items()]


def shown_percents(inspector: InspectorPage) -> list[tuple[str, object]]:
    return [(name, float(text.split()[0])) for name, text in inspector.next_characters()]


def test_quantiles_have_a_column_for_each_level(
    inspector: InspectorPage, api: httpx.Client
) -> None:
    inspector.open("quantiles")
    inspector.run(TYPED_ROWS)
    inspector.expect_progress("Ran 2 time steps")
    inspector.point_at(0, "update", unit=0, step=0)
    heads = inspector.page.locator("#outputs .figures thead th")
    expect(heads).to_have_text([*(f"{level} quantile" for level in LEVELS), "then came"])
    expected = [*answer_of(api, "quantiles", ROWS)["outputs"][0], ROWS[1][0]]
    assert inspector.figures() == {"temperature [°C]": pytest.approx(expected, rel=1e-3)}
    inspector.point_at(0, "update", unit=0, step=1)
    expect(inspector.page.locator("#outputs .figures tbody td").last).to_have_text("—")


def test_labels_that_are_likely_are_named(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("labels")
    inspector.run("\n".join(" ".join(map(str, row)) for row in MIXED_CHORDS))
    inspector.expect_progress("Ran 3 time steps")
    counts = set()
    for step, said in enumerate(answer_of(api, "labels", MIXED_CHORDS)["next"]):
        inspector.point_at(0, "update", unit=0, step=step)
        likely = {one["label"]: one["probability"] for one in said}
        assert set(likely) <= set(NOTES)
        assert shown_percents(inspector) == percents(likely)
        counts.add(len(likely))
    assert len(counts) > 1, "steps that differ"


def test_that_no_label_is_likely_is_said(visit: Visit, inspector: InspectorPage) -> None:
    inspector.open("labels")
    assert "No label" not in visit.page.inner_text("#outputs")
    answer = {"from": 0, "outputs": [[0.1, 0.2, 0.3]], "next": [[]]}
    visit.page.route("**/outputs?*", lambda route: route.fulfill(json=answer))
    inspector.run("1 0 1")
    expect(visit.page.locator("#outputs")).to_contain_text("No label is likely.")


def test_classes_are_ranked(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("classes")
    inspector.run(TYPED_ROWS)
    inspector.expect_progress("Ran 2 time steps")
    inspector.point_at(0, "update", unit=0, step=1)
    output = answer_of(api, "classes", ROWS)["outputs"][1]
    ranked = sorted(zip(CLASSES, output, strict=True), key=lambda pair: -pair[1])
    assert shown_percents(inspector) == percents(dict(ranked))
    expect(inspector.page.locator("#model-card")).to_contain_text("probabilities of 3 classes")


def test_items_are_typed_and_shown_by_name(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("items")
    inspector.run("item 3\n1\nitem 2\n")
    inspector.expect_progress("Ran 3 time steps")
    inspector.point_at(0, "update", unit=0, step=1)
    said = answer_of(api, "items", ["item 3", 1])["next"][1]
    assert shown_percents(inspector) == percents({one["item"]: one["probability"] for one in said})
    assert "Then came “item 2”" in inspector.outputs()
    expect(inspector.page.locator("#text .token")).to_have_text(["item 3", "item 1", "item 2"])


@pytest.mark.parametrize("nothing", ["null", ""])
def test_missing_values_are_typed_and_shown(
    inspector: InspectorPage, api: httpx.Client, nothing: str
) -> None:
    inspector.open("gaps")
    expect(inspector.page.locator("#input-hint")).to_contain_text("missing")
    inspector.run(f"20.5, 1001, 0.5\n{nothing}, 998.5, 0.25")
    inspector.expect_progress("Ran 2 time steps")
    inspector.point_at(0, "update", unit=0, step=1)
    output = answer_of(api, "gaps", [ROWS[0], [None, *ROWS[1][1:]]])["outputs"][1]
    inspector.outputs()
    cells = inspector.page.locator("#outputs .figures tbody tr").first.locator("td")
    assert cells.nth(0).inner_text() == "missing"
    assert cells.nth(2).inner_text() == "—"
    predicted = float(cells.nth(1).inner_text().split()[0].replace("−", "-"))
    assert predicted == pytest.approx(output[0], abs=1e-3)
    inspector.chart("temperature")
    # The chart's range is that of the numbers that there are.
    span = inspector.page.locator(".map", has_text="temperature").locator(".range").inner_text()
    assert float(span.partition(" to ")[0].replace("−", "-")) == pytest.approx(
        min(20.5, *(row[0] for row in answer_of(api, "gaps", [ROWS[0]])["outputs"]), output[0]),
        abs=1e-2,
    )


def test_scores_are_ranked_by_what_is_better(visit: Visit, api: httpx.Client) -> None:
    models = api.get("/v1/models").json()
    models["models"][0]["scores"] = [score.model_dump() for score in SCORES]
    visit.page.route("**/v1/models", lambda route: route.fulfill(json=models))
    visit.page.goto("/")
    tables = visit.page.locator("#model-card .scores")
    expect(tables.locator("caption")).to_have_text(
        ["error, held out, lower is better", "accuracy, held out, higher is better"]
    )
    for table, ranked in zip(
        tables.all(),
        (["ridge best", "this model", "naive"], ["this model best", "naive"]),
        strict=True,
    ):
        expect(table.locator("th")).to_have_text(ranked)


def test_a_model_without_missing_values_says_so(visit: Visit, inspector: InspectorPage) -> None:
    inspector.open("classes")
    inspector.run("20.5, null, 0.5")
    expect(visit.page.locator("#problem")).to_contain_text("trained without missing values")
    assert [text for text in visit.complaints if "422" not in text] == []
    visit.complaints.clear()
