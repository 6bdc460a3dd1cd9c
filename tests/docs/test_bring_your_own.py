"""docs/bring-your-own.md: every command is run as it stands there, on files that others wrote."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.docs.console import examples_of, run
from tests.foreign import write_all
from tests.service_process import running_service

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "bring-your-own.md"
KERAS = ROOT / "tests/unit/model_export/imports/keras/recorded/keras_3/mixed_names.keras"


class Sensor(nn.Module):
    """Weights as people publish them: a GRU, batch norm, and some linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 16, num_layers=2, batch_first=True)
        self.bn = nn.BatchNorm1d(16)
        self.fc1 = nn.Linear(16, 8)
        self.fc2 = nn.Linear(8, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands run."""
    torch.manual_seed(0)
    torch.save(Sensor().state_dict(), tmp_path / "sensor.pt")
    shutil.copyfile(KERAS, tmp_path / "sensor.keras")
    shutil.copyfile(write_all(tmp_path)["causal"], tmp_path / "sensor.onnx")
    return tmp_path


@pytest.mark.parametrize(
    "section", ["## A PyTorch checkpoint", "## A Keras file", "## An ONNX file"]
)
def test_from_a_file_to_a_step(section: str, folder: Path) -> None:
    imported, served, created, stepped = [
        example.command for example in examples_of(DOCUMENT, section)
    ]
    printed = run(
        f"cd {folder} && {imported.replace('python', sys.executable, 1)}", "", seconds=120
    )
    assert "published models/" in printed
    assert served == "python -m service --port 8000"
    store = f"sqlite:///{folder}/s.db"
    with running_service(folder / "models", store, folder / "log") as service:
        assert json.loads(run(created, service.url))["step"] == 0
        answer = json.loads(run(stepped, service.url))
    assert answer["step"] == 1
    assert len(answer["outputs"]) == 1
