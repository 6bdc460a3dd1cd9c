"""Trying a draft before it is published: what it measures goes into its manifest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_export.draft import Draft
from model_export.publish import pack
from model_export.verify.verify import verify
from service.engine.engine import Engine
from service.engine.provider import Provider


@contextmanager
def trial(draft: Draft) -> Iterator[tuple[Engine, list[float]]]:
    """An engine that runs it, and the deviations of all checks. Raises ModelRefused."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = pack(draft, Path(folder), draft.manifest)
        checks = verify(bundle, Provider())
        yield Engine(bundle, Provider()), [check.deviation for check in checks]
