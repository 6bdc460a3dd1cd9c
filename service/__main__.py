"""`python -m service`: serve the models of a repository."""

import sys
from typing import NoReturn

from pydantic import ValidationError
from pydantic_settings import CliApp

from service.settings import Settings


def main() -> None:
    try:
        settings = CliApp.run(Settings)
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-") if first["loc"] else "settings"
        _refuse(f"--{flag}: {first['msg']}")
    serve(settings)


def serve(settings: Settings) -> None:
    """Load, then listen. Whatever cannot be served ends the process with one line."""
    # Imported here so that --help and a wrong flag answer at once.
    import uvicorn  # noqa: PLC0415

    from service import logs  # noqa: PLC0415
    from service.app import create_app, load  # noqa: PLC0415
    from service.errors import GatewiseError  # noqa: PLC0415

    logs.configure(settings)
    try:
        models, store = load(settings)
    except GatewiseError as error:
        _refuse(str(error))
    uvicorn.run(
        create_app(settings, models, store),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=30,
    )


def _refuse(reason: str) -> NoReturn:
    sys.exit(f"gatewise: {reason}")


if __name__ == "__main__":
    main()
