"""The reference at /docs: everything that the service's description has, and the stream."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit


@pytest.fixture
def document(api: httpx.Client) -> dict[str, Any]:
    described: dict[str, Any] = api.get("/openapi.json").json()
    return described


def operations(document: dict[str, Any]) -> list[str]:
    return sorted(
        f"{method} {path}" for path, methods in document["paths"].items() for method in methods
    )


def listed(visit: Visit) -> Locator:
    return visit.page.locator(".operation:visible")


def test_docs_list_every_operation_and_the_stream(visit: Visit, document: dict[str, Any]) -> None:
    expected = [*operations(document), "ws /v1/stream"]
    visit.page.goto("/docs")
    expect(listed(visit)).to_have_count(len(expected))
    found = [
        f"{one.locator('.method').text_content()} {one.locator('.path').text_content()}"
        for one in listed(visit).all()
    ]
    assert sorted(found) == sorted(expected)


def test_an_operation_tells_what_it_takes_and_gives(visit: Visit, document: dict[str, Any]) -> None:
    path = "/v1/sessions/{session_id}/steps"
    operation = document["paths"][path]["post"]
    visit.page.goto(f"/docs#post-{path}")
    opened = visit.page.locator(f'[id="post-{path}"]')
    expect(opened).to_have_attribute("open", "")
    expect(opened.locator(".about > p").first).to_have_text(operation["description"])
    names = {parameter["name"] for parameter in operation["parameters"]}
    body = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    answer = document["components"]["schemas"]["StepsAnswer"]["properties"]
    shown = set(opened.locator(".fields .name").all_inner_texts())
    assert names | set(body) | set(answer) <= shown
    problems = [code for code in operation["responses"] if code != "200"]
    expect(opened.locator(".status").last).to_have_text(" ".join(problems))


def test_the_stream_tells_its_messages(visit: Visit, document: dict[str, Any]) -> None:
    visit.page.goto("/docs#ws-/v1/stream")
    opened = visit.page.locator('[id="ws-/v1/stream"]')
    messages = document["x-websockets"]["/v1/stream"]["messages"]
    expect(opened.locator("h3")).to_have_text(["open", "step", "get", "fork", "close"])
    assert len(messages) == 5
    expect(opened.locator(".name", has_text="new_session_id")).to_have_count(1)


def test_words_filter_the_list(visit: Visit) -> None:
    visit.page.goto("/docs")
    visit.page.fill("#filter", "post fork")
    expect(listed(visit)).to_have_count(1)
    expect(listed(visit).locator(".path")).to_have_text("/v1/sessions/{session_id}/fork")
    visit.page.fill("#filter", "nothing like this")
    expect(listed(visit)).to_have_count(0)
    expect(visit.page.locator("#found")).to_have_text("No operation has these words.")


def test_an_operation_can_be_tried_by_keyboard(visit: Visit, api: httpx.Client) -> None:
    path = "/v1/sessions/{session_id}"
    created = api.post("/v1/sessions", json={"model": "letters", "session_id": "tried"}).json()
    visit.page.goto(f"/docs#get-{path}")
    opened = visit.page.locator(f'[id="get-{path}"]')
    opened.get_by_label("session_id").press_sequentially("tried")
    command = opened.locator("form pre").first
    expect(command).to_have_text(f"curl '{visit.origin}/v1/sessions/tried'")
    visit.page.keyboard.press("Enter")
    expect(opened.locator("form [role=status]")).to_have_text(re.compile(r"^200, after \d+ ms$"))
    expect(opened.locator("form pre").last).to_contain_text(created["session_id"])
    api.delete("/v1/sessions/tried")
