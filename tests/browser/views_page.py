"""Views of a trace on a stage of their own: the page's modules, without the rest of the page."""

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit

_STAGE = """async ([given, views]) => {
    const load = name => import(`/inspector/${name}.js`);
    const [{Stage}, {OpenTrace}] = await Promise.all([load("stage"), load("open-trace")]);
    const {models} = await (await fetch("v1/models")).json();
    window.stage = new Stage();
    document.body.innerHTML = "<main><h1>Views</h1><div class=view></div></main>";
    const host = document.querySelector(".view");
    for (const [module, name] of views) {
        const view = new (await load(`views/${module}`))[name](stage);
        host.append(view.node);
        view.node.open = true;
    }
    const described = models.find(({name}) => name === given.model);
    stage.show(await OpenTrace.make(described, given));
    return stage.trace.id;
}"""


class ViewsPage:
    """Some views of a model's own sample, or of other inputs."""

    def __init__(self, visit: Visit, api: httpx.Client) -> None:
        self.page: Page = visit.page
        self._api = api
        self.trace = ""

    def open(self, model: str, *, inputs: Sequence[object] | None = None, **views: str) -> None:
        """The views by their modules' names, `_` for `-`, and those of their classes."""
        self.page.route("**/inspector/main.js", _empty)
        self.page.goto("/")
        names = [[module.replace("_", "-"), name] for module, name in views.items()]
        given = {"model": model} | ({"sample": True} if inputs is None else {"inputs": inputs})
        self.trace = self.page.evaluate(_STAGE, [given, names])

    def move(self, **position: str | int) -> None:
        self.page.evaluate("position => stage.cursor.move(position)", position)

    def position(self) -> dict[str, Any]:
        """Where the cursor is."""
        position: dict[str, Any] = self.page.evaluate("stage.cursor.position")
        return position

    def view(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    def expect_summary(self, name: str, *parts: str) -> None:
        """What is said of the numbers; minus signs and spaces as they are typed."""
        for part in parts:
            shown = part.replace("-", "−").replace(" %", "\u00a0%").replace("< ", "<\u00a0")
            expect(self.view(name).locator(".summary")).to_contain_text(shown)

    def table(self, name: str) -> dict[str, list[str]]:
        """A view's table, unfolded: the cells of its first page by the rows' names."""
        folded = self.view(name).locator("details.table-panel:not([open]) > summary")
        if folded.count():
            folded.click()
        rows = self.view(name).locator("tbody tr")
        expect(rows.first).to_be_visible()
        return {
            row.locator("th").inner_text(): [
                cell.replace("−", "-") for cell in row.locator("td").all_inner_texts()
            ]
            for row in rows.all()
        }

    def values(self, tensor: str, layer: int = 0) -> NDArray[np.float64]:
        """[T, U] of the trace, NaN where there is none."""
        query: dict[str, str | int] = {"tensor": tensor, "layer": layer}
        answer = self._api.get(f"/v1/traces/{self.trace}/window", params=query)
        return np.array(answer.raise_for_status().json()["values"], np.float64)

    def text(self) -> str:
        """What was read."""
        answer = self._api.get(f"/v1/traces/{self.trace}/inputs")
        text: str = answer.raise_for_status().json()["text"]
        return text


def _empty(route: Route) -> None:
    """A script in place of the one that starts the page."""
    route.fulfill(body="", content_type="text/javascript")
