"""From a PyTorch checkpoint to an ONNX model and what the checkpoint itself computes."""

from pathlib import Path

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.assemble import assemble
from model_export.imports.checkpoint.build import build
from model_export.imports.checkpoint.file import read_file
from model_export.imports.checkpoint.options import CheckpointOptions
from model_export.imports.checkpoint.reading import evaluate, results
from model_export.imports.checkpoint.state_dict import read_state_dict
from model_export.original import Arrays, Original


def read_checkpoint(file: Path, options: CheckpointOptions) -> Original:
    """Read a `.pt`, `.pth`, `.bin` or `.safetensors` file; nothing in it is executed.

    The model's input is `input`, its output `output`, see `build`.

    Raises ModelRefused: what the file is instead, the tensor that does not fit, or the option that
    says what the file does not.
    """
    contents = read_file(file)
    try:
        state = read_state_dict(contents, options.state_dict)
        assembled = assemble(state, options)
    except ModelRefused as error:
        raise ModelRefused(f"{file}: {error}") from error
    stack, built = assembled.stack, build(assembled.stack)

    def answer(inputs: Arrays) -> Arrays:
        return {"output": evaluate(stack, inputs["input"])}

    def inside(inputs: Arrays) -> Arrays:
        return dict(zip(built.names, results(stack, inputs["input"]), strict=True))

    return Original(built.model, answer, inside, file, "PyTorch", assembled.notes)
