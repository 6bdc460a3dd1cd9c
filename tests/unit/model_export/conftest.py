"""pytorch-ignite imports a part of torch that deprecates itself; once imported it is silent."""

import warnings
from collections.abc import Iterator
from importlib import import_module

import pytest
import torch

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
    import_module("ignite.handlers")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost tiny networks more than they save, most of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
