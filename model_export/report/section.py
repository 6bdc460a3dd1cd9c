"""One part of a report."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """A template of this folder, and what it shows."""

    template: str
    content: dict[str, Any] = field(default_factory=dict)
