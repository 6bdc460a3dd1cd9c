"""What a visitor sees without a click, on a phone, a tablet and a desk."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage

BEFORE_THE_VIEWS = ["Finding", "Text", "Gates"]
BEHIND_THE_VIEWS = ["Outputs", "Your input", "Session", "Take along", "Model"]
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1280, 900)}


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("model", ["letters", "weather"])
@pytest.mark.parametrize("size", SIZES)
def test_a_picture_is_on_the_first_screen(visit: Visit, size: str, model: str) -> None:
    width, height = SIZES[size]
    page, inspector = visit.page, InspectorPage(visit)
    page.set_viewport_size({"width": width, "height": height})
    inspector.open(model)
    assert page.locator(".what").inner_text().count(".") <= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#flow")).to_be_in_viewport(ratio=0.9)
    map_box = inspector.heat_map(0, "reset").bounding_box()
    assert map_box is not None
    if size == "phone":
        assert map_box["width"] > 0.9 * width
    if size == "desktop":
        expect(page.locator("#input")).to_be_in_viewport()


def test_links_lead_to_sections_and_open_them(visit: Visit) -> None:
    inspector = InspectorPage(visit)
    inspector.open("letters")
    links = visit.page.get_by_role("navigation").get_by_role("link")
    views = visit.page.locator("#views > details:not([hidden]) > summary h2").all_inner_texts()
    expect(links).to_have_text([*BEFORE_THE_VIEWS, *views, *BEHIND_THE_VIEWS])
    panel = visit.page.locator("#model-panel")
    panel.locator("summary").click()
    expect(panel).not_to_have_attribute("open", "")
    links.last.press("Enter")
    expect(panel).to_have_attribute("open", "")
    expect(panel).to_be_in_viewport()


def test_everything_can_be_reached_by_keyboard(visit: Visit) -> None:
    """From the top to the bottom by Tab alone, with the focus visible everywhere."""
    inspector = InspectorPage(visit)
    inspector.open("weather")
    reached = set()
    for _ in range(120):
        visit.page.keyboard.press("Tab")
        where = visit.page.evaluate(
            """() => {
                const node = document.activeElement;
                const style = getComputedStyle(node);
                return node === document.body ? null
                    : [node.id || node.className, style.outlineStyle, style.outlineWidth];
            }"""
        )
        if where is None:
            break
        name, style, outline = where
        assert style != "none" and outline != "0px", name
        reached.add(name)
    assert {"model", "language", "order", "standard", "zoom-fit", "scroller", "chart"} <= reached
    assert {"heat-map", "input", "run", "step", "play", "reset-session"} <= reached
