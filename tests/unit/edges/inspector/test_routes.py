"""The inspector's files, without a browser."""

import re
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from tests.page.tools import NODE_MODULES
from tests.system_programs import leave_out

STATIC = Path(str(files("service.edges.inspector") / "static"))
SERVED = {".html", ".js", ".css", ".svg"}
ASSETS = sorted(
    str(file.relative_to(STATIC)) for file in STATIC.rglob("*") if file.suffix in SERVED
)
LEFT_OUT = sorted(
    str(file.relative_to(STATIC))
    for file in STATIC.rglob("*")
    if file.is_file() and file.suffix not in SERVED
)
OWN = [name for name in ASSETS if not name.startswith("vendor/")]


@pytest.mark.parametrize("path", ["/", "/docs", *(f"/inspector/{name}" for name in ASSETS)])
async def test_page_and_assets_come_with_a_strict_policy(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    kind = kinds.get(Path(path).suffix, "text/html")
    assert answer.headers["content-type"].startswith(kind)


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
        "/inspector/",
        "/inspector/texts",
        "/inspector/texts/",
        "/inspector/texts/%2e%2e/page.css",
        "/inspector//page.css",
        *(f"/inspector/{name}" for name in LEFT_OUT),
    ],
)
async def test_anything_else_is_a_404_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("name", OWN)
def test_nothing_refers_to_another_origin_or_breaks_the_policy(name: str) -> None:
    source = (STATIC / name).read_text("utf-8")
    assert set(re.findall(r"https?://[^\s\"']+", source)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=", source)


@pytest.mark.parametrize("name", ["uPlot.esm.js", "uPlot.min.css"])
def test_the_chart_library_is_the_published_one(name: str) -> None:
    published = NODE_MODULES / "uplot" / "dist" / name
    if not published.is_file():
        leave_out("the page's tools: make page-tools")
    assert (STATIC / "vendor" / "uplot" / name).read_bytes() == published.read_bytes()
    assert not re.search(r"[\"'`(]https?:", published.read_text("utf-8")), "nothing is fetched"


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = (texts_of(STATIC / "texts" / f"{name}.js") for name in ("en", "zh"))
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert placeholders(chinese[key]) == placeholders(text), key
        # Chinese has no spaces between sentences.
        assert bool(chinese[key].strip()) == bool(text.strip()), key


def test_every_text_is_used_and_no_element_has_one_of_its_own() -> None:
    english = texts_of(STATIC / "texts" / "en.js")
    sources = [(STATIC / name).read_text("utf-8") for name in OWN if not name.startswith("texts/")]
    used = set(re.findall(r"[\"\x60]([a-z0-9-]+(?:\.[a-z0-9-]+)*)[\"\x60]", "\n".join(sources)))
    computed = (
        *("tensor.", "meaning.", "map.", "model.reset.", "number.", "marking.", "session.answer."),
        *("saturation.", "compare.mode.", "intervene.deed.", "intervene.which."),
        *("finding.unit.", "why.gradient.", "why.perturbation.", "why.method."),
    )
    assert {key for key in english if key not in used and not key.startswith(computed)} == set()


def texts_of(module: Path) -> dict[str, str]:
    """The keys and texts of a module that has nothing else."""
    pairs = re.findall(
        r'^  "([a-z0-9.-]+)":\s+"((?:[^"\\]|\\.)*)",$', module.read_text("utf-8"), re.M
    )
    assert len(pairs) == module.read_text("utf-8").count('":'), "a text that this test cannot read"
    return dict(pairs)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
