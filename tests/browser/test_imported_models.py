"""What the page makes of models that others trained: lanes, windows, whole sequences only."""

import re
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from playwright.sync_api import expect

from model_export.command_line import main
from tests.browser.conftest import Visit
from tests.browser.inspector_page import InspectorPage
from tests.foreign import export, write_all


class Letters(torch.nn.Module):
    """The next of five tokens, from the last seven."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 4)
        self.gru = torch.nn.GRU(4, 6, batch_first=True)
        self.head = torch.nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.head(self.gru(self.embedding(x))[0][:, -1]), -1)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    files = write_all(folder)
    files["letters"] = folder / "letters.onnx"
    files["letters"].write_bytes(
        export(Letters(), torch.randint(0, 5, (2, 7)), axes={"x": {0: "batch"}})
    )
    for name in ("bidirectional", "lanes", "letters", "windowed"):
        given = ["import-onnx", str(files[name]), "--name", name]
        result = CliRunner().invoke(main, [*given, "--repository", str(folder / "models")])
        assert result.exit_code == 0, result.output
    return folder / "models"


@pytest.fixture
def inspector(visit: Visit) -> InspectorPage:
    return InspectorPage(visit)


def test_every_lane_is_shown(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("lanes")
    assert inspector.pixels(0, "update").shape[:2] == (36, 64)
    inspector.point_at(0, "hidden", unit=35, step=3)
    inputs = api.get("/v1/models/lanes").json()["example"]["inputs"]
    body = {"inputs": [inputs[:4]], "gates": True}
    answer = api.post("/v1/models/lanes/sequences", json=body).json()["sequences"][0]
    hidden = answer["gates"]["layers"][0]["hidden"][3][35]
    assert f"hidden {hidden:.3f}".replace("-", "−") in inspector.sentence()


def test_a_window_shows_nothing_before_it_is_full(inspector: InspectorPage) -> None:
    inspector.open("windowed")
    expect(inspector.page.locator("#model-card")).to_contain_text("see their last 7 inputs")
    alpha = inspector.pixels(1, "candidate")[:, :, 3]
    assert (alpha[:, :6] == 0).all()
    assert (alpha[:, 6:] == 255).all()
    inspector.point_at(0, "update", unit=2, step=3)
    assert "nothing yet" in inspector.sentence()
    assert not inspector.page.inner_text("#equation")
    inspector.point_at(0, "update", unit=2, step=20)
    inspector.sentence()
    equation = inspector.page.inner_text("#equation").replace("−", "-")
    hidden, keep, before, update, candidate, _ = map(
        float, re.findall(r"-?[0-9]+\.[0-9]{3}", equation)
    )
    assert hidden == pytest.approx(keep * before + update * candidate, abs=2e-3)
    assert inspector.figures()["output 0"]


def test_whole_sequences_are_shown_without_gates(
    inspector: InspectorPage, api: httpx.Client
) -> None:
    inspector.open("bidirectional")
    reason = api.get("/v1/models/bidirectional").json()["reason"]
    assert reason in inspector.sentence()
    assert reason in inspector.page.inner_text("#model-card")
    example = api.get("/v1/models/bidirectional").json()["example"]["inputs"]
    answer = api.post("/v1/models/bidirectional/sequences", json={"inputs": [example]}).json()
    # The page shows the middle of its example.
    shown = [values[0] for values in inspector.figures().values()]
    np.testing.assert_allclose(shown, answer["sequences"][0]["outputs"][32], atol=1e-3)


def test_tokens_without_an_answer_yet(inspector: InspectorPage) -> None:
    inspector.open("letters")
    inspector.point_at(0, "update", unit=0, step=2)
    assert inspector.next_characters() == []
    inspector.point_at(0, "update", unit=0, step=20)
    assert len(inspector.next_characters()) == 5
