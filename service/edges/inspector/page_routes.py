"""Serving the page's static files."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Everything the page needs comes from here; nothing may come from elsewhere.
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def _served(folder: Traversable, below: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        name = below + entry.name
        if entry.is_dir():
            yield from _served(entry, name + "/")
        elif name[name.rfind(".") :] in _TYPES:
            yield name, entry


# A path names one of these or nothing: what a path could do elsewhere does not matter.
ASSETS = dict(_served(files("service.edges.inspector") / "static"))
"""What is served, by its path below `/inspector/`."""


@router.get("/")
async def page() -> Response:
    return _file("index.html")


@router.get("/docs")
async def docs() -> Response:
    return _file("docs/docs.html")


@router.get("/inspector/{path:path}")
async def asset(path: str) -> Response:
    return _file(path)


def _file(path: str) -> Response:
    found = ASSETS.get(path)
    if found is None:
        raise HTTPException(404, f"there is no {path}")
    kind = _TYPES[path[path.rfind(".") :]]
    return Response(found.read_bytes(), media_type=kind, headers=_HEADERS)
