"""The inspector's files, without a browser."""

import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.repository.models import Models
from service.settings import Settings
from service.stores.memory import MemoryStore

STATIC = files("service.edges.inspector") / "static"
ASSETS = sorted(entry.name for entry in STATIC.iterdir() if entry.name != "index.html")


@pytest.fixture
async def client(repository: Path, models: Models) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(repository=repository, store="memory://")
    transport = httpx.ASGITransport(create_app(settings, models, MemoryStore()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gatewise") as client:
        yield client


@pytest.mark.parametrize("path", ["/", *(f"/inspector/{name}" for name in ASSETS)])
async def test_page_and_assets_come_with_a_strict_policy(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    kinds = {"": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kinds[path.rpartition(".")[2].strip("/")])


@pytest.mark.parametrize(
    "path",
    [
        "/inspector/unknown.js",
        "/inspector/index",
        "/inspector/%2e%2e",
        "/inspector/%2e%2e%2froutes.py",
        "/inspector/..%2f__init__.py",
        "/inspector/..%2fstatic%2fpage.css",
        "/inspector/%2fetc%2fpasswd",
        "/inspector/a%00.js",
    ],
)
async def test_anything_else_is_a_404_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("name", ["index.html", *ASSETS])
def test_nothing_refers_to_another_origin_or_breaks_the_policy(name: str) -> None:
    source = (STATIC / name).read_text("utf-8")
    assert set(re.findall(r"https?://[^\s\"']+", source)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=", source)
