"""The options of a command, from the fields of a recipe."""

import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as bounds
import click
from pydantic.fields import FieldInfo

from model_export.commands.making import valid_name
from model_export.recipes.recipe import Recipe, read_recipe_file

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Kind = click.Choice[str] | click.IntRange | click.FloatRange | click.ParamType[str]


def recipe_options(recipe: type[Recipe]) -> Iterable[Decorator]:
    """An option for every field, the recipe's own first, and `--recipe`."""
    fields = {key: one for key, one in recipe.model_fields.items() if key != "task"}
    own = [key for key in fields if key not in Recipe.model_fields]
    first = ["data", "name"]
    order = [*first, *own, *(key for key in fields if key not in (*first, *own))]
    yield _recipe_file(recipe)
    for key in order:
        yield _option(key, fields[key])


def _recipe_file(recipe: type[Recipe]) -> Decorator:
    def as_defaults(context: click.Context, _: click.Parameter, file: Path | None) -> None:
        if file is None:
            return
        values = read_recipe_file(file)
        known = {one.alias or key: key for key, one in recipe.model_fields.items()}
        unknown = sorted(values.keys() - known.keys())
        if unknown:
            raise click.BadParameter(f"{file} has no option {unknown[0]!r} of this command")
        task = recipe.model_fields["task"].default
        if values.pop("task", task) != task:
            raise click.BadParameter(f"{file} is a recipe of another task than {task}")
        # Lists as they are: a name may be empty, or have a comma.
        context.default_map = {
            known[key]: tuple(value) if isinstance(value, list) else value
            for key, value in values.items()
        }

    return click.option(
        "--recipe",
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=as_defaults,
        help="A TOML file with values of the options below; what is given beside it wins.",
    )


def _option(key: str, field: FieldInfo) -> Decorator:
    name = "--" + (field.alias or key).replace("_", "-")
    if field.is_required():
        callback = valid_name if key == "name" else None
        return click.option(name, key, required=True, help=field.description, callback=callback)
    kind = _without_none(field.annotation)
    if kind is bool:
        return click.option(
            f"{name}/--no-{key}", key, default=field.default, help=field.description
        )
    if get_origin(kind) is tuple:
        number = float if get_args(kind)[0] is float else str
        return click.option(
            name,
            key,
            type=_List(number),
            default=_said(field.default),
            show_default=bool(field.default) and field.default != ("",),
            help=field.description,
        )
    return click.option(
        name,
        key,
        type=_type_of(kind, field),
        default=field.default,
        show_default=field.default is not None,
        help=field.description,
    )


def _said(default: tuple[Any, ...] | None) -> str | None:
    return None if default is None else ",".join(map(str, default))


class _List(click.ParamType[tuple[object, ...]]):
    """a,b,…"""

    name = "a,b,…"

    def __init__(self, kind: type[str] | type[float]) -> None:
        self._kind = kind

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[object, ...]:
        if isinstance(value, tuple):
            return value
        if not value:
            return ()
        try:
            return tuple(self._kind(part.strip()) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers", parameter, context)


def _type_of(kind: object, field: FieldInfo) -> Kind:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind not in (int, float):
        return click.STRING
    limits: dict[str, Any] = {}
    for one in field.metadata:
        if isinstance(one, bounds.Ge):
            limits["min"] = one.ge
        elif isinstance(one, bounds.Gt):
            limits |= {"min": one.gt, "min_open": True}
        elif isinstance(one, bounds.Le):
            limits["max"] = one.le
        elif isinstance(one, bounds.Lt):
            limits |= {"max": one.lt, "max_open": True}
    return click.IntRange(**limits) if kind is int else click.FloatRange(**limits)


def _without_none(annotation: object) -> object:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    kinds: list[object] = [one for one in get_args(annotation) if one is not type(None)]
    return kinds[0]
