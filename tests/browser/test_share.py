"""What is shown can be taken along: as a link, as requests, as a picture, as numbers."""

import io
import re
import subprocess
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import HOST, Visit
from tests.browser.inspector_page import InspectorPage
from tests.system_programs import required

TEXT = "abc def. 'gab' \\ \"h\"\n"
KNOWN = "abc def. gab"


@pytest.fixture
def inspector(visit: Visit) -> InspectorPage:
    return InspectorPage(visit)


def code_of(inspector: InspectorPage, button: str) -> str:
    panel = inspector.page.locator("#share-panel")
    if panel.get_attribute("open") is None:
        panel.locator("summary").click()
    inspector.page.click(button)
    area = inspector.page.locator("#share-code")
    selected: bool = area.evaluate(
        "area => area.selectionStart === 0 && area.selectionEnd === area.value.length"
    )
    assert selected, "what cannot be copied is selected"
    return area.input_value()


def reachable(code: str, visit: Visit, api: httpx.Client) -> str:
    """The browser knows the service by a name that others do not."""
    assert visit.origin in code
    return code.replace(visit.origin, str(api.base_url).rstrip("/"))


def test_a_link_shows_the_same(inspector: InspectorPage) -> None:
    inspector.open("letters-deep")
    inspector.run(KNOWN)
    inspector.expect_progress("Ran 12 time steps")
    page = inspector.page
    page.select_option("#order", "memory")
    page.check("#standard")
    page.click("#zoom-in")
    inspector.point_at(1, "candidate", unit=2, step=7)
    said, map_before = inspector.sentence(), inspector.pixels(1, "candidate")
    link = code_of(inspector, "#share-link")
    page.goto("about:blank")
    page.goto(link)
    inspector.expect_progress("An earlier run: 12 time steps")
    expect(page.locator("#sentence")).to_have_text(said)
    expect(page.locator("#order")).to_have_value("memory")
    expect(page.locator("#standard")).to_be_checked()
    assert np.array_equal(inspector.pixels(1, "candidate"), map_before)
    expect(page.locator("#text")).to_have_text(KNOWN)


def test_the_link_of_a_sample_needs_no_trace(inspector: InspectorPage) -> None:
    inspector.open("weather")
    inspector.point_at(0, "hidden", unit=3, step=9)
    said = inspector.sentence()
    link = code_of(inspector, "#share-link")
    assert "trace=" not in link
    inspector.page.goto(link)
    expect(inspector.page.locator("#sentence")).to_have_text(said)
    expect(inspector.page.locator("#notice")).to_be_empty()


def test_an_expired_trace_is_said(visit: Visit, inspector: InspectorPage) -> None:
    inspector.page.goto("/?model=letters&trace=gone&layer=0&gate=reset&unit=2&step=5")
    expect(inspector.page.locator("#notice")).to_contain_text("expired")
    inspector.expect_settled()
    assert inspector.sentence().startswith("layer 0, unit 2, step 5 ")
    assert [text for text in visit.complaints if "404" not in text] == []
    visit.complaints.clear()


def test_a_link_opens_a_session(inspector: InspectorPage, api: httpx.Client) -> None:
    api.post("/v1/sessions", json={"model": "letters", "session_id": "linked"}).raise_for_status()
    inspector.page.goto("/?session=linked")
    expect(inspector.page.locator("#session-life")).to_contain_text("Recorded")
    api.post("/v1/sessions/linked/steps", json={"text": "gg"}).raise_for_status()
    expect(inspector.page.locator("#text")).to_have_text("gg")


@pytest.mark.parametrize("language", ["curl", "python"])
@pytest.mark.parametrize("given", [True, False])
def test_the_requests_answer_what_is_shown(
    visit: Visit, inspector: InspectorPage, api: httpx.Client, language: str, given: bool
) -> None:
    inspector.open("letters")
    steps = 64
    if given:
        inspector.run(KNOWN)
        steps = len(KNOWN)
        inspector.expect_progress(f"Ran {steps} time steps")
    inspector.point_at(0, "candidate", unit=1, step=3)
    code = reachable(code_of(inspector, f"#share-{language}"), visit, api)
    if language == "curl":
        required("curl")
        out = subprocess.run(["sh", "-c", code], capture_output=True, check=True, text=True).stdout
        window: dict[str, Any] = httpx.Response(200, content=out).json()
    else:
        names: dict[str, Any] = {}
        exec(compile(code, "copied", "exec"), names)
        window = names["window"]
    assert (window["tensor"], window["from"], window["to"]) == ("candidate", 0, steps)
    value = window["values"][3][1]
    assert f"candidate {value:.3f} — ".replace("-", "−") in inspector.sentence()


def test_what_is_copied_is_quoted(visit: Visit) -> None:
    """A text with everything in it that a shell or Python would read otherwise."""
    visit.page.goto("/")
    made = {"model": "it's", "text": TEXT + "$HOME `id` é\u2028", "sample": True, "state": None}
    requests = {"base": "http://x", "made": made, "id": "", "query": {}}
    curl, python = visit.page.evaluate(
        """async requests => {
            const {curlOf, pythonOf} = await import("/inspector/share/code.js");
            return [curlOf(requests), pythonOf(requests)];
        }""",
        requests,
    )
    body = re.search(r"-d ('.*') \|", curl, re.DOTALL)
    assert body is not None
    echoed = subprocess.run(
        ["sh", "-c", f"printf %s {body[1]}"], capture_output=True, check=True
    ).stdout
    assert httpx.Response(200, content=echoed).json() == made
    literal = re.search(r"json=(.*)\)\n", python)
    assert literal is not None
    assert eval(literal[1]) == made


def test_a_map_is_saved_as_a_picture(inspector: InspectorPage) -> None:
    inspector.open("letters")
    inspector.run(KNOWN)
    inspector.expect_progress("Ran 12 time steps")
    inspector.point_at(0, "update", unit=0, step=0)
    pixels = inspector.pixels(0, "update")
    inspector.page.locator("#share-panel > summary").click()
    with inspector.page.expect_download() as saved:
        inspector.page.click("#share-png")
    assert saved.value.suggested_filename == "letters-update-layer-0.png"
    picture = (matplotlib.image.imread(saved.value.path()) * 255).round().astype(int)
    across, down = 900 // pixels.shape[1], 320 // pixels.shape[0]
    rows = 48 + down // 2 + down * np.arange(pixels.shape[0])
    columns = 72 + across // 2 + across * np.arange(pixels.shape[1])
    assert (picture[np.ix_(rows, columns)] == pixels).all()


def test_numbers_are_saved(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("letters")
    inspector.run(KNOWN)
    inspector.expect_progress("Ran 12 time steps")
    inspector.point_at(0, "update", unit=0, step=0)
    answer = api.post("/v1/models/letters/sequences", json={"text": KNOWN, "gates": True})
    update = np.array(answer.json()["sequences"][0]["gates"]["layers"][0]["update"])
    inspector.page.locator("#share-panel > summary").click()
    with inspector.page.expect_download() as saved:
        inspector.page.click("#share-npz")
    with np.load(saved.value.path()) as arrays:
        name = next(one for one in arrays.files if "update" in one)
        np.testing.assert_allclose(arrays[name], update, atol=1e-5)
    with inspector.page.expect_download() as saved:
        inspector.page.click("#share-csv")
    lines = saved.value.path().read_text("utf-8").splitlines()
    assert len(lines) == 1 + len(KNOWN)
    assert HOST not in lines[0]
    assert io.StringIO(lines[0]).read().count("update") == 6
