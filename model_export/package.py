"""Publishing a trained model as a new version in a repository."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.export import export_network
from model_export.model.gates import record
from model_export.report import write_report
from model_export.rewrite.graphs import Graphs, rewrite
from model_export.trained import TrainedModel, sample_batch
from model_export.verify.verify import verify
from model_export.versions import move_into_place, next_version, seal, staging
from service.bundle.manifest import (
    GOLDEN_FILE,
    REPORT_FILE,
    SEQUENCE_FILE,
    STEP_FILE,
    Manifest,
    layers_of,
)
from service.engine.engine import Engine
from service.engine.provider import Provider

GOLDEN_BATCH = 2
GOLDEN_TIME = 64


def publish(trained: TrainedModel, repository: Path, *, candidate: bool = False) -> Path:
    """Export, rewrite, verify and pack; returns the folder of the new version.

    Everything happens in a hidden folder beside the models, which takes its place by one rename
    when every check has passed: a crash or a failed check leaves no half version. A candidate
    does not become the default version. Raises ExportError.
    """
    graphs = rewrite(export_network(trained.network))
    with staging(repository) as folder:
        version = next_version(repository / trained.name)
        manifest = _manifest(trained, graphs, version)
        (folder / STEP_FILE).write_bytes(graphs.step)
        (folder / SEQUENCE_FILE).write_bytes(graphs.sequence)
        np.savez(folder / GOLDEN_FILE, allow_pickle=False, **_golden(trained))
        bundle = seal(folder, manifest)
        checks = verify(bundle, Provider())
        write_report(folder / REPORT_FILE, trained, Engine(bundle, Provider()), checks)
        seal(folder, manifest)
        place = repository / trained.name / str(version)
        return move_into_place(folder, place, candidate=candidate)


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


def _manifest(trained: TrainedModel, graphs: Graphs, version: int) -> Manifest:
    return Manifest(
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
        files={},
    )
