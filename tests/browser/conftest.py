"""A real Chromium on the pages of a real service.

Its fixtures end with their module: as long as Playwright's sync API is started it holds the
thread's event loop, and asynchronous tests could not run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.service_process import ServiceProcess, client_of, running_service
from tests.system_programs import required

HOST = "gatewise.test"
"""Not the loopback address, to which pages are sometimes kinder than to any other."""


@dataclass
class Visit:
    """A page, and everything that it asked for or complained about."""

    page: Page
    origin: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", self._on_request)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def off_origin(self) -> list[str]:
        """`data:` and `blob:` addresses leave nothing; all others must be the service's."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("data", "blob")
            and not url.startswith(self.origin + "/")
        ]

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's path."""
    return required("chromium")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(repository: Path) -> Path:
    """The repository that the page shows."""
    return repository


@pytest.fixture(scope="module")
def service(
    chromium: str, shown: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    assert chromium  # without a browser there is nothing to serve
    log = tmp_path_factory.mktemp("service") / "log"
    with running_service(shown, "memory://", log) as process:
        yield process


@pytest.fixture
def api(service: ServiceProcess) -> Iterator[httpx.Client]:
    """The same service, without the page."""
    with client_of(service.url) as client:
        yield client


@pytest.fixture
def visit(
    browser: Browser, service: ServiceProcess, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """A fresh page. It must neither complain nor ask another origin for anything.

    A test's parameter, where there is one, is the colour scheme.
    """
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    origin = f"http://{HOST}:{service.port}"
    context = browser.new_context(
        base_url=origin, color_scheme=scheme, viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(10_000)
    visit = Visit(context.new_page(), origin)
    visit.watch()
    yield visit
    context.close()
    assert visit.requests
    assert visit.off_origin() == []
    assert visit.complaints == []
