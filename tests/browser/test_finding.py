"""What a visitor sees without a click: a unit that does something, found by the service."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from service.analysis.markings import markings_of
from service.bundle.signatures import Tokens
from tests.browser.colour_tables import expected_pixels
from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage, canvas_pixels

AT_MOST_SECONDS = 60.0
"""Ten are promised; a busy machine may take longer. What was measured is shown at the end."""
NUMBER = r"−?\d\.\d\d"


@pytest.fixture(scope="module")
def shown(demo_repository: Path) -> Path:
    return demo_repository


def open_first(visit: Visit, address: str) -> float:
    """Seconds until a finding is read and its picture is drawn."""
    began = time.monotonic()
    visit.page.goto(address)
    InspectorPage(visit).expect_settled()
    expect(visit.page.locator("#finding-sentence")).to_contain_text("r\u00a0=\u00a0")
    expect(visit.page.locator("#flow")).to_have_attribute("aria-busy", "false")
    return time.monotonic() - began


def picture_of(visit: Visit) -> str:
    picture: str = visit.page.locator("#flow").evaluate("canvas => canvas.toDataURL()")
    return picture


def sample_of(api: httpx.Client, model: str) -> str:
    answer = api.post("/v1/traces", json={"model": model, "sample": True}).raise_for_status()
    trace_id: str = answer.json()["trace_id"]
    return trace_id


def correlations(
    api: httpx.Client, trace: str, place: dict[str, str], marking: NDArray[np.float64]
) -> list[float]:
    """Pearson's r of a unit and a marking on each half of the steps."""
    layer, tensor, unit = place["layer"], place["gate"], place["unit"]
    window = api.get(
        f"/v1/traces/{trace}/window", params={"tensor": tensor, "layer": layer, "units": unit}
    ).json()
    values = np.array(window["values"])[:, 0]
    middle = len(values) // 2
    halves = (slice(middle), slice(middle, None))
    return [float(np.corrcoef(values[half], marking[half])[0, 1]) for half in halves]


def place_of(visit: Visit) -> dict[str, str]:
    """Where the cursor is, as the address says."""
    visit.page.wait_for_url(re.compile("unit="))
    return dict(httpx.URL(visit.page.url).params.items())


def test_the_first_visit(visit: Visit, api: httpx.Client, say: Callable[[str], None]) -> None:
    seconds = open_first(visit, "/")
    say(f"the page's finding is there after {seconds:.1f} s, ten are promised")
    assert seconds < AT_MOST_SECONDS
    said = visit.page.inner_text("#finding-sentence")
    assert "Hidden unit" in said and "of characters follows open quotes" in said
    place = place_of(visit)
    trace = sample_of(api, "characters")
    text = api.get(f"/v1/traces/{trace}/inputs").json()["text"]
    vocabulary = api.get("/v1/models/characters").json()["input"]["vocabulary"]
    marking = markings_of(
        Tokens(size=len(vocabulary), vocabulary=tuple(vocabulary)),
        np.array([vocabulary.index(character) for character in text]),
    )["open quotes"]
    measured = correlations(api, trace, place, marking)
    shown = [float(one.replace("−", "-")) for one in re.findall(NUMBER, said)]
    assert shown == pytest.approx(measured, abs=0.006)
    assert ("the other way round" in said) == (measured[0] < 0)
    notice = visit.page.inner_text("#finding-notice")
    assert ("tends to be lower" in notice) == (measured[0] < 0)
    statistics = api.get(f"/v1/traces/{trace}/statistics").json()["tensors"]["update"]
    for share in ("near_0", "near_1"):
        assert f"{100 * statistics[share][int(place['unit'])]:.0f} %" in notice


def test_the_text_flows_in_the_colours_of_the_unit(visit: Visit, api: httpx.Client) -> None:
    open_first(visit, "/?model=characters")
    flow = visit.page.locator("#flow")
    before = picture_of(visit)
    visit.page.wait_for_timeout(300)
    assert picture_of(visit) != before, "it flows"
    visit.page.click("#flow-play")
    expect(visit.page.locator("#flow-play")).to_have_text("Play")
    still = picture_of(visit)
    visit.page.wait_for_timeout(300)
    assert picture_of(visit) == still

    flow.focus()
    visit.page.keyboard.press("Home")
    expect(visit.page.locator("#sentence")).to_contain_text("step 0 ")
    place = place_of(visit)
    trace = sample_of(api, "characters")
    query: dict[str, str | int] = {
        "tensor": place["gate"],
        "units": place["unit"],
        "to": 60,
    }
    values = api.get(f"/v1/traces/{trace}/window", params=query).json()["values"]
    expected = expected_pixels(place["gate"], values, "light")[0]
    visit.page.wait_for_timeout(100)
    pixels = canvas_pixels(flow)
    # A step is 11 pixels wide; its upper edge is free of the character.
    row = pixels[4, 74 + 3 :: 11][:60]
    assert np.abs(row.astype(int) - expected).max() <= 1


def test_another_model_has_another_finding(visit: Visit, api: httpx.Client) -> None:
    open_first(visit, "/")
    visit.page.select_option("#model", "neuron")
    sentence = visit.page.locator("#finding-sentence")
    expect(sentence).to_contain_text("of neuron follows potential")
    InspectorPage(visit).expect_settled()
    expect(visit.page.locator("#flow-caption")).to_contain_text("potential (dark) and ")
    visit.page.wait_for_url(re.compile("model=neuron.*unit="))
    trace = sample_of(api, "neuron")
    values = np.array(api.get(f"/v1/traces/{trace}/inputs").json()["inputs"])[:, 0]
    measured = correlations(api, trace, place_of(visit), values)
    shown = [float(one) for one in re.findall(NUMBER, sentence.inner_text())]
    assert shown == pytest.approx(measured, abs=0.006)


def test_one_may_type_a_text_of_ones_own(visit: Visit) -> None:
    open_first(visit, "/")
    page = InspectorPage(visit)
    visit.page.click("#finding-invite")
    expect(visit.page.locator("#input")).to_be_focused()
    unit = place_of(visit)["unit"]
    page.run('a "tank night" and not')
    page.expect_progress("Ran 22 time steps")
    expect(visit.page.locator("#finding-notice")).to_contain_text("reads another input")
    assert f"unit {unit}," in page.sentence()


def test_without_a_finding_the_longest_memory_is_shown(visit: Visit, api: httpx.Client) -> None:
    nothing = {"steps": 2048, "least": 0.5, "findings": []}
    visit.page.route("**/findings", lambda route: route.fulfill(json=nothing))
    visit.page.goto("/?model=characters")
    page = InspectorPage(visit)
    page.expect_settled()
    sentence = visit.page.locator("#finding-sentence")
    expect(sentence).to_contain_text("No unit of characters follows")
    trace = sample_of(api, "characters")
    length = api.get(f"/v1/traces/{trace}/statistics").json()["memory"]["length"]
    longest = max(range(len(length)), key=lambda unit: length[unit] or np.inf)
    expect(sentence).to_contain_text(f"Hidden unit {longest} holds longest")
    expect(sentence).to_contain_text(f"{length[longest]:.1f} steps")
    assert place_of(visit)["unit"] == str(longest)


def test_nothing_moves_where_nothing_is_to_move(visit: Visit) -> None:
    visit.page.emulate_media(reduced_motion="reduce")
    open_first(visit, "/")
    expect(visit.page.locator("#flow-play")).to_have_text("Play")
    before = picture_of(visit)
    visit.page.wait_for_timeout(300)
    assert picture_of(visit) == before
