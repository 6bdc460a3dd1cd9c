"""The training report: what it says, and that it needs nothing but itself."""

import base64
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from model_export.command_line import main
from model_export.model.config import LabelsHead, ValuesFront
from model_export.package import publish_trained
from model_export.report.page import write_report
from model_export.report.training import training_sections
from model_export.trained import Curve, TrainedModel
from model_export.verify.check import Check
from service.bundle.bundle import read_bundle
from service.bundle.manifest import Score
from service.bundle.signatures import Labels, Tokens, Values
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import PROVENANCE, VALUE_NAMES, kind_of_model, tokens_model, values_model

CURVE = Curve("squared error", training=(3.0, 2.0, 1.0), validation=(3.1, 2.5, 2.75))
CHECKS = [Check("output of step 0", 2e-7), Check("update of layer 1", 9e-6)]


class Page(HTMLParser):
    """Text, labels of pictures, pictures, and everything that a browser would fetch or run."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.labels: list[str] = []
        self.pictures: list[str] = []
        self.linked: list[str] = []
        self.within = ""
        self.tags: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.within = tag
        if tag == "text":
            self.labels.append("")
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "href"):
                (self.pictures if tag in ("img", "image") else self.linked).append(value or "")

    def handle_endtag(self, _: str) -> None:
        self.within = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.within == "text":
            self.labels[-1] += data


def engine_of(trained: TrainedModel, folder: Path) -> Engine:
    return Engine(read_bundle(publish_trained(trained, folder)), Provider())


def report_on(trained: TrainedModel, engine: Engine, folder: Path) -> Page:
    file = folder / "report.html"
    write_report(file, engine, training_sections(trained)(engine), CHECKS)
    assert file.stat().st_size < 1_500_000
    return Page(file.read_text("utf-8"))


def png_size(address: str) -> tuple[int, int]:
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"), validate=True)
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_says_what_the_model_is_and_who_wins(tmp_path: Path) -> None:
    trained = replace(
        values_model("weather", reset="after", hidden_sizes=(6, 4)),
        scores=(
            Score(metric="MAE", unit="°C", model=0.75, baselines={"naive": 1.0, "season": 3.0}),
            Score(metric="RMSE", unit="hPa", model=2.0, baselines={"naive": 1.25}),
            Score(
                metric="recall@20",
                unit="",
                model=0.75,
                baselines={"popular": 0.5, "co-occurrence": 0.6},
                better="higher",
            ),
        ),
        curve=CURVE,
        provenance=PROVENANCE.model_copy(
            update={"data": "<b>measured & kept</b>", "hyperparameters": {"learning_rate": 0.0125}}
        ),
    )
    page = report_on(trained, engine_of(trained, tmp_path), tmp_path)
    parameters = sum(weights.numel() for weights in trained.network.parameters())
    for said in (
        *("weather", "forecast", "after: ", "6 + 4 units", f"{parameters:,}"),
        *("temperature [°C], pressure [hPa], humidity", "0.0125", "0" * 64),
        *("MAE [°C]", "25% below naive", "The model does not win: naive reaches 1.25"),
        *("recall@20, higher is better", "25% above co-occurrence", "RMSE [hPa], lower is better"),
        *("<b>measured & kept</b>", "epoch 2 of 3", "lowest validation loss, 2.5"),
        "The validation loss rises after epoch 2 of 3 while the training loss falls",
        *("2 checks passed", "Worst deviation 9e-06", "update of layer 1"),
    ):
        assert said in page.text
    assert "b" not in page.tags


def test_needs_nothing_but_itself(tmp_path: Path) -> None:
    trained = values_model("weather", hidden_sizes=(6, 4))
    page = report_on(trained, engine_of(trained, tmp_path), tmp_path)
    assert page.linked == ["data:,"], "an icon of nothing, so that no browser asks for one"
    assert page.tags.isdisjoint({"script", "iframe", "object"})
    assert "url(" not in page.text
    curve, *residuals = [png_size(picture) for picture in page.pictures][:-2]
    layers = [png_size(picture) for picture in page.pictures][-2:]
    assert len(residuals) == len(VALUE_NAMES)
    assert all(width > height > 100 for width, height in (curve, *residuals))
    assert all(width > 1000 and height > 400 for width, height in layers)


def test_is_part_of_the_published_bundle(tmp_path: Path) -> None:
    folder = publish_trained(tokens_model("letters"), tmp_path)
    page = Page((folder / "report.html").read_text("utf-8"))
    assert re.search(r"[1-9]\d* checks passed", page.text)
    assert len(page.pictures) == 2


def test_shows_the_characters_themselves(tmp_path: Path) -> None:
    """Of any script, whatever fonts there are where it was trained: the browser draws them."""
    plain = tokens_model("letters")
    engine = engine_of(plain, tmp_path)
    vocabulary = ("$x^$", "漢", "\n", "한", "€", "<b>", " ", "&amp;", "😀", "\x00")
    shown = ("$x^$", "漢", "↵", "한", "€", "<b>", "␣", "&amp;", "😀", "␀")
    engine.manifest = engine.manifest.model_copy(
        update={"input": Tokens(size=10, vocabulary=vocabulary)}
    )
    page = report_on(plain, engine, tmp_path)
    assert len(page.pictures) == 2
    assert page.labels == [shown[token] for token in plain.sample]
    assert "b" not in page.tags
    assert "漢" in (tmp_path / "report.html").read_text("utf-8")


def test_shows_the_names_of_series_themselves(tmp_path: Path) -> None:
    plain = values_model("weather", hidden_sizes=(6, 4))
    engine = engine_of(plain, tmp_path)
    signature = Values(names=("温度", "압력", "$p_0$ <i>"), units=("℃", "hPa", "1"))
    engine.manifest = engine.manifest.model_copy(update={"input": signature, "output": signature})
    page = report_on(plain, engine, tmp_path)
    assert page.labels == ["温度 [℃]", "압력 [hPa]", "$p_0$ <i>"] * 2
    assert "i" not in page.tags


def test_shows_the_residuals_of_every_series(tmp_path: Path) -> None:
    plain = values_model("weather")
    rows = plain.sample
    trained = replace(plain, samples={"north": rows, "south": rows[:50], "short": rows[:2]})
    page = report_on(trained, engine_of(plain, tmp_path), tmp_path)
    residuals = page.text[page.text.index("Residuals over time") : page.text.index("Gates on")]
    for series in ("north", "south"):
        for column in ("temperature [°C]", "pressure [hPa]", "humidity"):
            assert f"{series}: {column}\n" in residuals
    assert "short" not in residuals
    assert "3 more are not drawn" in residuals


def test_says_what_units_follow(tmp_path: Path) -> None:
    """Pressure is the largest input by far."""
    plain = values_model("weather", hidden_sizes=(6, 4))
    rows = plain.sample.copy()
    rows[:, 1] += 200 * np.sign(np.sin(np.arange(len(rows))))
    trained = replace(plain, samples={"": rows})
    page = report_on(trained, engine_of(trained, tmp_path), tmp_path)
    section = page.text[page.text.index("What units follow") : page.text.index("Gates on")]
    assert re.search(r"pressure[a-z]+ of unit \d of layer [01]−?(0\.[5-9]\d|1\.00), ", section), (
        section
    )
    assert "No unit does" not in section
    silent = replace(plain, samples={"": np.repeat(rows[:1], 40, axis=0)})
    assert "No unit does" in report_on(silent, engine_of(plain, tmp_path / "2"), tmp_path).text


def test_of_many_columns_those_that_move_are_shown(tmp_path: Path) -> None:
    names = tuple(f"key {at}" for at in range(30))
    trained = kind_of_model(
        *("rolls", ValuesFront((0.0,) * 30, (1.0,) * 30), LabelsHead(30)),
        *(Values(names=names, units=("",) * 30), Labels(names=names)),
    )
    trained.sample[:, :20] = 0
    page = report_on(trained, engine_of(trained, tmp_path), tmp_path)
    assert page.labels == list(names[20:])
    assert "the first 10 of 30 inputs that move" in page.text


def test_a_chinese_text_from_training_to_report(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。\n" * 30, "utf-8")
    command = (
        *("train", "characters", "--data", str(text), "--name", "qianziwen"),
        *("--hidden-size", "4", "--epochs", "1", "--batch-size", "2", "--time-steps", "5"),
        *("--runs", str(tmp_path / "runs"), "--repository", str(tmp_path / "models")),
    )
    ended = CliRunner().invoke(main, command)
    assert ended.exit_code == 0, ended.output
    [file] = (tmp_path / "models").glob("*/1/report.html")
    labels = "".join(Page(file.read_text("utf-8")).labels)
    assert "宇宙洪荒。日月盈昃，辰宿列張。↵天地玄黃，" in labels
    assert "?" not in labels


def test_best_epoch_is_the_first_of_the_lowest() -> None:
    assert CURVE.best_epoch == 2
    assert Curve("loss", (1.0, 1.0), (0.5, 0.5)).best_epoch == 1


@pytest.mark.parametrize("length", [1, 500])
def test_takes_samples_of_any_length(tmp_path: Path, length: int) -> None:
    trained = values_model("weather")
    engine = engine_of(trained, tmp_path)
    sample = trained.sample.repeat(10, axis=0)[:length]
    page = report_on(replace(trained, samples={"": sample}), engine, tmp_path)
    assert f"The first {min(length, 120)} time steps" in page.text
