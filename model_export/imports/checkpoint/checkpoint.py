"""From a PyTorch checkpoint to an ONNX model and what the checkpoint itself computes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from model_export.errors import ExportError
from model_export.imports.checkpoint.assemble import assemble
from model_export.imports.checkpoint.build import build
from model_export.imports.checkpoint.file import read_file
from model_export.imports.checkpoint.options import CheckpointOptions
from model_export.imports.checkpoint.reading import evaluate
from model_export.imports.checkpoint.stack import Embedding, Stack
from model_export.imports.checkpoint.state_dict import read_state_dict
from model_export.imports.vocabulary import read_vocabulary
from model_export.original import Arrays, Original


def read_checkpoint(file: Path, options: CheckpointOptions) -> Original:
    """Read a `.pt`, `.pth`, `.bin` or `.safetensors` file; nothing in it is executed.

    The model's input is `input`, its output `output`, see `build`. Names, units and vocabulary
    are in its metadata, as JSON lists under `names`, `units`, `output_names`, `output_units` and
    `vocabulary`, where they were given.

    Raises ExportError: what the file is instead, the tensor that does not fit, or the option that
    says what the file does not.
    """
    contents = read_file(file)
    try:
        state = read_state_dict(contents, options.state_dict)
        assembled = assemble(state, options)
        described = _description(assembled.stack, options)
    except ExportError as error:
        raise ExportError(f"{file}: {error}") from error
    model = build(assembled.stack)
    onnx.helper.set_model_props(model, described)
    return Original(model, _answer(assembled.stack), file, "PyTorch", assembled.notes)


def _answer(stack: Stack) -> Callable[[Arrays], Arrays]:
    return lambda inputs: {"output": evaluate(stack, inputs["input"])}


def _description(stack: Stack, options: CheckpointOptions) -> dict[str, str]:
    into = None if stack.takes_tokens else stack.input_width
    lists = {
        "names": _columns("--names", options.names, into),
        "units": _columns("--units", options.units, into),
        "output_names": _columns("--output-names", options.output_names, stack.output_width),
        "output_units": _columns("--output-units", options.output_units, stack.output_width),
        "vocabulary": _vocabulary(stack, options.vocabulary),
    }
    return {key: json.dumps(list(texts)) for key, texts in lists.items() if texts}


def _columns(option: str, texts: Sequence[str], width: int | None) -> Sequence[str]:
    if texts and width is None:
        raise ExportError(f"{option}: the inputs are tokens and have no columns")
    if texts and len(texts) != width:
        raise ExportError(f"{option} has {len(texts)} entries, and there are {width} columns")
    return texts


def _vocabulary(stack: Stack, file: Path | None) -> Sequence[str]:
    if file is None:
        return ()
    if not isinstance(stack.stages[0], Embedding):
        raise ExportError("--vocabulary: the model does not begin with an embedding")
    return read_vocabulary(file, stack.input_width)
