"""`python -m service models …`: which version of a model new sessions get.

The commands write what is wanted into the repository; services that read it follow.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from service.bundle.desired import Default, Desired, read_desired
from service.bundle.folders import read_version, version_folders, versions_in
from service.errors import InvalidInput, NoDefaultVersion, VersionNotFound
from service.process.stock import as_json, as_text, default_of, stock_of
from service.repository.desired import choose_default, model_folder, restore, withdraw


def parser_of() -> argparse.ArgumentParser:
    """Of what comes behind `models`. The settings' own flags may follow."""
    parser = argparse.ArgumentParser(
        prog="python -m service models",
        description="Says which version of a model new sessions get. Services that read the "
        "repository follow within --repository-scan-seconds.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show all versions and what is wanted of them")
    listing.add_argument("name", nargs="?", metavar="NAME")
    listing.add_argument("--json", action="store_true", help="for programs")
    default = commands.add_parser(
        "default", help="have new sessions get a version, or the newest one again"
    )
    default.add_argument("name", metavar="NAME")
    default.add_argument("version", metavar="VERSION|newest", type=_default)
    default.add_argument(
        "--compare",
        action="store_true",
        help="show how far the outputs of the present default and VERSION are apart, and change "
        "nothing unless --yes is given",
    )
    default.add_argument(
        "--data", type=Path, help="compare on this, too: a .csv, or a .npz with an array `input`"
    )
    default.add_argument("--yes", action="store_true", help="with --compare: change it, too")
    taking = commands.add_parser("withdraw", help="have a version take no new sessions")
    taking.add_argument("name", metavar="NAME")
    taking.add_argument("version", metavar="VERSION", type=_version)
    taking.add_argument(
        "--drop", action="store_true", help="serve the sessions that it has no longer, either"
    )
    giving = commands.add_parser("restore", help="undo withdraw")
    giving.add_argument("name", metavar="NAME")
    giving.add_argument("version", metavar="VERSION", type=_version)
    for command in (listing, default, taking, giving):
        command.add_argument("--repository", help="the folder of models")
    return parser


def carry_out(said: argparse.Namespace, repository: Path) -> str:
    """What was done, in words. Raises GatewiseError."""
    return _COMMANDS[said.command](said, repository)


def _list(said: argparse.Namespace, repository: Path) -> str:
    names = (
        [said.name] if said.name else sorted({f.parent.name for f in version_folders(repository)})
    )
    models = [stock_of(model_folder(repository, name)) for name in names]
    return as_json(models) if said.json else as_text(models)


def _withdraw(said: argparse.Namespace, repository: Path) -> str:
    desired = withdraw(repository, said.name, said.version, drop=said.drop)
    done = "serves nobody any more" if said.drop else "takes no new sessions"
    return f"{said.name}/{said.version} {done}; {_new_sessions(repository / said.name, desired)}"


def _restore(said: argparse.Namespace, repository: Path) -> str:
    desired = restore(repository, said.name, said.version)
    done = "is a candidate again" if desired.of(said.version).candidate else "is restored"
    return f"{said.name}/{said.version} {done}; {_new_sessions(repository / said.name, desired)}"


def _choose(said: argparse.Namespace, repository: Path) -> str:
    model, version = model_folder(repository, said.name), said.version
    if version != "newest":
        _check_servable(model, version)
    shown = []
    if said.data is not None and not said.compare:
        raise InvalidInput.at(("--data",), "it is for --compare")
    if said.compare:
        shown.append(_compared(model, version, said.data))
        if not said.yes:
            return "\n".join([*shown, "nothing was changed; add --yes to change it"])
    desired = choose_default(repository, said.name, version)
    return "\n".join([*shown, _new_sessions(model, desired)])


def _check_servable(model: Path, version: int) -> None:
    """Raises VersionNotFound, BundleError: what cannot be read must not become the default."""
    if version not in (there := versions_in(model)):
        raise VersionNotFound(
            f"there is no version {version} of model {model.name!r}; in the repository: "
            f"{', '.join(map(str, there)) or 'none'}"
        )
    read_version(model / str(version))


def _compared(model: Path, version: Default, data: Path | None) -> str:
    # ONNX Runtime takes its time: not for a command that runs no graph.
    from service.process.comparison import compare_versions, table_of

    desired = read_desired(model)
    present = default_of(model, desired)
    other = default_of(model, desired.with_default("newest")) if version == "newest" else version
    if present is None or other is None:
        raise NoDefaultVersion(f"model {model.name!r} has no default version to compare with")
    return table_of(compare_versions(model, present, other, data), present, other)


def _new_sessions(model: Path, desired: Desired) -> str:
    default = default_of(model, desired)
    if default is None:
        return f"no version of {model.name} serves new sessions by itself"
    why = "pinned" if desired.default == default else "the newest"
    return f"new sessions get {model.name}/{default} ({why})"


def _default(text: str) -> Default:
    return "newest" if text == "newest" else _version(text)


def _version(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a version")
    return int(text)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Path], str]] = {
    "list": _list,
    "default": _choose,
    "withdraw": _withdraw,
    "restore": _restore,
}
