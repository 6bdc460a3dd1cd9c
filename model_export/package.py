"""Publishing a trained model as a new version in a repository, all of it or nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.errors import ExportError
from model_export.export import export_network
from model_export.model.gates import record
from model_export.report import write_report
from model_export.rewrite.graphs import Graphs, rewrite
from model_export.trained import TrainedModel, sample_batch
from model_export.verify.verify import verify
from service.bundle.bundle import Bundle, read_bundle, sha256_of
from service.bundle.manifest import (
    GOLDEN_FILE,
    MANIFEST_FILE,
    REPORT_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Manifest,
    layers_of,
)
from service.bundle.repository import is_version
from service.engine.engine import Engine
from service.engine.provider import Provider

GOLDEN_BATCH = 2
GOLDEN_TIME = 64


def publish(trained: TrainedModel, repository: Path) -> Path:
    """Export, rewrite, verify and pack; returns the folder of the new version.

    Everything happens in a hidden folder beside the models, which takes its place by one rename
    when every check has passed: a crash or a failed check leaves no half version. Raises
    ExportError.
    """
    graphs = rewrite(export_network(trained.network))
    with _staging(repository) as staging:
        version = _next_version(repository / trained.name)
        (staging / STEP_FILE).write_bytes(graphs.step)
        (staging / SEQUENCE_FILE).write_bytes(graphs.sequence)
        np.savez(staging / GOLDEN_FILE, allow_pickle=False, **_golden(trained))
        bundle = _seal(staging, trained, graphs, version)
        checks = verify(bundle, Provider())
        write_report(staging / REPORT_FILE, trained, Engine(bundle, Provider()), checks)
        _seal(staging, trained, graphs, version)
        return _move_into_place(staging, repository / trained.name / str(version))


def _golden(trained: TrainedModel) -> dict[str, NDArray[Any]]:
    """Real inputs, from a state that is not zero, and what PyTorch makes of them."""
    network = trained.network
    time = min(GOLDEN_TIME, len(trained.sample))
    inputs = sample_batch(trained, batch=GOLDEN_BATCH, time=time)
    generator = torch.Generator().manual_seed(0)
    state = torch.rand(GOLDEN_BATCH, network.config.state_size, generator=generator) - 0.5
    recorded = record(network, torch.from_numpy(inputs), state)
    return {
        "input": inputs,
        "state": state.numpy(),
        "output": recorded.output.numpy(),
        "states": recorded.states.numpy(),
        "reset": recorded.reset.numpy(),
        "update": recorded.update.numpy(),
        "candidate": recorded.candidate.numpy(),
    }


def _seal(folder: Path, trained: TrainedModel, graphs: Graphs, version: int) -> Bundle:
    """Write the manifest over whatever files are there, and read the bundle as the service will."""
    files = {file.name: sha256_of(file) for file in folder.iterdir() if file.name != MANIFEST_FILE}
    manifest = Manifest(
        name=trained.name,
        version=version,
        task=trained.task,
        reset=graphs.reset,
        opset=graphs.opset,
        input=trained.input,
        output=trained.output,
        layers=layers_of(graphs.hidden_sizes),
        scores=trained.scores,
        provenance=trained.provenance,
        files=dict(sorted(files.items())),
    )
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")
    return read_bundle(folder)


@contextmanager
def _staging(repository: Path) -> Iterator[Path]:
    """A hidden folder in the repository, so that the last rename stays on one file system."""
    repository.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=repository))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _next_version(model: Path) -> int:
    if not model.is_dir():
        return 1
    taken = [int(child.name) for child in model.iterdir() if is_version(child)]
    return max(taken, default=0) + 1


def _move_into_place(staging: Path, folder: Path) -> Path:
    for file in (*staging.iterdir(), staging):
        _flush(file)
    # mkdtemp makes folders for their owner alone; a service may run as another user.
    staging.chmod(0o755)
    folder.parent.mkdir(exist_ok=True)
    try:
        staging.rename(folder)
    except OSError as error:
        raise ExportError(
            f"{folder} appeared while it was being made; publish again ({error.strerror})"
        ) from error
    _flush(folder.parent)
    _flush(folder.parent.parent)
    return folder


def _flush(path: Path) -> None:
    """Have a file or a folder on the disk before anything points to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
