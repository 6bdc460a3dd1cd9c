"""A bundle's network put back into PyTorch, from the weights that training goes on from."""

import safetensors.torch

from model_export.model.config import (
    Head,
    NetworkConfig,
    QuantilesHead,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.network import Network
from service.bundle.bundle import Bundle
from service.bundle.manifest import WEIGHTS_FILE
from service.bundle.signatures import Quantiles, Tokens


def rebuilt_network(bundle: Bundle) -> Network:
    """The same weights in a new `Network`, in evaluation mode."""
    weights = safetensors.torch.load_file(bundle.folder / WEIGHTS_FILE)
    numbers = {name: tuple(one.tolist()) for name, one in weights.items() if one.ndim == 1}
    manifest = bundle.manifest
    front: TokensFront | ValuesFront
    head: Head
    if isinstance(manifest.input, Tokens):
        front = TokensFront(*weights["front.weight"].shape)
        head = SoftmaxHead(manifest.output.width)
    else:
        front = ValuesFront(numbers["front.mean"], numbers["front.scale"])
        head = ResidualHead(numbers["head.scale"])
    if isinstance(manifest.output, Quantiles):
        head = QuantilesHead(numbers["head.scale"], manifest.output.levels)
    sizes = tuple(layer.hidden_size for layer in manifest.layers)
    network = Network(NetworkConfig(front, head, sizes, manifest.layers[0].reset))
    network.load_state_dict(weights)
    return network.eval()
