"""`python -m service`: serve the models of a repository; or, with words first, a command."""

import os
import sys
from itertools import takewhile
from typing import NoReturn

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from service.settings import Settings


def main() -> None:
    words = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    if words[:1] == ["models"]:
        _steer(sys.argv[2:])
        return
    settings = _settings(sys.argv[1 + len(words) :])
    if words:
        _carry_out(words, settings)
    else:
        serve(settings)


def _settings(arguments: list[str]) -> Settings:
    try:
        return CliApp.run(Settings, cli_args=arguments)
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-") if first["loc"] else "settings"
        _refuse(f"--{flag}: {first['msg']}")
    except SettingsError as error:
        _refuse(f"{str(error).removeprefix('error parsing CLI: ')}; --help lists the flags")


def _carry_out(words: list[str], settings: Settings) -> None:
    """Run a command on the store that the settings name."""
    from service.errors import GatewiseError
    from service.process import logs
    from service.process.commands import COMMANDS

    command = COMMANDS.get((words[0], " ".join(words[1:])))
    if command is None:
        known = ", ".join(" ".join(names) for names in COMMANDS)
        _refuse(f"there is no command {' '.join(words)!r}; there are: {known}")
    logs.configure(settings)
    try:
        print(f"gatewise: {command(settings)}")
    except GatewiseError as error:
        _refuse(str(error))


def _steer(arguments: list[str]) -> None:
    """Say which version of a model new sessions get."""
    from service.errors import GatewiseError
    from service.process.model_commands import carry_out, parser_of

    said = parser_of().parse_args(arguments)
    flags = [] if said.repository is None else ["--repository", said.repository]
    try:
        print(carry_out(said, _settings(flags).repository))
    except GatewiseError as error:
        _refuse(str(error))


def serve(settings: Settings) -> None:
    """Load, then listen. Whatever cannot be served ends the process with one line."""
    # Before NumPy is imported. More threads than these would take the cores from steps of sessions.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(settings.threads))
    # Imported here so that --help and a wrong flag answer at once.
    from service.app import load
    from service.errors import GatewiseError
    from service.process import logs
    from service.process.launch import serve_here, serve_together
    from service.process.server import exit_on_signals, listen
    from service.process.welcome import welcome

    exit_on_signals()
    logs.configure(settings)
    try:
        models, watch, store = load(settings)
        listener, url = listen(settings.host, settings.port)
    except GatewiseError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}")
    if settings.log_format == "console":
        print(welcome(url, models), flush=True)
    if settings.workers == 1:
        serve_here(settings, models, store, listener, watch)
    else:
        store.close()
        sys.exit(serve_together(settings, listener))


def _refuse(reason: str) -> NoReturn:
    sys.exit(f"gatewise: {reason}")


if __name__ == "__main__":
    main()
