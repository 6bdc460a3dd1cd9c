"""What the commands that import a model have in common: options, progress, the summary."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

import click

from model_export.commands.making import repository_option, valid_name

if TYPE_CHECKING:
    from model_export.imports.importing import Imported
    from model_export.original import Original
    from model_export.rewrite.roles import Hints

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def comma_list(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return () if value is None else tuple(part.strip() for part in value.split(","))


class Common(TypedDict):
    """The options of `import_options` by name."""

    file: Path
    name: str
    repository: Path
    names: tuple[str, ...]
    units: tuple[str, ...]
    output: str | None
    output_names: tuple[str, ...]
    output_units: tuple[str, ...]
    vocabulary: Path | None
    sample: Path | None
    session: Literal["carry", "window"] | None
    window: int | None
    delay: int
    candidate: bool
    as_json: bool


_OPTIONS = (
    click.argument("file", type=_FILE),
    click.option("--name", required=True, callback=valid_name, help="What it is served as."),
    repository_option,
    click.option("--names", callback=comma_list, help="Of the input columns: a,b,…"),
    click.option(
        "--units", callback=comma_list, help="Of the input columns: one for all, or a,b,…"
    ),
    click.option("--output", help="The output that answers, where there are several."),
    click.option("--output-names", callback=comma_list, help="Of the output columns: a,b,…"),
    click.option("--output-units", callback=comma_list, help="Of the output columns."),
    click.option(
        "--vocabulary",
        type=_FILE,
        help="The texts of the tokens: a JSON list, or a text file with one on each line.",
    ),
    click.option(
        "--sample",
        type=_FILE,
        help="Inputs that the model knows, .npy [T, F] or .csv with a header: golden vectors and "
        "comparisons are made on them.  [default: random numbers]",
    ),
    click.option(
        "--session",
        type=click.Choice(["carry", "window"]),
        help="carry: sessions run on and on. window: they see their last inputs, as many as a "
        "window has.  [default: what the file proves equal to itself]",
    ),
    click.option("--window", type=click.IntRange(min=2), help="Steps of a window."),
    click.option(
        "--delay",
        type=click.IntRange(min=0),
        default=0,
        help="Allow answers that come so many steps late, where the model looks ahead.",
    ),
    click.option(
        "--candidate", is_flag=True, help="Publish it without serving new sessions by itself."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
)


def import_options(command: Command) -> Command:
    """The argument and the options that every import takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run_import(
    read: "Callable[[], Original]", common: Common, hints: "Hints | None" = None
) -> None:
    """Read, rewrite, compare, publish, and show what came of it."""
    # onnx takes a second to import: not for --help.
    from model_export.imports.importing import import_original
    from model_export.imports.options import ImportOptions
    from model_export.imports.sample import read_sample
    from model_export.publish import publish
    from model_export.rewrite.roles import Hints

    say = _progress(quiet=common["as_json"])
    say(f"reading {common['file']}")
    original = read()
    say("finding what its inputs, outputs and layers are for")
    options = ImportOptions(
        name=common["name"],
        names=common["names"],
        units=common["units"],
        output_names=common["output_names"],
        output_units=common["output_units"],
        sample=None if common["sample"] is None else read_sample(common["sample"]),
        delay=common["delay"],
        session=common["session"],
        window=common["window"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        hints=hints or Hints(output=common["output"]),
        vocabulary=common["vocabulary"],
    )
    imported = import_original(original, options)
    say("comparing with the original, and with the equations")
    folder = publish(imported.draft, common["repository"], candidate=common["candidate"])
    if common["as_json"]:
        click.echo(json.dumps(_summary(imported, folder), indent=2))
    else:
        _show(imported, folder)


def _progress(*, quiet: bool) -> Callable[[str], None]:
    return lambda text: None if quiet else click.echo(text, err=True)


def _summary(imported: "Imported", folder: Path) -> dict[str, Any]:
    manifest = imported.draft.manifest
    return {
        "published": str(folder),
        "sessions": manifest.sessions,
        "reason": manifest.reason,
        "answers": manifest.answers,
        "ready_at": manifest.ready_at,
        "delay": manifest.delay,
        "window": manifest.window,
        "input": manifest.input.model_dump(mode="json"),
        "output": manifest.output.model_dump(mode="json"),
        "constants": [one.model_dump(mode="json") for one in manifest.constants],
        "layers": [one.model_dump(mode="json") for one in manifest.layers],
        "state": [one.model_dump(mode="json", exclude={"initial"}) for one in manifest.state],
        "notes": list(imported.notes),
    }


def _show(imported: "Imported", folder: Path) -> None:
    manifest = imported.draft.manifest
    roles = imported.graphs.roles
    rows = [
        ("input", roles.input, f"{manifest.input.width} a step"),
        ("output", roles.output, f"{manifest.output.width}, {manifest.answers}"),
    ]
    rows += [("constant", one.name, _shape(one.shape)) for one in manifest.constants]
    for layer in manifest.layers:
        lanes = "" if layer.lanes == 1 else f", {layer.lanes} lanes"
        rows.append(("layer", layer.name, f"{layer.hidden_size} units{lanes}, {layer.reset}"))
    rows += [("state", one.name, f"{one.kind} {_shape(one.shape)}") for one in manifest.state]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for kind, name, what in rows:
        click.echo(f"{kind:<{widths[0]}}  {name:<{widths[1]}}  {what}")
    for note in imported.notes:
        click.echo(note)
    click.echo(f"published {folder}")


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
