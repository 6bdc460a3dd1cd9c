"""axe-core finds nothing on the pages, in both colour schemes and both languages."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HOST, Visit
from tests.page.tools import NODE_MODULES
from tests.service_process import ServiceProcess
from tests.system_programs import leave_out

Scheme = Literal["light", "dark"]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that checks a page, which is never served."""
    script = NODE_MODULES / "axe-core" / "axe.min.js"
    if not script.is_file():
        leave_out("the page's tools: make page-tools")
    return script.read_text("utf-8")


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(params=["light", "dark"])
def page(
    browser: Browser, service: ServiceProcess, request: pytest.FixtureRequest
) -> Iterator[Page]:
    scheme: Scheme = request.param
    context = browser.new_context(
        base_url=f"http://{HOST}:{service.port}", color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def violations(page: Page, axe: str) -> list[str]:
    """Each with the first elements that it is about."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]


@pytest.mark.parametrize(("size", "model"), [("phone", "letters"), ("desktop", "weather")])
def test_the_inspector(page: Page, axe: str, language: str, size: str, model: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"/?model={model}&lang={language}")
    expect(page.locator("#progress")).to_contain_text("64")
    expect(page.locator("#finding")).to_have_attribute("aria-busy", "false")
    for panel in ("#session-panel", "#share-panel"):
        page.locator(f"{panel} summary").click()
    page.locator("#share-curl").click()
    page.locator("#table-panel summary").click()
    expect(page.locator("#value-table tbody tr")).not_to_have_count(0)
    assert violations(page, axe) == []
    source = "1, 2, three" if model == "weather" else "abz"
    page.fill("#input", source)
    page.click("#run")
    expect(page.locator("#problem li")).not_to_have_count(0)
    assert violations(page, axe) == []


def test_the_reference(page: Page, axe: str, language: str) -> None:
    width, height = SIZES["phone" if language == "zh" else "desktop"]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"/docs?lang={language}")
    expect(page.locator(".operation")).not_to_have_count(0)
    for key in ("ws-/v1/stream", "post-/v1/sessions", "get-/v1/sessions"):
        page.locator(f'[id="{key}"] > summary').click()
    assert violations(page, axe) == []


def test_axe_finds_what_is_wrong(visit: Visit, axe: str) -> None:
    """Else all the tests above would say nothing."""
    visit.page.goto("/docs")
    expect(visit.page.locator(".operation")).not_to_have_count(0)
    visit.page.locator("#filter").evaluate("filter => filter.removeAttribute('aria-label')")
    visit.page.locator("#filter").evaluate("filter => filter.removeAttribute('placeholder')")
    assert any(found.startswith("label:") for found in violations(visit.page, axe))
