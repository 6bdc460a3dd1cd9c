"""From a trained model to a draft, and to a published version."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import safetensors.torch
import torch
from numpy.typing import NDArray

from model_export.draft import Draft, cells_of, described, graph_files
from model_export.export import export_network, hints_of
from model_export.model.gates import Recording, record
from model_export.model.network import Network
from model_export.publish import publish
from model_export.report.training import training_sections
from model_export.rewrite.graphs import write_graphs
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import find_roles
from model_export.trained import TrainedModel, sample_batch
from service.bundle.manifest import Manifest

GOLDEN_BATCH = 2
GOLDEN_TIME = 64
_GAPS = 0.1


def publish_trained(trained: TrainedModel, repository: Path, *, candidate: bool = False) -> Path:
    """As a new version in a repository; returns its folder. Raises ModelRefused."""
    return publish(draft_of(trained), repository, candidate=candidate)


def draft_of(trained: TrainedModel) -> Draft:
    """Export and rewrite. The golden vectors are PyTorch's own, in float64. Raises ModelRefused."""
    model = normalise(ir.to_proto(export_network(trained.network)))
    graphs = write_graphs(model, find_roles(model, hints_of(trained.network)))
    golden = _golden(trained)
    manifest = Manifest(
        name=trained.name,
        version=1,
        task=trained.task,
        input=trained.input,
        output=trained.output,
        input_ranges=trained.input_ranges,
        scores=trained.scores,
        provenance=trained.provenance,
        files={},
        **described(graphs),
    )
    return Draft(
        manifest=manifest,
        graphs=graph_files(graphs),
        golden=golden,
        cells=cells_of(graphs),
        # The golden vectors are the original's own; `publish` compares with them step by step.
        compare=lambda _: (),
        sections=training_sections(trained),
        weights=safetensors.torch.save(trained.network.state_dict()),
        sample=trained.sample,
    )


def _golden(trained: TrainedModel) -> dict[str, NDArray[Any]]:
    """Real inputs, from a state that is not zero, and what PyTorch makes of them in float64."""
    network = trained.network
    time = min(GOLDEN_TIME, len(trained.sample))
    inputs = sample_batch(trained, batch=GOLDEN_BATCH, time=time)
    if network.config.front.carried:
        inputs = _with_gaps(inputs)
    generator = torch.Generator().manual_seed(0)
    state = torch.rand(GOLDEN_BATCH, network.config.state_size, generator=generator) - 0.5
    recorded = _in_float64(network, inputs, state)
    tensors = {
        "output": recorded.output,
        "states": recorded.states,
        "reset": recorded.reset,
        "update": recorded.update,
        "candidate": recorded.candidate,
    }
    return {"input": inputs, "state": state.numpy().astype(np.float64)} | {
        name: tensor.numpy() for name, tensor in tensors.items()
    }


def _with_gaps(inputs: NDArray[Any]) -> NDArray[Any]:
    """Inputs [B, T, F] with some values missing in any case, so that this is compared too."""
    gaps = np.random.default_rng(0).random(inputs.shape) < _GAPS
    return np.where(gaps, np.nan, inputs).astype(inputs.dtype)


def _in_float64(network: Network, inputs: NDArray[Any], state: torch.Tensor) -> Recording:
    """The network is left in float32, with the very weights that it had."""
    given = torch.from_numpy(inputs)
    network.double()
    try:
        return record(
            network, given if given.dtype == torch.int64 else given.double(), state.double()
        )
    finally:
        network.float()
