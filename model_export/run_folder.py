"""What a training run leaves in its folder besides the checkpoint: recipe, curves and scores."""

import csv
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from ignite.handlers.tensorboard_logger import TensorboardLogger
from torch import Tensor

from model_export.model.network import Network
from model_export.recipes.recipe import Recipe
from model_export.trained import Curve
from service.bundle.manifest import Score

RECIPE_FILE = "recipe.toml"
CURVES_FILE = "curves.csv"
SCORES_FILE = "scores.json"
_TENSORBOARD = "tensorboard"


class History:
    """Losses and learning rates so far, and the weights that did best on the validation part."""

    def __init__(self) -> None:
        self.training: list[float] = []
        self.validation: list[float] = []
        self.rates: list[float] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def epochs(self) -> int:
        return len(self.validation)

    def record(self, training: float, validation: float, rate: float, network: Network) -> None:
        if validation < min(self.validation, default=math.inf):
            self.best_weights = {k: v.clone() for k, v in network.state_dict().items()}
        self.training.append(training)
        self.validation.append(validation)
        self.rates.append(rate)

    def curve(self, loss_name: str) -> Curve:
        return Curve(loss_name, tuple(self.training), tuple(self.validation))

    def state_dict(self) -> dict[str, Any]:
        return {
            "training": self.training,
            "validation": self.validation,
            "rates": self.rates,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.training = list(state["training"])
        self.validation = list(state["validation"])
        self.rates = list(state["rates"])
        self.best_weights = dict(state["best_weights"])


class CurveFiles:
    """Writes the curves after every epoch: as CSV, and for TensorBoard where it is installed."""

    def __init__(self, run: Path, history: History, *, anew: bool) -> None:
        self._file = run / CURVES_FILE
        self._history = history
        if anew:
            # TensorBoard would draw the curves of both runs into one.
            shutil.rmtree(run / _TENSORBOARD, ignore_errors=True)
        self._board = _tensorboard(run)

    def __call__(self, _: Engine) -> None:
        history = self._history
        rows = zip(history.training, history.validation, history.rates, strict=True)
        with self._file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("epoch", "training", "validation", "learning_rate"))
            writer.writerows((epoch, *row) for epoch, row in enumerate(rows, 1))
        if self._board is not None:
            for name, figures in (
                ("loss/training", history.training),
                ("loss/validation", history.validation),
                ("learning_rate", history.rates),
            ):
                self._board.writer.add_scalar(name, figures[-1], history.epochs)
            self._board.writer.flush()

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def seeds_of(recipe: Recipe) -> range:
    """Of its runs."""
    return range(recipe.seed, recipe.seed + recipe.seeds)


def folder_of(recipe: Recipe, run: Path, seed: int) -> Path:
    """Where a seed's checkpoint and curves are."""
    return run if recipe.seeds == 1 else run / f"seed-{seed}"


def write_recipe(recipe: Recipe, run: Path) -> None:
    """So that `--recipe` can do the same again."""
    run.mkdir(parents=True, exist_ok=True)
    (run / RECIPE_FILE).write_text(recipe.to_toml(), "utf-8")


def remove_scores(run: Path) -> None:
    """Those of an earlier training, which one that is interrupted would leave behind."""
    (run / SCORES_FILE).unlink(missing_ok=True)


def write_scores(scores: Iterable[Score], baselines: Iterable[str], run: Path) -> None:
    """The scores on the test part, and the simple models beside which they were taken."""
    found = {
        "scores": [score.model_dump(mode="json") for score in scores],
        "baselines": list(baselines),
    }
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (run / SCORES_FILE).write_text(text, "utf-8")


def _tensorboard(run: Path) -> TensorboardLogger | None:
    """None where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        return None
    return TensorboardLogger(log_dir=str(run / _TENSORBOARD))
