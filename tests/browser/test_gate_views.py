"""Views of what the units of a layer do, against the same computed here from what the API shows."""

import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import expect

from model_export.model.layer import GRULayer
from model_export.package import publish_trained
from model_export.trained import TrainedModel
from tests.browser.conftest import Visit
from tests.browser.views_page import ViewsPage
from tests.bundles import tokens_model
from tests.page.tools import NODE_MODULES

Values = NDArray[np.float64]


UNITS = 200


def _rigged() -> TrainedModel:
    """Unit 0 never writes, unit 1 writes all anew, and units 2 and 3 are the same."""
    trained = tokens_model("rigged", reset="after", hidden_sizes=(UNITS,), seed=3)
    (layer,) = trained.network.layers
    assert isinstance(layer, GRULayer)
    with torch.no_grad():
        layer.bias_ih[UNITS], layer.bias_ih[UNITS + 1] = 15, -15
        for rows in (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh):
            rows[3::UNITS] = rows[2::UNITS].clone()
    return trained


@pytest.fixture(scope="module")
def shown(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rigged") / "models"
    shutil.copytree(repository, folder)
    publish_trained(_rigged(), folder)
    return folder


@pytest.fixture
def views(visit: Visit, api: httpx.Client) -> ViewsPage:
    return ViewsPage(visit, api)


def test_memory_lengths(views: ViewsPage) -> None:
    views.open("weather", memory_view="MemoryView")
    keep = views.values("keep")
    lengths = -1 / np.log(keep).mean(0)
    order = np.argsort(-lengths)
    rows = views.view("memory-view").get_by_role("option")
    expect(rows).to_have_count(6)
    assert [row.inner_text().split("\n")[0] for row in rows.all()] == [f"unit {u}" for u in order]
    longest = order[0]
    half = np.log(2) * lengths[longest]
    views.expect_summary(
        "memory-view",
        f"over 10 steps in {np.sum(lengths > 10)} of 6 units",
        f"has unit {longest}: {_short(lengths[longest])} steps, half of it gone after "
        f"{_short(half)}.",
    )
    shares = [float(row.locator(".bar").evaluate(_SHARE)) for row in rows.all()]
    # From 0.1 steps to all 64, by their logarithm.
    expected = np.clip(np.log10(lengths[order] / 0.1) / np.log10(640), 0, 1)
    assert shares == pytest.approx(expected, abs=1e-3)
    rows.nth(3).click()
    assert views.position()["unit"] == order[3]
    views.view("memory-view").get_by_role("listbox").press("ArrowDown")
    assert views.position()["unit"] == order[4]
    expect(rows.nth(4)).to_have_attribute("aria-selected", "true")


def test_a_memory_that_outlasts_the_data(views: ViewsPage) -> None:
    views.open("rigged", memory_view="MemoryView", triage_view="TriageView")
    first = views.view("memory-view").get_by_role("option").first
    expect(first).to_contain_text("unit 0")
    expect(first).to_contain_text("≥ 64 steps")
    views.expect_summary("memory-view", "these cannot tell how long: 1, first unit 0.")


def test_units_that_do_nothing_of_their_own(views: ViewsPage) -> None:
    views.open("rigged", triage_view="TriageView")
    keep, hidden = views.values("keep"), views.values("hidden")
    assert np.flatnonzero((keep > 0.99).mean(0) > 0.99).tolist() == [0]
    assert np.flatnonzero((keep < 0.1).mean(0) > 0.9).tolist() == [1]
    assert np.flatnonzero(hidden.std(0) < 1e-3).tolist() == [0]
    correlations = np.triu(np.corrcoef(hidden.T), k=1)
    pairs = np.argwhere(np.abs(correlations) > 0.99)
    views.expect_summary(
        "triage-view", f"copiers 1, frozen 1, memoryless 1, redundant pairs {len(pairs)}."
    )
    groups = views.view("triage-view").locator(".triage-units")
    buttons = [group.locator("button").all_inner_texts() for group in groups.all()]
    assert buttons[:3] == [["0"], ["0"], ["1"]]
    shown = np.array(buttons[3], int).reshape(-1, 2)
    assert sorted(map(tuple, shown)) == sorted(map(tuple, pairs))
    first = groups.last.locator(".pair").first
    expect(first).to_contain_text("r = 1.000")
    first.get_by_role("button", name="unit 3").click()
    assert views.position() == {"layer": 0, "gate": "hidden", "unit": 3, "step": 0}


def test_what_a_unit_holds(views: ViewsPage) -> None:
    views.open("letters-deep", attribution_view="AttributionView")
    views.move(layer=1, unit=2, step=40)
    keep, text = views.values("keep", layer=1)[:41, 2], views.text()
    after = np.append(np.cumprod(keep[:0:-1])[::-1], 1)
    weights = (1 - keep) * after
    largest = int(weights.argmax())
    views.expect_summary(
        "attribution-view",
        "After step 40, unit 2 of layer 1 holds:",
        f"{_share(weights[largest])} written at step {largest} (“{_named(text[largest])}”)",
    )
    assert weights.sum() + np.prod(keep) == pytest.approx(1)
    rows = views.table("attribution-view")
    assert list(rows)[:5] == [str(step) for step in np.argsort(-weights)[:5]]
    for step, (_, weight) in rows.items():
        assert float(weight) == pytest.approx(weights[int(step)], abs=6e-5)
    marks = views.view("attribution-view").locator(".text [data-step]")
    assert marks.last.get_attribute("data-step") == "40"
    views.view("attribution-view").get_by_role("button", name=str(largest), exact=True).click()
    assert views.position()["step"] == largest
    views.expect_summary("attribution-view", f"After step {largest}, unit 2")


def test_what_was_held_before_the_first_step(views: ViewsPage) -> None:
    views.open("letters", attribution_view="AttributionView")
    views.move(unit=1, step=1)
    rest = float(np.prod(views.values("keep")[:2, 1]))
    views.expect_summary("attribution-view", f"{_share(rest)} from before the first step")


def test_ages(views: ViewsPage) -> None:
    views.open("letters", age_view="AgeView")
    views.move(unit=3, step=20)
    ages = np.zeros((64, 6))
    for step, keep in enumerate(views.values("keep")):
        ages[step] = keep * ((ages[step - 1] if step else 0) + 1)
    views.expect_summary(
        "age-view",
        f"After step 20, what unit 3 of layer 0 holds is {_short(ages[20, 3])} steps old.",
        f"{_short(ages[20].mean())} on average, at most {_short(ages[20].max())} "
        f"(unit {ages[20].argmax()})",
    )
    views.view("age-view").locator(".step-chart").press("ArrowRight")
    assert views.position()["step"] == 21
    views.expect_summary("age-view", f"is {_short(ages[21, 3])} steps old")


def test_ages_of_several_steps_a_column(views: ViewsPage) -> None:
    tokens = np.random.default_rng(5).integers(0, 10, 3500)
    views.open("rigged", inputs=tokens.tolist(), age_view="AgeView")
    views.move(unit=7, step=1000)
    ages = views.values("age")
    column = 1000 // 9  # 3,500 steps in at most 400 columns
    there = ages[9 * column : 9 * column + 9]
    views.expect_summary(
        "age-view",
        f"In steps {9 * column} to {9 * column + 8},",
        f"between {_short(there[:, 7].min())} and {_short(there[:, 7].max())} steps old",
        f"{_short(there.max())} (unit {there.max(0).argmax()})",
    )


def test_saturation(views: ViewsPage) -> None:
    views.open("rigged", saturation_view="SaturationView")
    reset, update = views.values("reset"), views.values("update")
    low, high = (update < 0.1).mean(0), (update > 0.9).mean(0)
    views.expect_summary(
        "saturation-view",
        f"Update: {(low > 0.5).sum()} of {UNITS} gates are below 0.1 at more than half of all "
        f"steps, and {(high > 0.5).sum()} above 0.9.",
        f"Unit {low.argmax()} is below 0.1 most often ({_share(low.max())} of all steps); "
        f"unit {high.argmax()} is above 0.9 most often ({_share(high.max())}).",
    )
    rows = views.table("saturation-view")
    for unit in range(16):
        expected = [
            (gate < 0.1).mean(0)[unit] if below else (gate > 0.9).mean(0)[unit]
            for gate in (reset, update)
            for below in (True, False)
        ]
        assert [float(cell) for cell in rows[f"unit {unit}"]] == pytest.approx(expected, abs=2e-3)
    plot = views.view("saturation-view").locator(".drawing").last
    plot.press("End")
    assert views.position()["unit"] == low.argmax()
    assert views.position()["gate"] == "update"
    # The unit that is always open is in the corner at the top left.
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": 41, "y": 11})
    assert views.position()["unit"] == 1


def test_what_the_reset_gate_does(views: ViewsPage) -> None:
    views.open("weather-deep", reset_view="ResetView")
    views.move(layer=1)
    names = ("reset", "update", "candidate", "candidate_input", "candidate_history", "hidden")
    reset, update, candidate, given, history, hidden = (views.values(n, layer=1) for n in names)
    whole = np.tanh(given + history / reset)  # reset "after": the gate comes last
    impact = (update * np.abs(candidate - whole)).mean(0)
    shares = (np.abs(history) / (np.abs(history) + np.abs(given))).mean(0)
    most = int(impact.argmax())
    count = int((impact > 0.1 * hidden.std(0)).sum())
    views.expect_summary(
        "reset-view",
        f"for {count} of the 4 units of layer 1, resetting moves",
        f"it is {_short(impact.mean())} a step; the most in unit {most}: {_short(impact[most])}, "
        f"where {_share(shares[most])} of the candidate",
    )
    rows = views.table("reset-view")
    assert list(rows) == [f"unit {unit}" for unit in np.argsort(-impact)]
    for unit in range(4):
        shown = [float(cell) for cell in rows[f"unit {unit}"]]
        expected = [impact[unit], impact[unit] / hidden.std(0)[unit], shares[unit]]
        assert shown == pytest.approx(expected, rel=0.01)
    views.view("reset-view").locator("select").select_option("0")
    views.expect_summary("reset-view", "of the 6 units of layer 0")


def test_units_that_follow_a_pattern(views: ViewsPage) -> None:
    views.open("letters-deep", following_view="FollowingView")
    form = views.view("following-view")
    form.get_by_label("Marking").select_option("by hand")
    form.get_by_label("regular expression").check()
    form.get_by_role("textbox", name="Pattern").fill("[ab]")
    form.get_by_role("button", name="Search").click()
    marking = np.array([character in "ab" for character in views.text()], float)
    count, first = int(marking.sum()), int(marking.argmax())
    expect(form).to_contain_text(f"Marked: {count} of 64 steps. The first is step {first}")
    found: list[tuple[str, int, int, list[float]]] = []
    for layer in range(3):
        for tensor in ("reset", "update", "candidate", "hidden"):
            values = views.values(tensor, layer)
            halves = (slice(32), slice(32, None), slice(None))
            found += [
                (tensor, layer, unit, [_correlation(marking[at], column[at]) for at in halves])
                for unit, column in enumerate(values.T)
            ]
    found.sort(key=lambda one: -abs(one[3][-1]))
    for (tensor, layer, unit, r), row in zip(found[:16], _rows(views), strict=True):
        assert row[:3] == [f"unit {unit}", tensor, str(layer)]
        assert [float(cell) for cell in row[3:]] == pytest.approx(r, abs=1e-3)
    form.locator("tbody tr").nth(2).get_by_role("button").click()
    tensor, layer, unit = found[2][:3]
    assert views.position() == {"layer": layer, "gate": tensor, "unit": unit, "step": 0}


def test_nothing_follows(views: ViewsPage) -> None:
    """A marking of one step, which is in one half alone; and one that is the same everywhere."""
    views.open("weather", following_view="FollowingView")
    form = views.view("following-view")
    form.get_by_label("Marking").select_option("by hand")
    form.get_by_label("Marked is").select_option("above")
    temperature = views.page.evaluate("stage.trace.inputs.map(row => row[0])")
    threshold = float(np.mean(np.sort(temperature)[-2:]))
    form.get_by_role("spinbutton", name="Threshold").fill(str(threshold))
    form.get_by_role("button", name="Search").click()
    expect(form).to_contain_text("Marked: 1 of 64 steps.")
    views.expect_summary("following-view", "none of the best reaches 0.5 on both halves")
    form.get_by_role("spinbutton", name="Threshold").fill("1000")
    form.get_by_role("button", name="Search").click()
    views.expect_summary("following-view", "the same at all steps")
    assert form.locator("tbody tr:visible").count() == 0


def test_what_is_no_regular_expression(views: ViewsPage) -> None:
    views.open("letters", following_view="FollowingView")
    form = views.view("following-view")
    form.get_by_label("Marking").select_option("by hand")
    form.get_by_role("textbox", name="Pattern").fill("(a")
    form.get_by_label("regular expression").check()
    form.get_by_role("button", name="Search").click()
    views.expect_summary("following-view", "This is no regular expression")


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
def test_views_are_accessible(views: ViewsPage) -> None:
    views.open(
        "letters-deep",
        memory_view="MemoryView",
        attribution_view="AttributionView",
        age_view="AgeView",
        saturation_view="SaturationView",
        reset_view="ResetView",
        triage_view="TriageView",
        following_view="FollowingView",
    )
    views.move(step=30)
    expect(views.view("following-view").locator("tbody tr").first).to_be_visible()
    views.page.set_viewport_size({"width": 390, "height": 844})
    views.page.wait_for_function("document.documentElement.scrollWidth <= 390")
    axe = (NODE_MODULES / "axe-core" / "axe.min.js").read_text("utf-8")
    views.page.evaluate(axe)
    violations = views.page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


_SHARE = "bar => bar.style.getPropertyValue('--share')"


def _short(value: float) -> str:
    """Three digits that count, as the page writes them."""
    digits = max(0, min(4, 2 - int(np.floor(np.log10(abs(value))))))
    return f"{value:.{digits}f}"


def _share(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.05:
        return "< 0.1 %"
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.{1 if percent < 9.95 else 0}f} %"


def _named(character: str) -> str:
    return "space" if character == " " else character


def _correlation(one: Values, other: Values) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def _rows(views: ViewsPage) -> list[list[str]]:
    """The first page of the units that follow a marking."""
    rows = views.view("following-view").locator("tbody tr")
    expect(rows).to_have_count(16)
    return [
        [cell.replace("−", "-") for cell in row.locator("th, td").all_inner_texts()]
        for row in rows.all()
    ]
