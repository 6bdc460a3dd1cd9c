"""Reading a file of tensors without executing anything in it.

A `.pt` file is a pickle, a program that can call whatever it likes. It is read by torch's
`weights_only` unpickler, which knows tensors, containers and plain values, and refuses the rest.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from model_export.errors import ModelRefused

MAX_BYTES = 2**31
"""No ONNX file can be larger."""

MAX_NAME = 200

_OTHER_FORMATS = (
    (b"\x89HDF", "an HDF5 file, as Keras writes them; use import-keras"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (b"<", "a web page or XML, not a checkpoint; download the file itself"),
    (b"GGUF", "a GGUF file; only PyTorch's .pt, .pth and .bin, and .safetensors can be read"),
    (b"\x93NUMPY", "a NumPy array; save a state dict with torch.save instead"),
)
_UNKNOWN_GLOBAL = re.compile(r"GLOBAL (\S+)")


class _LeftOut:
    """Takes the place of a harmless object whose class the unpickler does not know.

    Its arguments and its state are thrown away, so nothing of the class is ever called.
    """

    def __new__(cls, *_arguments: object) -> "_LeftOut":
        return super().__new__(cls)

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_BESIDE_WEIGHTS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "datetime.datetime",
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
)
"""What training scripts save beside their weights: scores, arguments, paths, dates."""

_HYPERPARAMETERS = (
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)
"""A dict in all but its name."""


@dataclass(frozen=True, slots=True)
class Contents:
    """`root` is what was saved: containers, tensors, plain values.

    `in_order` says whether tensors come in the order in which their modules were defined.
    """

    root: object
    in_order: bool


def read_file(file: Path) -> Contents:
    """Read a checkpoint onto the CPU.

    Raises ModelRefused saying what the file is instead, or why it is not read.
    """
    if not file.is_file():
        raise ModelRefused(f"{file} is {'a folder' if file.is_dir() else 'not there'}; name a file")
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise ModelRefused(
            f"{file} has {size:,} bytes; at most {MAX_BYTES:,} can become an ONNX file. "
            "Save the model's state dict alone, without the optimizer"
        )
    with file.open("rb") as stream:
        beginning = stream.read(64)
    if beginning[8:9] == b"{":  # behind the length of the header
        return Contents(_read_safetensors(file), in_order=False)
    _refuse_other_formats(file, beginning)
    return Contents(_read_torch(file), in_order=True)


def is_left_out(value: object) -> bool:
    """Whether `value` stands for an object that was not read."""
    return isinstance(value, _LeftOut)


def printable(text: str) -> str:
    """A name from a file as a message can show it: short, one line, no control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_NAME])


def _refuse_other_formats(file: Path, beginning: bytes) -> None:
    if not beginning:
        raise ModelRefused(f"{file} is empty")
    for signature, what in _OTHER_FORMATS:
        if beginning.lstrip().startswith(signature):
            raise ModelRefused(f"{file} is {what}")
    if file.suffix == ".onnx":
        raise ModelRefused(f"{file} is an ONNX file by its name; use import-onnx")
    if beginning.startswith(b"PK"):
        _refuse_other_archives(file)


def _refuse_other_archives(file: Path) -> None:
    """Look at an archive's table of contents before anything is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelRefused(f"{file} is truncated or damaged: {error}") from error
    names = {entry.filename.partition("/")[2] for entry in entries}
    if "constants.pkl" in names:
        raise ModelRefused(
            f"{file} is a TorchScript archive, which is a program; its weights alone are wanted: "
            f'model = torch.jit.load("{file.name}"), then '
            'torch.save(model.state_dict(), "state_dict.pt")'
        )
    if any(entry.filename in {"config.json", "model.weights.h5"} for entry in entries):
        raise ModelRefused(f"{file} is a Keras archive; use import-keras")
    if "data.pkl" not in names:
        raise ModelRefused(f"{file} is a zip archive, but not one that torch.save wrote")
    # torch.save compresses nothing. What unpacks to more than the file was made to fill memory.
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > file.stat().st_size:
        raise ModelRefused(
            f"{file} would unpack to {unpacked:,} bytes, more than the file itself; "
            "torch.save does not compress, so this archive was made by something else"
        )


def _read_torch(file: Path) -> object:
    try:
        with _quiet(), torch.serialization.safe_globals(_stand_ins()):
            root: object = torch.load(file, map_location="cpu", weights_only=True)
    # A hostile or damaged pickle makes the unpickler fail in any way there is.
    except Exception as error:
        raise ModelRefused(_why_not(file, str(error))) from error
    return root


def _stand_ins() -> list[Any]:
    """For each name of a class, what the unpickler makes in its place."""
    return [
        *((_LeftOut, name) for name in _BESIDE_WEIGHTS),
        *((dict, name) for name in _HYPERPARAMETERS),
    ]


def _why_not(file: Path, reason: str) -> str:
    unknown = _UNKNOWN_GLOBAL.search(reason)
    if unknown is not None:
        return (
            f"{file} holds a pickled {printable(unknown[1])}, not only tensors; reading it would "
            "execute code. If you trust the file, make a state dict of it where the model's class "
            f'can be imported: model = torch.load("{file.name}", weights_only=False), then '
            'torch.save(model.state_dict(), "state_dict.pt")'
        )
    if _is_plain_pickle(file, reason):
        return (
            f"{file} was written by pickle, not by torch.save, and reading it would execute code. "
            "If you trust the file, load it with pickle and save its tensors: "
            'torch.save(model.state_dict(), "state_dict.pt")'
        )
    first_line = printable(reason.strip().partition("\n")[0])
    return f"{file} is damaged, or is not a checkpoint of PyTorch: {first_line or 'it just ends'}"


def _is_plain_pickle(file: Path, reason: str) -> bool:
    with file.open("rb") as stream:
        beginning = stream.read(1)
    return beginning == pickle.PROTO and any(
        sign in reason for sign in ("Unsupported operand", "Invalid magic number")
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's warnings are about options of torch.load that the user cannot set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read_safetensors(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            names = opened.keys()
            tensors = {name: opened.get_tensor(name) for name in names}
            # Of tensors that share their storage only one is written; the others are named here.
            for name, same in (opened.metadata() or {}).items():
                if same in tensors and name not in tensors:
                    tensors[name] = tensors[same]
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ModelRefused(
            f"{file} is a damaged .safetensors file: {printable(str(error))}"
        ) from error
    return tensors
