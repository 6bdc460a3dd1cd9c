"""Serving the inspector's static files."""

from importlib.resources import files

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

_STATIC = files("service.edges.inspector") / "static"
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


@router.get("/")
async def page() -> Response:
    return _file("index.html")


@router.get("/inspector/{name}")
async def asset(name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    suffix = name[name.rfind(".") :]
    found = _STATIC / name
    if suffix not in _TYPES or "/" in name or not found.is_file():
        raise HTTPException(404, f"there is no {name}")
    return Response(found.read_bytes(), media_type=_TYPES[suffix], headers=_HEADERS)
