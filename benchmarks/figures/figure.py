"""What is measured: a recipe on a data set, beside what others published for the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from model_export.recipes.recipe import read_recipe_file

RECIPES = Path(__file__).parents[2] / "recipes"


@dataclass(frozen=True, slots=True)
class Figure:
    """`recipe` is a file in recipes/ and names the model, `data` a file in the folder of data.

    `published` are figures of others by the metric of ours, then by their model.
    """

    recipe: str
    data: str
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return RECIPES / f"{self.recipe}.toml"

    @property
    def task(self) -> str:
        return str(read_recipe_file(self.file)["task"])


STDLIB_CALLS = "stdlib-calls.csv"
"""Made from the Python that runs, not downloaded."""

MACHINE_TEMPERATURE = Figure("machine-temperature", "machine_temperature_system_failure.csv")

FIGURES = (
    Figure(
        "jsb-chorales",
        "JSB_Chorales.mat",
        # Bai, Kolter and Koltun 2018, arXiv 1803.01271, table 1.
        {"NLL/step": {"GRU": 8.43, "LSTM": 8.45, "TCN": 8.10}},
    ),
    Figure("stdlib-calls", STDLIB_CALLS),
    Figure(
        "etth1",
        "ETTh1.csv",
        # Zhou et al. 2021, arXiv 2012.07436, table 2, horizon 24.
        {
            "MSE, steps 1–24": {"Informer": 0.577, "LSTMa": 0.650, "LSTnet": 1.293},
            "MAE, steps 1–24": {"Informer": 0.549, "LSTMa": 0.624, "LSTnet": 0.901},
        },
    ),
    MACHINE_TEMPERATURE,
    Figure("tinyshakespeare", "tinyshakespeare.txt"),
)
