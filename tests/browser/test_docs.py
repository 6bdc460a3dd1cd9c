"""Swagger UI at /docs, without the rest of the internet."""

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_docs_list_every_operation(visit: Visit, api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    operations = sorted(
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    )
    visit.page.goto("/docs")
    blocks = visit.page.locator(".opblock-summary")
    expect(blocks).to_have_count(len(operations))
    listed = [
        f"{block.locator('.opblock-summary-method').inner_text()} "
        f"{block.locator('.opblock-summary-path').get_attribute('data-path')}"
        for block in blocks.all()
    ]
    assert sorted(listed) == operations
