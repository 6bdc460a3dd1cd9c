"""/docs: Swagger UI, served from a package so that it works offline."""

from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException

router = APIRouter(prefix="/docs", include_in_schema=False)

_ASSETS = files("fastapi_swagger.resources")
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("")
async def page() -> Response:
    script, style, icon = (f"/docs/{name}" for name in _TYPES)
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Gatewise API",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )


@router.get("/{name}")
async def asset(name: str) -> Response:
    if name not in _TYPES:
        raise HTTPException(404, f"there is no {name}")
    return Response((_ASSETS / name).read_bytes(), media_type=_TYPES[name])
