"""One figure measured: trained as a user trains, its scores and curves kept as files."""

import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures.figure import Figure
from benchmarks.tools.machine import this_machine
from model_export.recipes.recipe import Recipe
from model_export.recipes.registry import recipe_of
from model_export.run_folder import CURVES_FILE, SCORES_FILE, folder_of, seeds_of
from service.bundle.folders import read_version, versions_in
from service.bundle.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Folders:
    """`models` and `runs` of the training, `out` of the figures."""

    models: Path
    runs: Path
    out: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a figure's JSON says. `scores` are those of the manifest, `seconds` of the whole
    command: reading, training, baselines, export and checks."""

    command: str
    seconds: float
    data_sha256: str
    held_out: str
    seed: int
    scores: list[dict[str, Any]]
    baselines: list[str]
    published: Mapping[str, Mapping[str, float]]
    machine: dict[str, Any]
    versions: dict[str, str]


def measure(figure: Figure, data: Path, folders: Folders) -> Path:
    """Trains by the recipe on the file `data` and writes RECIPE.json and RECIPE.csv.

    Returns the folder of the new version. Raises CalledProcessError where training fails.
    """
    options = ["--repository", str(folders.models), "--runs", str(folders.runs)]
    command = ["train", figure.task, "--recipe", str(figure.file), "--data", str(data), *options]
    begun = time.monotonic()
    _run(command)
    seconds = time.monotonic() - begun
    folder = newest_version(folders.models, figure.recipe)
    manifest = read_version(folder).manifest
    run = folders.runs / figure.recipe
    result = _result(figure, manifest, seconds, run)
    folders.out.mkdir(parents=True, exist_ok=True)
    (folders.out / f"{figure.recipe}.json").write_text(_json(result), "utf-8")
    assert manifest.provenance is not None
    recipe = recipe_of(manifest.provenance.hyperparameters)
    _write_curves(recipe, run, folders.out / f"{figure.recipe}.csv")
    return folder


def newest_version(models: Path, name: str) -> Path:
    """Of a model that is there."""
    return models / name / str(versions_in(models / name)[-1])


def _run(command: list[str]) -> None:
    """What the command prints is shown while it runs."""
    arguments = [sys.executable, "-u", "-m", "model_export", *command]
    print(f"$ {shlex.join(['python', *arguments[2:]])}", flush=True)
    subprocess.run(arguments, check=True)


def _result(figure: Figure, manifest: Manifest, seconds: float, run: Path) -> Result:
    assert manifest.provenance is not None
    scored = json.loads((run / SCORES_FILE).read_text("utf-8"))
    return Result(
        command=f"python -m model_export train {figure.task} --recipe recipes/{figure.file.name} "
        f"--data {figure.data}",
        seconds=round(seconds, 1),
        data_sha256=manifest.provenance.data_sha256,
        held_out=manifest.provenance.held_out,
        seed=manifest.provenance.seed,
        scores=scored["scores"],
        baselines=scored["baselines"],
        published=figure.published,
        machine=this_machine().described(),
        versions=manifest.provenance.versions,
    )


def _json(result: Result) -> str:
    return json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n"


def _write_curves(recipe: Recipe, run: Path, file: Path) -> None:
    """The curves of a recipe's seeds below one another, the seed in front.

    The folder may have seeds of an earlier run too.
    """
    rows: list[list[str]] = []
    for seed in seeds_of(recipe):
        curves = folder_of(recipe, run, seed) / CURVES_FILE
        with curves.open(newline="", encoding="utf-8") as stream:
            header, *found = csv.reader(stream)
        rows += [["seed", *header]] * (not rows) + [[str(seed), *row] for row in found]
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
