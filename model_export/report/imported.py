"""What a report says of an import: where it comes from, and what its gates do."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from model_export.original import Original
from model_export.report.gate_pictures import gates_section
from model_export.report.section import Section
from service.engine.engine import Engine


def import_sections(
    original: Original, notes: Sequence[str], sample: NDArray[Any]
) -> Callable[[Engine], Sequence[Section]]:
    """`sample` [T, F] or [T] is what the pictures of the gates are made on."""

    def sections(engine: Engine) -> Sequence[Section]:
        manifest = engine.manifest
        source = Section(
            "imported.html",
            {
                "original": original,
                "layers": manifest.layers,
                "segments": manifest.state,
                "notes": notes,
            },
        )
        if not manifest.layers or manifest.constants:
            return (source,)
        return source, gates_section(engine, sample, "the golden inputs")

    return sections
