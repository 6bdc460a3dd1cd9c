"""Some views of the inspector on a trace of a model's sample, with nothing else beside them.

They are put into the page of the API's reference, which has no views of its own.
"""

from typing import Any

from playwright.sync_api import Page

_SHOW = """async ([model, ids, position]) => {
    const names = ["stage", "open-trace", "api", "views/all"];
    const [{Stage}, {OpenTrace}, {listModels}, {VIEWS}] =
        await Promise.all(names.map((name) => import(`/inspector/${name}.js`)));
    const stage = new Stage();
    const described = (await listModels()).find(({name}) => name === model);
    const trace = await OpenTrace.make(described, {model, sample: true});
    const views = VIEWS.map((View) => new View(stage)).filter(({node}) => ids.includes(node.id));
    document.querySelector("main").replaceChildren(...views.map(({node}) => node));
    views.forEach(({node}) => (node.open = true));
    stage.cursor.move(position);
    stage.show(trace);
    window.stage = stage;
    return trace.id;
}"""


def show_views(page: Page, model: str, *ids: str, path: str = "/docs", **position: int) -> str:
    """The trace's id."""
    page.goto(path)
    page.wait_for_selector(".operation")
    found: str = page.evaluate(_SHOW, [model, list(ids), position])
    return found


def cursor(page: Page) -> dict[str, Any]:
    position: dict[str, Any] = page.evaluate("() => window.stage.cursor.position")
    return position
