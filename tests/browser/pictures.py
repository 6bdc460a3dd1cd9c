"""Pictures of the pages as visitors see them: `python -m tests.browser.pictures [FOLDER]`.

Three widths, both colour schemes; and `docs/inspector.png`, the picture of the README, where no
folder is given.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.service_process import running_service
from tests.system_programs import required

Scheme = Literal["light", "dark"]
WIDTHS = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1280, 900)}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
ROOT = Path(__file__).parents[2]
README_PICTURE = ROOT / "docs" / "inspector.png"


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at a page."""

    width: str
    scheme: Scheme

    @property
    def name(self) -> str:
        return f"{self.width}-{self.scheme}"

    def page(self, browser: Browser, origin: str) -> Page:
        width, height = WIDTHS[self.width]
        context = browser.new_context(
            base_url=origin,
            color_scheme=self.scheme,
            viewport={"width": width, "height": height},
            # What moves by itself would be another picture each time.
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        return context.new_page()


LOOKS = [Look(width, scheme) for width in WIDTHS for scheme in SCHEMES]


def settle(page: Page) -> None:
    """Wait until nothing on the page is still being drawn."""
    page.locator("#finding:not([hidden])").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => !document.querySelector('[aria-busy=\"true\"]')")


def open_views(page: Page) -> Iterator[str]:
    """Open every view, one after the other, and scroll to it; their ids."""
    for view in page.locator("details.panel.view:not([hidden])").all():
        name = view.get_attribute("id")
        assert name is not None
        view.evaluate("node => { node.open = true; node.scrollIntoView({block: 'start'}); }")
        settle(page)
        yield name
        view.evaluate("node => { node.open = false; }")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=required("chromium"), args=["--no-sandbox"]
        )
        log = Path(scratch) / "log"
        with running_service(ROOT / "models", "memory://", log) as service:
            if folder is None:
                page = Look("desk", "light").page(browser, service.url)
                page.goto("/?model=characters")
                settle(page)
                page.screenshot(path=README_PICTURE)
            else:
                take_all(browser, service.url, folder)
        browser.close()


def take_all(browser: Browser, origin: str, folder: Path) -> None:
    """The first screen, and every view, of both demo models, in every look."""
    folder.mkdir(parents=True, exist_ok=True)
    for look in LOOKS:
        for model in ("characters", "neuron"):
            page = look.page(browser, origin)
            page.goto(f"/?model={model}")
            settle(page)
            page.screenshot(path=folder / f"{model}-{look.name}.png")
            for view in open_views(page):
                page.screenshot(path=folder / f"{model}-{look.name}-{view}.png")
            page.context.close()


if __name__ == "__main__":
    main()
