"""A session of somebody, opened by its id: watched, forked, rolled out."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage


@pytest.fixture
def inspector(visit: Visit) -> InspectorPage:
    return InspectorPage(visit)


def begin(api: httpx.Client, session: str, model: str = "letters", text: str = "abc") -> None:
    api.post("/v1/sessions", json={"model": model, "session_id": session}).raise_for_status()
    step(api, session, text)


def step(api: httpx.Client, session: str, text: str, key: str | None = None) -> None:
    headers = {} if key is None else {"idempotency-key": key}
    api.post(
        f"/v1/sessions/{session}/steps", json={"text": text}, headers=headers
    ).raise_for_status()


def open_session(inspector: InspectorPage, session: str) -> None:
    page = inspector.page
    page.locator("#session-panel > summary").click()
    page.fill("#session-id", session)
    page.click("#session-form button[type=submit]")
    expect(page.locator("#session-life")).to_contain_text("Recorded")


def test_a_session_is_watched(inspector: InspectorPage, api: httpx.Client) -> None:
    begin(api, "watched")
    inspector.open("weather")
    open_session(inspector, "watched")
    page, life = inspector.page, inspector.page.locator("#session-life")
    expect(page.locator("#model")).to_have_value("letters")
    expect(life).to_contain_text("letters, version 1")
    expect(page.locator("#timeline-panel")).to_be_hidden()
    step(api, "watched", "fa.", key="mine")
    marked = page.locator("#text .marked")
    expect(page.locator("#text")).to_have_text("fa.", timeout=1500)
    expect(marked).to_have_text(".")
    assert inspector.sentence().startswith("layer 0, unit 0, step 2 (“.”)")
    step(api, "watched", "h")
    expect(marked).to_have_text("h", timeout=1500)
    expect(life).to_contain_text("1 kept")
    expect(life).to_contain_text("nothing")
    # Whoever scrolls back stays there.
    page.locator("#text").focus()
    page.keyboard.press("Home")
    step(api, "watched", "bb")
    expect(page.locator("#text")).to_have_text("fa.hbb", timeout=1500)
    expect(marked).to_have_text("f")
    truth = api.get("/v1/sessions/watched").json()
    expect(life).to_contain_text(f"Steps taken{truth['step']}")


def test_the_numbers_are_those_of_the_session(inspector: InspectorPage, api: httpx.Client) -> None:
    begin(api, "shown", text="gab")
    inspector.open("letters")
    open_session(inspector, "shown")
    gates = api.post("/v1/sessions/shown/steps", json={"text": "de", "gates": True}).json()["gates"]
    expect(inspector.page.locator("#text")).to_have_text("de", timeout=1500)
    inspector.point_at(0, "update", unit=4, step=1)
    value = gates["layers"][0]["update"][1][4]
    assert f"update {value:.3f} — " in inspector.sentence()


def test_fork_and_roll_out(inspector: InspectorPage, api: httpx.Client) -> None:
    begin(api, "origin")
    inspector.open("letters")
    page = inspector.page
    page.locator("#session-panel > summary").click()
    expect(page.locator("#session-recent option")).not_to_have_count(1)
    page.select_option("#session-recent", "origin")
    expect(page.locator("#session-life")).to_contain_text("Recorded")
    page.fill("#rollout-steps", "5")
    page.click("#session-roll")
    result = page.locator("#session-result")
    expect(result).to_contain_text("went on")
    assert len(page.locator(".rolled").inner_text()) == 5
    step_now = api.get("/v1/sessions/origin").json()["step"]
    expect(result).to_contain_text(f"step {step_now}")
    page.click("#session-fork")
    expect(result).to_contain_text(f"Forked after {step_now} steps")
    found = re.search(r"new session is (\S+)\.", result.inner_text())
    assert found is not None
    assert api.get(f"/v1/sessions/{found[1]}").json()["step"] == step_now
    result.locator("button").click()
    expect(page.locator("#session-id")).to_have_value(found[1])
    page.click("#session-leave")
    expect(page.locator("#session-opened")).to_be_hidden()
    inspector.expect_progress("own sample")
    assert api.get("/v1/sessions/origin").status_code == 200


def test_a_session_that_is_none(visit: Visit, inspector: InspectorPage) -> None:
    inspector.open("letters")
    inspector.page.locator("#session-panel > summary").click()
    inspector.page.fill("#session-id", "nobody")
    inspector.page.keyboard.press("Enter")
    expect(inspector.page.locator("#session-problem")).to_contain_text("nobody")
    expect(inspector.page.locator("#timeline-panel")).to_be_visible()
    assert [text for text in visit.complaints if "404" not in text] == []
    visit.complaints.clear()
