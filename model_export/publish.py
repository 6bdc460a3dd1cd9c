"""Publishing a draft as a new version in a repository: the one way into it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.draft import Draft
from model_export.report.page import write_report
from model_export.verify.verify import (
    check_single_steps,
    measured_tolerance,
    refuse_failed,
    refusing,
    verify,
)
from model_export.versions import move_into_place, next_version, seal, staging
from service.bundle.bundle import Bundle
from service.bundle.manifest import (
    CELLS_FILE,
    GOLDEN_FILE,
    REPORT_FILE,
    SAMPLE_FILE,
    WEIGHTS_FILE,
    Manifest,
)
from service.engine.engine import Engine
from service.engine.provider import Provider


def publish(draft: Draft, repository: Path, *, candidate: bool = False) -> Path:
    """Pack, verify and publish; returns the folder of the new version.

    Everything happens in a hidden folder beside the models, which takes its place by one rename
    when every check has passed: a crash or a failed check leaves no half version. A candidate
    does not become the default version. Raises ModelRefused.
    """
    with staging(repository) as folder:
        version = next_version(repository / draft.manifest.name)
        manifest = draft.manifest.model_copy(update={"version": version})
        with refusing():
            bundle = _verified(draft, folder, manifest)
        seal(folder, bundle.manifest)
        place = repository / manifest.name / str(version)
        return move_into_place(folder, place, candidate=candidate)


def _verified(draft: Draft, folder: Path, manifest: Manifest) -> Bundle:
    """All files of a version, its report with the checks among them."""
    bundle = pack(draft, folder, manifest)
    engine = Engine(bundle, Provider())
    if draft.tolerance is None and manifest.sessions:
        # Before all else: where one step is off, so is whatever is made of many.
        refuse_failed(check_single_steps(engine))
    compared = refuse_failed(draft.compare(engine))
    if draft.tolerance is None:
        tolerance = measured_tolerance(engine)
        measured = bundle.manifest.model_copy(update={"tolerance": tolerance})
        bundle = pack(draft, folder, measured)
        engine = Engine(bundle, Provider())
    checks = [*compared, *verify(bundle, Provider())]
    write_report(folder / REPORT_FILE, engine, draft.sections(engine), checks)
    return bundle


def pack(draft: Draft, folder: Path, manifest: Manifest) -> Bundle:
    """Write all files of a draft, and read the bundle as the service will."""
    for name, graph in draft.graphs.items():
        (folder / name).write_bytes(graph)
    _write_arrays(folder / GOLDEN_FILE, draft.golden)
    if draft.weights is not None:
        (folder / WEIGHTS_FILE).write_bytes(draft.weights)
    if draft.sample is not None:
        _write_arrays(folder / SAMPLE_FILE, {"input": draft.sample})
    if draft.cells:
        _write_arrays(folder / CELLS_FILE, draft.cells)
    tolerance = manifest.tolerance if draft.tolerance is None else draft.tolerance
    return seal(folder, manifest.model_copy(update={"tolerance": tolerance}))


def _write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    np.savez(file, allow_pickle=False, **arrays)
