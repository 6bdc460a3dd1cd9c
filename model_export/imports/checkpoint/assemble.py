"""From a state dict and the user's options to the stages of a model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.gru import (
    in_order_of_computation,
    is_cell,
    read_gru,
    recurrent_modules,
)
from model_export.imports.checkpoint.head import EPSILONS, POOLS, Part, parse_head
from model_export.imports.checkpoint.matching import Chain, match, widths
from model_export.imports.checkpoint.modules import (
    PLAIN_KINDS,
    Module,
    read_modules,
    refuse_unusable,
)
from model_export.imports.checkpoint.normalize import read_scaling
from model_export.imports.checkpoint.options import CheckpointOptions
from model_export.imports.checkpoint.stack import (
    Activation,
    Array,
    BatchNorm,
    Embedding,
    Gru,
    LayerNorm,
    Linear,
    Pool,
    PRelu,
    Stack,
    Stage,
)
from model_export.imports.checkpoint.state_dict import StateDict

_EMBEDDING = re.compile(r"emb|wte|lookup", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Assembled:
    """`notes` say what was taken for granted."""

    stack: Stack
    notes: tuple[str, ...]


def assemble(state: StateDict, options: CheckpointOptions) -> Assembled:
    """Every tensor of the file gets its place, or is named in an ModelRefused."""
    modules = read_modules(state, options.ignore)
    head = None if options.head is None else parse_head(options.head)
    found = recurrent_modules(modules)
    order = options.layers_order or _order_in(head or (), len(found))
    grus = in_order_of_computation(found, order, in_order=state.in_order)
    layers = {module.path: read_gru(module, state) for module in grus}
    others = tuple(module for module in modules if not module.is_recurrent)
    refuse_unusable(others)
    parts = _whole_chain(head, options.takes_tokens, grus, others)
    chain = match(parts, (*grus, *others), in_order=state.in_order)
    _refuse_leftovers(modules, chain)
    stages = tuple(_stages(parts, chain, layers, state))
    stack = _scaled(Stack(stages, *_ends(parts, chain)), options)
    return Assembled(stack, tuple(_notes(state, options, parts, chain)))


def _order_in(head: Sequence[Part], number: int) -> tuple[str, ...]:
    """The GRUs in the order of a head that names each of them."""
    named = tuple(part.module for part in head if part.kind == "gru" and part.module is not None)
    return named if len(named) == number else ()


def _whole_chain(
    head: tuple[Part, ...] | None,
    takes_tokens: bool,
    grus: Sequence[Module],
    others: Sequence[Module],
) -> tuple[Part, ...]:
    """From the input to the output, whether the user began at the input or behind the GRUs."""
    kinds = {part.kind for part in head or ()}
    if "embedding" in kinds and "gru" not in kinds:
        raise ModelRefused("--head begins at the input with embedding, so gru has to follow in it")
    if head is not None and "gru" in kinds:
        return head
    front = _embedding(takes_tokens, grus, others)
    behind = [module for module in others if module is not front]
    if head is None and behind:
        raise ModelRefused(_ask_for_head(behind, widths("gru", grus[0]).takes))
    first = () if front is None else (Part("embedding", front.path or None),)
    return (*first, *(Part("gru") for _ in grus), *(head or ()))


def _embedding(
    takes_tokens: bool, grus: Sequence[Module], others: Sequence[Module]
) -> Module | None:
    """The embedding in front of the first GRU, told by its name or by there being a vocabulary."""
    width = widths("gru", grus[0]).takes
    fitting = [
        module
        for module in others
        if module.can_be("embedding") and widths("embedding", module).gives == width
    ]
    found = [module for module in fitting if _EMBEDDING.search(module.path)]
    if takes_tokens and not found:
        found = fitting
    if len(found) > 1:
        names = ", ".join(module.label for module in found)
        raise ModelRefused(
            f"several embeddings fit: {names}; name one: --head embedding:NAME,gru,…"
        )
    if takes_tokens and not found:
        raise ModelRefused("--vocabulary: the file has no embedding in front of its GRU")
    return found[0] if found else None


def _ask_for_head(behind: Sequence[Module], width: int | None) -> str:
    """`width` is what the first GRU takes."""
    shown = ", ".join(module.described() for module in behind)
    if len(behind) == 1 and behind[0].can_be("linear"):
        asked = (
            f"the file does not say where {shown} is applied: --head linear answers after every "
            "step, --head last,linear after the last step of a window; add what follows it, such "
            "as last,linear,sigmoid"
        )
    else:
        kinds = (next(filter(module.can_be, PLAIN_KINDS)) for module in behind)
        asked = (
            "the file does not say how these follow its GRU, nor the activations between them: "
            f'{shown}; say it with --head "last,{",…,".join(kinds)},…", with an activation or '
            "nothing for each … and last only if the head is on the last step of a window"
        )
    front = [m.label for m in behind if m.can_be("embedding") and m.shapes["weight"][1] == width]
    if front:
        asked += f". If {front[0]} is an embedding in front, begin with it: embedding,gru,…"
    return asked


def _refuse_leftovers(modules: Sequence[Module], chain: Chain) -> None:
    used = {id(module) for module in chain}
    left = [module for module in modules if id(module) not in used]
    if left:
        shown = ", ".join(module.described() for module in left[:6])
        more = f" and {len(left) - 6} more" if len(left) > 6 else ""
        prefix = f"{left[0].path}." if left[0].path else left[0].tensors[0]
        raise ModelRefused(
            f"the file holds weights that are not used: {shown}{more}; put them into --head (which "
            'may describe the whole model: --head "linear,relu,gru,last,linear"), or allow what is '
            f"no part of the model with --ignore {prefix}"
        )


def _stages(
    parts: Sequence[Part], chain: Chain, layers: Mapping[str, tuple[Gru, ...]], state: StateDict
) -> Iterator[Stage]:
    for part, module in zip(parts, chain, strict=True):
        if module is None:
            yield Pool(part.kind) if part.kind in POOLS else Activation(part.kind, part.value or 0)
        elif part.kind == "gru":
            yield from layers[module.path]
        else:
            yield _weighted(part, module, state)


def _weighted(part: Part, module: Module, state: StateDict) -> Stage:
    def values(leaf: str) -> Array | None:
        return state.array(module.tensor(leaf)) if leaf in module.shapes else None

    name, weight, bias = module.path or part.kind, values("weight"), values("bias")
    if part.kind == "batchnorm":
        return _batch_norm(part, module, state, weight, bias)
    assert weight is not None  # Module.can_be
    if part.kind == "embedding":
        return Embedding(name, weight)
    if part.kind == "linear":
        return Linear(name, weight, bias)
    if part.kind == "prelu":
        return PRelu(name, weight)
    zeros = np.zeros_like(weight)
    return LayerNorm(name, weight, zeros if bias is None else bias, _epsilon(part))


def _batch_norm(
    part: Part, module: Module, state: StateDict, weight: Array | None, bias: Array | None
) -> BatchNorm:
    mean, variance = (state.array(module.tensor(leaf)) for leaf in ("running_mean", "running_var"))
    if (variance < 0).any():
        raise ModelRefused(f"{module.tensor('running_var')} holds a negative variance")
    ones, zeros = np.ones_like(mean), np.zeros_like(mean)
    return BatchNorm(
        module.path or part.kind,
        mean,
        variance,
        ones if weight is None else weight,
        zeros if bias is None else bias,
        _epsilon(part),
    )


def _epsilon(part: Part) -> float:
    return EPSILONS[part.kind] if part.value is None else part.value


def _ends(parts: Sequence[Part], chain: Chain) -> tuple[int, int]:
    """The widths of the input (the number of tokens for an embedding) and of the output."""
    known = [
        (part, module, widths(part.kind, module))
        for part, module in zip(parts, chain, strict=True)
        if module is not None and widths(part.kind, module).gives is not None
    ]
    part, module, first = known[0]
    given = known[-1][2].gives
    into = module.shapes["weight"][0] if part.kind == "embedding" else first.takes
    assert into is not None and given is not None  # A chain has a GRU, whose widths are known.
    return into, given


def _scaled(stack: Stack, options: CheckpointOptions) -> Stack:
    if options.normalize is None:
        return stack
    into = None if stack.takes_tokens else stack.input_width
    before, after = read_scaling(options.normalize, into, stack.output_width)
    stages = (
        *(() if before is None else (before,)),
        *stack.stages,
        *(() if after is None else (after,)),
    )
    return Stack(stages, stack.input_width, stack.output_width)


def _notes(
    state: StateDict, options: CheckpointOptions, parts: Sequence[Part], chain: Chain
) -> Iterator[str]:
    yield from state.notes
    used = [(part, module) for part, module in zip(parts, chain, strict=True) if module is not None]
    said = ",".join(
        str(part if module is None else replace(part, module=module.path or None))
        for part, module in zip(parts, chain, strict=True)
    )
    yield f'the model is read as --head "{said}"'
    for part, module in used:
        if part.kind == "gru" and is_cell(module):
            yield f"{module.label} is an nn.GRUCell; it is taken to run over the inputs in order"
        if part.kind in EPSILONS and not part.value_given:
            yield (
                f"{module.label}: the file does not say its eps; {part.value:g} is torch's default "
                f"({part.kind}(0.001) in --head says otherwise)"
            )
    yield from _dtype_notes(state, used)
    if any(part.kind == "last" for part in parts) and _is_bidirectional(used):
        yield (
            "last takes out[:, -1], where the backward direction has seen one step only; "
            "for h_n write final in its place"
        )
    if options.ignore:
        yield f"left out by --ignore: {', '.join(options.ignore)}"


def _is_bidirectional(used: Sequence[tuple[Part, Module]]) -> bool:
    return any(leaf.endswith("_reverse") for _, module in used for leaf in module.shapes)


def _dtype_notes(state: StateDict, used: Sequence[tuple[Part, Module]]) -> Iterator[str]:
    names = (name for _, module in used for name in module.tensors)
    kinds = {
        str(tensor.dtype).removeprefix("torch.")
        for tensor in map(state.tensors.__getitem__, names)
        if tensor.is_floating_point()
    } - {"float32"}
    if kinds:
        yield f"weights in {' and '.join(sorted(kinds))} are served in float32"
