"""English and Chinese: by the browser, by the address, by choice, and without losing anything."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import HOST, Visit
from tests.browser.inspector_page import InspectorPage
from tests.service_process import ServiceProcess

Opened = Callable[[str], Page]


@pytest.fixture
def open_as(browser: Browser, service: ServiceProcess) -> Iterator[Opened]:
    """A page in a browser of a language."""
    contexts = []

    def open_page(locale: str) -> Page:
        base = f"http://{HOST}:{service.port}"
        context = browser.new_context(locale=locale, base_url=base)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("locale", "language"), [("zh-CN", "zh-Hans"), ("en-GB", "en"), ("de-DE", "en")]
)
def test_the_browser_chooses(open_as: Opened, locale: str, language: str) -> None:
    page = open_as(locale)
    page.goto("/?model=letters")
    expect(page.locator("html")).to_have_attribute("lang", language)
    titles = {"zh-Hans": "门随时间的变化", "en": "Gates over time"}
    expect(page.locator("#timeline-panel h2").first).to_have_text(titles[language])
    expect(page.locator(".map h4").first).to_have_text(
        {"zh-Hans": "重置门", "en": "reset"}[language]
    )


def test_the_address_outweighs_the_browser(open_as: Opened) -> None:
    page = open_as("zh-CN")
    page.goto("/docs?lang=en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("a[href='./']")).to_have_text("Inspector")


def test_a_choice_is_kept_and_loses_nothing(visit: Visit) -> None:
    page, inspector = visit.page, InspectorPage(visit)
    inspector.open("letters")
    inspector.run("abc def. gab")
    inspector.expect_progress("Ran 12 time steps")
    inspector.point_at(0, "update", unit=3, step=3)
    page.fill("#input", "abcd")
    english = inspector.sentence()
    page.select_option("#language", "zh")
    expect(page).to_have_url(re.compile(r"\?model=letters&.*lang=zh"))
    expect(page.locator("#progress")).to_have_text("已从头运行 12 步。")
    chinese = inspector.sentence()
    assert chinese.startswith("第 0 层，单元 3，第 3 步（“空格”）：更新门 ")
    number = r"\d\.\d{3}"
    assert re.findall(number, chinese) == re.findall(number, english)
    assert page.input_value("#input") == "abcd"

    page.goto("/docs")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.select_option("#language", "en")
    expect(page.locator("#filter")).to_have_attribute("aria-label", "Find an operation")


@pytest.mark.parametrize(
    "path", ["/?model=letters&lang=zh", "/?model=weather&lang=zh", "/docs?lang=zh"]
)
def test_no_english_is_left(visit: Visit, path: str) -> None:
    """But for what the service says, which is marked as English, and for names."""
    visit.page.goto(path)
    if path.startswith("/docs"):
        expect(visit.page.locator(".operation")).not_to_have_count(0)
    else:
        expect(visit.page.locator("#progress")).to_have_text("模型自带的样例：64 步。")
        InspectorPage(visit).expect_settled()
    text = visit.page.evaluate(
        """() => {
            const body = document.body.cloneNode(true);
            // A view is filled when it is opened.
            const closed = "[hidden], #views details:not([open]) > :not(summary)";
            const own = "[lang=en], textarea, noscript, #text, #model option, .glyph, .scores th";
            body.querySelectorAll(closed).forEach(node => node.remove());
            body.querySelectorAll(own).forEach(node => node.remove());
            const labels = [...body.querySelectorAll("[aria-label]")].map(node => node.ariaLabel);
            const walk = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
            const texts = [];
            while (walk.nextNode()) texts.push(walk.currentNode.textContent);
            return [...texts, ...labels].join("\\n");
        }"""
    )
    names = (
        r"Gatewise|GRU|API|English|HTTP|WebSocket|JSON|RFC|openapi|json|CPU|Page Up/Down|Home|End"
        r"|letters|weather|curl|Python|PNG|CSV|NPZ|ID"
    )
    values = r"temperature|pressure|humidity|hPa|Cividis|bits?|char|error|MAE|after|before|null"
    left = re.sub(rf"(?<![A-Za-z])(?:{names}|{values}|[a-z])(?![A-Za-z])", "", text)
    assert re.findall(r"[A-Za-z]{2,}", left) == []
