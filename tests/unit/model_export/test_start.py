"""Going on from a published model: `--from`."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from model_export.command_line import main
from model_export.recipes.recipe import Recipe
from model_export.start import load_start, vocabulary_of
from service.bundle.bundle import read_bundle
from tests.bundles import plain_report
from tests.unit.model_export.small_data import small_recipe, write_data

TEXT = "to be or not to be, that is the question "


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a forecast of two columns and a character model."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        recipe = small_recipe("forecast", folder, name="values", layers=1, dropout=0.0)
        assert train(folder, recipe).exit_code == 0
        (folder / "text.txt").write_text(TEXT * 10)
        letters = small_recipe("characters", folder, name="letters", layers=1, dropout=0.0)
        ended = train(folder, letters, "--data", str(folder / "text.txt"))
        assert ended.exit_code == 0, ended.output
    return folder


def train(folder: Path, recipe: Recipe, *options: str, repository: Path | None = None) -> Result:
    file = folder / f"{recipe.name}.toml"
    file.write_text(recipe.to_toml(), "utf-8")
    places = ["--runs", str(folder / "runs"), "--repository", str(repository or folder / "models")]
    return CliRunner().invoke(
        main, ["train", recipe.task, "--recipe", str(file), *places, *options]
    )


def going_on(made: Path, folder: Path, *options: str) -> Result:
    """A recipe that says nothing of the network, on data that begins elsewhere."""
    data = folder / "newer.csv"
    if not data.exists():
        lines = write_data("forecast", folder).read_text("utf-8").splitlines()
        rows = [",".join(f"{float(cell) + 3:.3f}" for cell in row.split(",")) for row in lines[1:]]
        data.write_text("\n".join([lines[0], *rows]), "utf-8")
    command = ("train", "forecast", "--data", str(data), "--name", "values", "--time-steps", "6")
    places = ("--runs", str(folder / "runs"), "--repository", str(made / "models"))
    return CliRunner().invoke(main, [*command, "--epochs", "1", *places, *options])


def test_it_begins_with_the_weights_and_keeps_the_normalisation(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)
    before = load_start(made / "models", "values/1")
    ended = going_on(made, tmp_path, "--from", "values/1", "--learning-rate", "1e-12")
    assert ended.exit_code == 0, ended.output
    after = load_start(made / "models", "values")
    assert after.name == "values/2", "the newest, where no version is named"
    assert before.weights.keys() == after.weights.keys()
    for name, weights in before.weights.items():
        torch.testing.assert_close(after.weights[name], weights, rtol=0, atol=1e-6)
    assert after.manifest.provenance is not None
    recorded = after.manifest.provenance.hyperparameters
    assert (recorded["from"], recorded["hidden_size"]) == ("values/1", 5)
    assert read_bundle(made / "models" / "values" / "1").manifest == before.manifest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "nobody"], "--from nobody: there is no model 'nobody' in"),
        (["--from", "values/9"], "--from values/9: "),
        (["--from", "values/one"], "--from values/one: "),
        (["--from", "letters"], "--from letters/1: its task is characters"),
        (["--from", "values/1", "--hidden-size", "7"], "--from values/1: --hidden-size is 5 there"),
        (["--from", "values/1", "--reset", "after"], "--reset is 'before' there"),
        (["--from", "values/1", "--targets", "a"], "--from values/1: it takes"),
    ],
)
def test_what_does_not_fit_is_refused(
    options: list[str], message: str, made: Path, tmp_path: Path
) -> None:
    before = sorted((made / "models").rglob("*"))
    ended = going_on(made, tmp_path, *options)
    assert ended.exit_code == 1
    [line] = ended.stderr.splitlines()
    assert message in line
    assert sorted((made / "models").rglob("*")) == before


def test_a_model_without_its_weights_is_refused(made: Path, tmp_path: Path) -> None:
    """An imported one, or one of an older release."""
    folder = made / "models" / "values" / "1"
    manifest = folder / "manifest.json"
    kept = manifest.read_text("utf-8")
    files = read_bundle(folder).manifest.files
    line = f'"weights.safetensors": "{files["weights.safetensors"]}"'
    changed = kept.replace(f",\n    {line}", "").replace(f"{line},\n    ", "")
    assert changed != kept
    manifest.write_text(changed, "utf-8")
    try:
        ended = going_on(made, tmp_path, "--from", "values/1")
    finally:
        manifest.write_text(kept, "utf-8")
    assert ended.exit_code == 1
    assert "has no weights.safetensors: it was imported" in ended.stderr


def characters(made: Path, folder: Path, text: str, *options: str) -> Result:
    (folder / "new.txt").write_text(text)
    recipe = small_recipe("characters", folder, name="letters", layers=1, epochs=1)
    data = ("--data", str(folder / "new.txt"), "--from", "letters/1")
    return train(folder, recipe, *data, *options, repository=made / "models")


def test_a_character_that_the_model_does_not_know_is_refused(made: Path, tmp_path: Path) -> None:
    ended = characters(made, tmp_path, "to be\n" * 40 + "Zounds " * 20)
    assert ended.exit_code == 1
    assert "line 1: '\\n' is not in the model's vocabulary" in ended.stderr
    assert "without --from" in ended.stderr


def test_fewer_characters_keep_the_ids_that_they_have(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)
    ended = characters(made, tmp_path, "not to be " * 40, "--learning-rate", "1e-12")
    assert ended.exit_code == 0, ended.output
    before, after = (load_start(made / "models", f"letters/{version}") for version in (1, 2))
    assert (
        vocabulary_of(after.manifest) == vocabulary_of(before.manifest) == tuple(sorted(set(TEXT)))
    )
    torch.testing.assert_close(after.weights["front.weight"], before.weights["front.weight"])
