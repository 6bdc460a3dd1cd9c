"""The GRU layers in a state dict; other recurrent layers are told apart and refused by name."""

from collections.abc import Sequence

import numpy as np

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.modules import Module, find_module, naturally, stem
from model_export.imports.checkpoint.stack import Array, Direction, Gru
from model_export.imports.checkpoint.state_dict import RECURRENT, StateDict

_BY_ROWS = {1: "an nn.RNN", 3: "a GRU", 4: "an nn.LSTM"}
"""How many times H rows a layer's weights have."""

_REPARAMETRISED = ("_g", "_v", "_orig", "_raw", "_u")
_OTHERWISE = {
    "attn": "attention",
    "attention": "attention",
    "in_proj_weight": "attention",
    "conv": "convolutions",
}


def recurrent_modules(modules: Sequence[Module]) -> tuple[Module, ...]:
    """All of them, every one a GRU.

    Raises ModelRefused naming the one that is not, or what the file holds where there is none.
    """
    for module in modules:
        if "parametrizations" in module.path.split("."):
            raise ModelRefused(_computed(module.tensors[0]))
    found = tuple(module for module in modules if module.is_recurrent)
    if not found:
        raise ModelRefused(_holds_instead(modules))
    for module in found:
        _refuse_other_cells(module)
    return found


def in_order_of_computation(
    grus: tuple[Module, ...], layers_order: tuple[str, ...], *, in_order: bool
) -> tuple[Module, ...]:
    """Modules whose names count up are a chain; any others need `layers_order`."""
    if layers_order:
        chosen = tuple(find_module(grus, name, "--layers-order") for name in layers_order)
        if len(set(map(id, chosen))) != len(grus) or len(chosen) != len(grus):
            known = ", ".join(module.label for module in grus)
            raise ModelRefused(f"--layers-order has to name each GRU once: {known}")
        return chosen
    counted = tuple(sorted(grus, key=lambda module: naturally(module.path)))
    same_stem = len({stem(module.path) for module in grus}) == 1
    if len(grus) > 1 and (not same_stem or (in_order and counted != grus)):
        names = ",".join(module.label for module in grus)
        raise ModelRefused(
            f"the file does not say how {names.replace(',', ' and ')} are connected; if each feeds "
            f"the next, name them in that order: --layers-order {names}. An encoder and its "
            "decoder, or two branches, cannot be imported from a state dict"
        )
    return counted


def read_gru(module: Module, state: StateDict) -> tuple[Gru, ...]:
    """The layers of one nn.GRU or nn.GRUCell, the first one first.

    Raises ModelRefused naming the tensor that is missing or has the wrong shape.
    """
    by_layer = _suffixes(module)
    layers: list[Gru] = []
    width = None
    for index, ends in enumerate(by_layer):
        if len(ends) != len(by_layer[0]) or ends[0].endswith("_reverse"):
            raise ModelRefused(f"{module.label}: layer {index} lacks the weights of one direction")
        read = tuple(_direction(module, state, end, width) for end in ends)
        if len({part.input_weights.shape for part in read}) > 1:
            raise ModelRefused(f"{module.label}: forward and backward weights differ in shape")
        name = module.path or "gru"
        layers.append(Gru(f"{name}.{index}" if len(by_layer) > 1 else name, read))
        width = sum(part.hidden_size for part in read)
    return tuple(layers)


def is_cell(module: Module) -> bool:
    """Whether the names are those of nn.GRUCell, which have no layer in them."""
    return "weight_hh" in module.shapes


def _suffixes(module: Module) -> list[list[str]]:
    """For each layer, the ends of its tensors' names: `_l0` and, if there is one, `_l0_reverse`."""
    found: dict[int, set[str]] = {}
    for leaf in module.shapes:
        match = RECURRENT.search(leaf)
        if match is None:
            raise ModelRefused(_unknown_leaf(module, leaf))
        layer, reverse = match.groups()
        end = "" if layer is None else f"_l{layer}{reverse or ''}"
        found.setdefault(int(layer or 0), set()).add(end)
    if {"", "_l0"} <= found.get(0, set()):
        raise ModelRefused(f"{module.label} mixes the names of nn.GRU and of nn.GRUCell")
    if sorted(found) != list(range(len(found))):
        raise ModelRefused(f"{module.label} has layers {sorted(found)}; some are missing")
    return [sorted(found[layer]) for layer in sorted(found)]


