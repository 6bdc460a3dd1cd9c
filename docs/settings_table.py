"""The README's table of settings, made from `service/settings.py`.

python -m docs.settings_table      writes it into the README
"""

from pathlib import Path
from types import NoneType
from typing import get_args, get_origin

from service.settings import Settings

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- settings: made by `make docs` -->"
END = "<!-- /settings -->"


def settings_table() -> str:
    """One row a setting, as Markdown."""
    rows = ["| flag | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        choices = _choices(field.annotation)
        meaning = f"{field.description}{choices}".replace("|", "\\|")
        rows.append(f"| `{flag}` | `GATEWISE_{name.upper()}` | `{field.default}` | {meaning} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """The text with the table between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def _choices(annotation: object) -> str:
    if get_origin(annotation) is None or NoneType in get_args(annotation):
        return ""
    return " One of " + ", ".join(f"`{choice}`" for choice in get_args(annotation)) + "."


if __name__ == "__main__":
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
