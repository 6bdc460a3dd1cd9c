"""The cell at a step and the tour: every number is that of the equations."""

import re

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.shown_views import cursor, show_views
from tests.bundles import served_models
from tests.oracle import Oracle

SHOWN = 0.0005 + 1e-5
"""How far a number is from what is shown of it: three decimals of float32."""
MODELS = {trained.name: trained for trained in served_models()}


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize(("model", "unit", "step"), [("letters", 4, 9), ("weather", 2, 30)])
def test_the_picture_has_the_numbers_of_the_equations(
    visit: Visit, model: str, unit: int, step: int
) -> None:
    trained = MODELS[model]
    oracle = Oracle(trained.network)
    size = oracle.hidden_sizes[0]
    inputs = trained.samples[""][np.newaxis]
    trace = oracle.run(inputs, np.zeros((1, sum(oracle.hidden_sizes))))
    h, r = trace.hidden[0, step - 1, :size], trace.reset[0, step, :size]
    layer = oracle.layers[0]
    history = layer.U_n @ (r * h) if layer.reset == "before" else r * (layer.U_n @ h + layer.c_n)
    z, n = trace.update[0, step, unit], trace.candidate[0, step, unit]
    expected = {
        "tensor.before": h[unit],
        "tensor.hidden": trace.hidden[0, step, unit],
        "tensor.update": z,
        "tensor.reset": r[unit],
        "tensor.candidate": n,
    }
    show_views(visit.page, model, "cell-view", layer=0, unit=unit, step=step)
    for name, value in expected.items():
        shown = visit.page.locator(f'.cell-picture [data-name="{name}"] .value').text_content()
        assert number(shown or "") == pytest.approx(value, abs=SHOWN), name
    equations = dict(
        zip(
            visit.page.locator(".cell-equations dt").all_inner_texts(),
            visit.page.locator(".cell-equations dd").all_inner_texts(),
            strict=True,
        )
    )
    assert number(equations["history"].rpartition(" = ")[2]) == pytest.approx(
        history[unit], abs=SHOWN
    )
    assert equations["history"].startswith({"before": "U (r", "after": "r × (U"}[layer.reset])
    kept, written = (1 - z) * h[unit], z * n
    said = visit.page.inner_text(".cell-sentence")
    found = re.search(r"of (\S+) before, (\S+) is kept; (\S+) is written, (\S+) % of", said)
    assert found is not None, said
    assert [number(one) for one in found.groups()[:3]] == pytest.approx(
        [h[unit], kept, written], abs=SHOWN
    )
    share = 100 * abs(written) / (abs(kept) + abs(written))
    assert number(found[4]) == pytest.approx(share, abs=0.6)


def test_the_picture_follows_the_cursor(visit: Visit, api: httpx.Client) -> None:
    trace = show_views(visit.page, "letters", "cell-view", unit=1, step=3)
    expect(visit.page.locator(".cell-sentence")).to_contain_text("unit 1, step 3")
    visit.page.evaluate("() => window.stage.cursor.move({unit: 2, step: 8})")
    expect(visit.page.locator(".cell-sentence")).to_contain_text("unit 2, step 8")
    asked = {"layer": 0, "unit": 2, "step": 8}
    numbers = api.get(f"/v1/traces/{trace}/cell", params=asked).json()["numbers"]
    visit.page.locator("#cell-view .table-panel summary").click()
    for row in visit.page.locator(".cell-numbers tbody tr").all():
        name, value = row.locator("code").inner_text(), row.locator(".value").inner_text()
        assert number(value) == pytest.approx(numbers[name], abs=SHOWN), name


def test_the_tour_by_keyboard(visit: Visit, api: httpx.Client) -> None:
    trace = show_views(visit.page, "weather", "tour-view", path="/docs?tour=1", unit=0, step=0)
    words, told = visit.page.locator(".tour-words"), visit.page.locator(".tour-words .told")
    for stop in range(1, 8):
        expect(words).to_contain_text(f"Stop {stop} of 7")
        expect(visit.page).to_have_url(re.compile(rf"[?&]tour={stop}(&|$)"))
        visit.page.wait_for_function(
            "([stop, said]) => document.querySelector('.tour-words .told').textContent !== said",
            arg=[stop, visit.page.evaluate("() => window.said ?? ''")],
        )
        at = cursor(visit.page)
        asked = {name: at[name] for name in ("layer", "unit", "step")}
        expect(words).to_contain_text("unit {unit}, step {step}".format(**asked))
        numbers = api.get(f"/v1/traces/{trace}/cell", params=asked).json()["numbers"]
        expect(told).to_contain_text(f"{numbers[_TOLD[stop]]:.3f}".replace("-", "−"))
        visit.page.evaluate("() => (window.said = document.querySelector('.told').textContent)")
        if stop < 7:
            words.get_by_role("button", name="To this stop's place").press("ArrowRight")


_TOLD = {
    1: "kept",
    2: "reset",
    3: "candidate",
    4: "written",
    5: "hidden",
    6: "reset",
    7: "kept",
}
"""A number that each stop tells of the cell at the cursor."""


def test_a_tour_of_a_model_with_half_open_gates_says_so(visit: Visit, api: httpx.Client) -> None:
    trace = show_views(visit.page, "letters", "tour-view", path="/docs?tour=5", unit=0, step=0)
    statistics = api.get(f"/v1/traces/{trace}/statistics").json()
    largest = max(statistics["tensors"]["update"]["max"])
    assert largest < 0.9, "this model shows nothing of the kind"
    unit = statistics["tensors"]["update"]["max"].index(largest)
    sentence = f"the largest value is {largest:.3f}, of unit {unit}."
    expect(visit.page.locator(".tour-words .far")).to_contain_text(sentence)
    assert cursor(visit.page)["unit"] == unit
