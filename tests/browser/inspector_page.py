"""The inspector as somebody sees it who looks at the page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit

GATES = ("reset", "update", "candidate", "hidden")
# Read from a copy: reading a canvas that the page draws on would slow the page down.
_PIXELS = """canvas => {
    const {width, height} = canvas;
    const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    return [width, height, Array.from(copy.getImageData(0, 0, width, height).data)];
}"""


class InspectorPage:
    """Choosing, typing, pressing, and reading what is shown."""

    def __init__(self, visit: Visit) -> None:
        self.page = visit.page

    def open(self, model: str) -> None:
        """Wait until the model's own example is shown."""
        self.page.goto(f"/?model={model}")
        self.expect_progress("own sample: 64 time steps")
        self.expect_settled()

    def expect_settled(self) -> None:
        """Wait until something has been found, or nothing, and the cursor has moved there."""
        expect(self.page.locator("#finding")).to_have_attribute("aria-busy", "false")

    def run(self, source: str) -> None:
        self.page.fill("#input", source)
        self.page.click("#run")

    def expect_progress(self, text: str) -> None:
        expect(self.page.locator("#progress")).to_contain_text(text)

    def heat_map(self, layer: int, gate: str) -> Locator:
        return self.page.locator(f'.heat-map[data-layer="{layer}"][data-gate="{gate}"]')

    def pixels(self, layer: int, gate: str) -> NDArray[np.uint8]:
        """[U, T, 4], one pixel a cell, of what can be seen of the map; drawn to the end."""
        canvas = self.heat_map(layer, gate)
        canvas.scroll_into_view_if_needed()
        expect(canvas).to_have_attribute("aria-busy", "false")
        return canvas_pixels(canvas)

    def expect_pixels(
        self, layer: int, gate: str, expected: NDArray[np.uint8], *, within: int = 0
    ) -> None:
        """What is drawn, as soon as all of it is. Colours may differ by a little."""
        shape = list(expected.shape[1::-1])
        canvas = self.heat_map(layer, gate)
        self.page.wait_for_function(
            """([canvas, [width, height]]) =>
                canvas.width === width && canvas.height === height && canvas.ariaBusy === "false"
            """,
            arg=[canvas.element_handle(), shape],
        )
        difference = np.abs(self.pixels(layer, gate).astype(int) - expected)
        assert difference.max() <= within

    def columns(self, layer: int, gate: str) -> tuple[int, int]:
        """The first time step that is drawn, and how many are, where each has a column."""
        width = self.pixels(layer, gate).shape[1]
        box = self.heat_map(layer, gate).evaluate(
            "canvas => [parseFloat(canvas.style.left), canvas.offsetWidth]"
        )
        return round(box[0] * width / box[1]), width

    def chart(self, name: str) -> Locator:
        """Of a feature; drawn to the end."""
        chart = self.page.locator(".map", has_text=name).locator(".chart")
        expect(chart).to_have_attribute("aria-busy", "false")
        return chart

    def selected(self) -> str:
        """What is selected of what was typed."""
        text: str = self.page.locator("#input").evaluate(
            "area => area.value.slice(area.selectionStart, area.selectionEnd)"
        )
        return text

    def plot_width(self) -> float:
        """Of all steps, in CSS pixels; there is room for one more."""
        width: float = self.page.locator("#track").evaluate(
            "track => parseFloat(track.style.getPropertyValue('--plot'))"
        )
        return width

    def point_at(self, layer: int, gate: str, unit: int, step: int) -> None:
        """Move the mouse to the middle of a cell."""
        canvas = self.heat_map(layer, gate)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        units, steps = self.pixels(layer, gate).shape[:2]
        x, y = (step + 0.5) * box["width"] / steps, (unit + 0.5) * box["height"] / units
        canvas.hover(position={"x": x, "y": y})

    def sentence(self) -> str:
        """What is said about the cell under the cursor, as soon as it is."""
        self._expect_answered("#sentence")
        return self.page.inner_text("#sentence")

    def outputs(self) -> str:
        """What is said of the outputs at the cursor, as soon as it is."""
        self._expect_answered("#outputs")
        return self.page.inner_text("#outputs")

    def next_characters(self) -> list[tuple[str, str]]:
        """The most likely next characters, each with its probability, as shown."""
        self._expect_answered("#outputs")
        rows = self.page.locator(".next li").all()
        return [
            (row.locator(".glyph").inner_text(), row.locator(".number").inner_text())
            for row in rows
        ]

    def figures(self) -> dict[str, list[float]]:
        """Rows of the table of values, without their units."""
        self._expect_answered("#outputs")
        rows = self.page.locator("#outputs .figures tbody tr").all()
        return {
            row.locator("th").inner_text(): [_number(cell) for cell in row.locator("td").all()]
            for row in rows
        }

    def _expect_answered(self, selector: str) -> None:
        expect(self.page.locator(selector)).to_have_attribute("aria-busy", "false")


def canvas_pixels(canvas: Locator) -> NDArray[np.uint8]:
    """[height, width, 4]"""
    width, height, data = canvas.evaluate(_PIXELS)
    return np.array(data, np.uint8).reshape(height, width, 4)


def gate_values(answer: dict[str, Any], layer: int, gate: str) -> list[list[float]]:
    """[T, U] of an answer of the API."""
    values: list[list[float]] = answer["gates"]["layers"][layer][gate]
    return values


def _number(cell: Locator) -> float:
    return float(cell.inner_text().split()[0].replace("−", "-"))
