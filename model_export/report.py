"""`report.html`: what training did, on one page that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

from model_export.trained import TrainedModel
from model_export.verify.verify import Check
from service.engine.engine import Engine


def write_report(
    file: Path, trained: TrainedModel, engine: Engine, checks: Sequence[Check]
) -> None:
    """Write the page."""
    file.write_text(f"<!doctype html><title>{trained.name}</title>", "utf-8")