def _direction(module: Module, state: StateDict, end: str, width: int | None) -> Direction:
    shapes = module.shapes
    _require(module, f"weight_ih{end}", f"weight_hh{end}")
    hidden = shapes[f"weight_hh{end}"][1]
    _expect(module, f"weight_ih{end}", (3 * hidden, width))
    biased = any(f"bias_{which}{end}" in shapes for which in ("ih", "hh"))
    if biased:
        _require(module, f"bias_ih{end}", f"bias_hh{end}")
        _expect(module, f"bias_ih{end}", (3 * hidden,))
        _expect(module, f"bias_hh{end}", (3 * hidden,))

    def values(leaf: str) -> Array:
        return state.array(module.tensor(leaf + end))

    none = np.zeros(3 * hidden)
    return Direction(
        input_weights=values("weight_ih"),
        hidden_weights=values("weight_hh"),
        input_biases=values("bias_ih") if biased else none,
        hidden_biases=values("bias_hh") if biased else none,
    )


def _require(module: Module, *leaves: str) -> None:
    for leaf in leaves:
        if leaf not in module.shapes:
            has = ", ".join(module.shapes)
            raise ModelRefused(f"{module.tensor(leaf)} is missing; the GRU has {has}")


def _expect(module: Module, leaf: str, shape: tuple[int | None, ...]) -> None:
    """None stands for any number above 0."""
    found = module.shapes[leaf]
    fits = len(found) == len(shape) and all(
        size == wanted if wanted is not None else size > 0
        for size, wanted in zip(found, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("inputs" if size is None else str(size) for size in shape)
        raise ModelRefused(f"{module.tensor(leaf)} is {list(found)}; a GRU needs [{wanted}]")


def _refuse_other_cells(module: Module) -> None:
    """A layer's kind is told by its rows: H, 3H or 4H."""
    projections = [leaf for leaf in module.shapes if leaf.startswith("weight_hr")]
    if projections:
        raise ModelRefused(
            f"{module.label} is an nn.LSTM with projections ({module.tensor(projections[0])}); "
            "only GRUs can be imported"
        )
    for leaf, shape in module.shapes.items():
        if leaf.startswith("weight_hh") and RECURRENT.search(leaf):
            _refuse_other_rows(module, leaf, shape)


def _refuse_other_rows(module: Module, leaf: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise ModelRefused(f"{module.tensor(leaf)} is {list(shape)}; a GRU needs [3H, H]")
    rows, hidden = shape
    if rows != 3 * hidden:
        kind = _BY_ROWS.get(rows // hidden if rows % hidden == 0 else 0, "no layer of PyTorch")
        raise ModelRefused(
            f"{module.label} is {kind}: {module.tensor(leaf)} is {list(shape)}, and a GRU's "
            f"is [{3 * hidden}, {hidden}]; only GRUs can be imported"
        )


def _unknown_leaf(module: Module, leaf: str) -> str:
    tensor = module.tensor(leaf)
    if leaf.endswith(_REPARAMETRISED):
        return _computed(tensor)
    return f"{tensor} is no parameter of nn.GRU; allow it with --ignore {tensor} if it is not used"


def _computed(tensor: str) -> str:
    return (
        f"{tensor} belongs to weights that are computed (weight or spectral norm); fold them "
        "before saving, with torch.nn.utils.remove_weight_norm or "
        "torch.nn.utils.parametrize.remove_parametrizations"
    )


def _holds_instead(modules: Sequence[Module]) -> str:
    tensors = [name for module in modules for name in module.tensors]
    named = {what for name in tensors for word, what in _OTHERWISE.items() if word in name.lower()}
    holds = f"; it has {' and '.join(sorted(named))}" if named else ""
    shown = ", ".join(tensors[:5]) + (f" and {len(tensors) - 5} more" if len(tensors) > 5 else "")
    return f"no GRU in it (no tensor is called weight_ih_l0 or weight_ih){holds}: {shown}"
