"""A file for each state dict, and the one line that says why it is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.checkpoint import read_checkpoint
from model_export.imports.checkpoint.options import CheckpointOptions

Save = Callable[[Any], Path]
Refusal = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write anything with torch.save."""

    def write(content: object) -> Path:
        file = tmp_path / "model.pt"
        torch.save(content, file)
        return file

    return write


@pytest.fixture
def refusal(save: Save) -> Refusal:
    """The message for a file, or for what becomes one, read with the given options."""

    def read(content: object, **options: Any) -> str:  # noqa: ANN401
        file = content if isinstance(content, Path) else save(content)
        with pytest.raises(ModelRefused) as caught:
            read_checkpoint(file, CheckpointOptions(**options))
        message = str(caught.value)
        assert "\n" not in message
        assert str(file) in message
        return message

    return read
