"""`python -m model_export`: one line on failure, the score table on success."""

from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from model_export.checkpoint import CHECKPOINT_FILE
from model_export.command_line import main
from model_export.demos import DEMOS
from model_export.errors import CheckpointError
from model_export.recipes.characters import CharactersRecipe
from model_export.recipes.recipe import Recipe
from model_export.recipes.registry import RECIPES
from model_export.trained import TrainedModel
from service.bundle.manifest import Score

QUICK = ["--hidden-size", "4", "--epochs", "1", "--batch-size", "2", "--time-steps", "5"]

candidates: list[bool] = []
"""Of each model that `published` has collected, whether it was published as a candidate."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[TrainedModel]:
    """Packaging is tested elsewhere: here it only collects."""
    models: list[TrainedModel] = []
    candidates.clear()

    def publish(trained: TrainedModel, repository: Path, *, candidate: bool) -> Path:
        models.append(trained)
        candidates.append(candidate)
        return repository / trained.name / "1"

    package = ModuleType("model_export.package")
    monkeypatch.setattr(package, "publish_trained", publish, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "model_export.package", package)
    return models


def run(folder: Path, *arguments: str) -> Result:
    places = ["--runs", str(folder / "runs"), "--repository", str(folder / "models")]
    return CliRunner().invoke(main, [*arguments, *places])


def test_what_is_read_can_be_seen_before_training(
    tmp_path: Path, published: list[TrainedModel]
) -> None:
    data = text_file(tmp_path)
    result = run(
        tmp_path, "train", "characters", "--data", data, "--name", "x", "--dry-run", *QUICK
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "text.txt: 380 characters, 7 different ones\nheld out: the last 38 of 380 characters\n"
    )
    assert not (tmp_path / "runs").exists()
    assert not published


def text_file(folder: Path) -> str:
    path = folder / "text.txt"
    path.write_text("to be or not to be " * 20)
    return str(path)


def test_training_prints_the_scores_and_publishes(
    tmp_path: Path, published: list[TrainedModel]
) -> None:
    data = text_file(tmp_path)
    arguments = ["train", "characters", "--data", data, "--name", "hamlet", *QUICK]
    result = run(tmp_path, *arguments)
    assert result.exit_code == 0, result.output
    assert "bits/char" in result.stdout
    assert "n-gram" in result.stdout
    assert f"published {tmp_path / 'models' / 'hamlet' / '1'}" in result.stdout
    assert [trained.name for trained in published] == ["hamlet"]
    assert published[0].network.config.hidden_sizes == (4,)
    assert run(tmp_path, *arguments, "--resume").exit_code == 0


@pytest.mark.parametrize(
    "case",
    [
        ([], False, True),
        (["--force"], False, False),
        ([], True, False),
        (["--candidate"], True, True),
        (["--candidate"], False, True),
    ],
)
def test_what_loses_against_a_baseline_is_a_candidate(
    case: tuple[list[str], bool, bool],
    tmp_path: Path,
    published: list[TrainedModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags, beaten, is_candidate = case
    monkeypatch.setattr(Score, "beats_baselines", property(lambda _: beaten))
    arguments = ["train", "characters", "--data", text_file(tmp_path), "--name", "x"]
    result = run(tmp_path, *arguments, *QUICK, *flags)
    assert result.exit_code == 0, result.output
    assert candidates == [is_candidate]
    assert (f"models default x 1 --repository {tmp_path}" in result.stdout) == is_candidate
    assert ("does as well or better" in result.stderr) == (not beaten)
    assert ("why: the validation loss" in result.stderr) == (not beaten)
    assert len(published) == 1


def test_a_candidate_that_is_forced_is_a_contradiction(
    tmp_path: Path, published: list[TrainedModel]
) -> None:
    arguments = ["train", "characters", "--data", "pydoc", "--name", "x"]
    result = run(tmp_path, *arguments, "--candidate", "--force")
    assert result.exit_code == 2
    assert "contradict each other" in result.stderr
    assert not published


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "missing.txt"], "cannot read missing.txt"),
        (["--data", "TEXT", "--resume"], "nothing to resume"),
        (["--data", "TEXT", "--batch-size", "999"], "too few for batches of 999"),
    ],
)
def test_failures_are_one_line_and_status_1(
    options: list[str], message: str, tmp_path: Path, published: list[TrainedModel]
) -> None:
    data = text_file(tmp_path)
    options = [data if option == "TEXT" else option for option in options]
    result = run(tmp_path, "train", "characters", "--name", "x", *QUICK, *options)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not published


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b", "x" * 129])
def test_names_that_no_bundle_may_have_are_refused_before_training(
    name: str, tmp_path: Path, published: list[TrainedModel]
) -> None:
    arguments = ["train", "characters", "--data", "pydoc", "--name", name]
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert "Invalid value for '--name'" in result.stderr
    assert not published


@pytest.mark.parametrize("command", ["demos", *(f"train {task}" for task in RECIPES)])
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(main, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "--repository" in result.stdout


def test_the_tasks_are_commands() -> None:
    result = CliRunner().invoke(main, ["train", "--help"])
    assert all(task in result.stdout for task in RECIPES)


@pytest.fixture
def two_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two demos in place of the real ones; the repository holds the first of them."""
    for name in list(DEMOS):
        monkeypatch.delitem(DEMOS, name)
    for name in ("first", "second"):
        monkeypatch.setitem(DEMOS, name, CharactersRecipe(name=name, data="pydoc"))
    (tmp_path / "models" / "first" / "1").mkdir(parents=True)
    (tmp_path / "models" / "first" / "1" / "manifest.json").touch()
    (tmp_path / "models" / "second").mkdir()


@pytest.mark.usefixtures("two_demos")
def test_demos_are_trained_where_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, bool]] = []

    def make_model(recipe: Recipe, *, resume: bool, **_: object) -> None:
        made.append((recipe.name, resume))

    monkeypatch.setattr("model_export.commands.demos.make_model", make_model)
    result = run(tmp_path, "demos")
    assert result.exit_code == 0
    assert made == [("second", False)]
    assert "first is there already" in result.stdout


@pytest.mark.usefixtures("two_demos")
def test_demos_go_on_where_they_stopped_and_begin_anew_where_they_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    def make_model(_: Recipe, *, resume: bool, **__: object) -> None:
        tried.append(resume)
        if resume:
            raise CheckpointError("the checkpoint is of another run")

    monkeypatch.setattr("model_export.commands.demos.make_model", make_model)
    run_folder = tmp_path / "runs" / "second"
    run_folder.mkdir(parents=True)
    (run_folder / CHECKPOINT_FILE).touch()
    assert run(tmp_path, "demos").exit_code == 0
    assert tried == [True, False]


@pytest.mark.usefixtures("two_demos")
def test_demos_side_by_side_say_which_failed(tmp_path: Path) -> None:
    """The processes do not know the demos of this test."""
    (tmp_path / "models" / "first" / "1" / "manifest.json").unlink()
    result = run(tmp_path, "demos")
    assert result.exit_code == 1
    assert "second: Error" in result.stdout
    assert result.stderr == "Error: training failed: first, second\n"
