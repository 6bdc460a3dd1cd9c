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
from model_export.run_folder import CURVES_FILE
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
    printed = _run(command)
    seconds = time.monotonic() - begun
    folder = newest_version(folders.models, figure.recipe)
    manifest = read_version(folder).manifest
    folders.out.mkdir(parents=True, exist_ok=True)
    result = _result(figure, manifest, seconds, printed)
    (folders.out / f"{figure.recipe}.json").write_text(_json(result), "utf-8")
    curves = folders.out / f"{figure.recipe}.csv"
    _write_curves(folders.runs / figure.recipe, result.seed, curves)
    return folder


def newest_version(models: Path, name: str) -> Path:
    """Of a model that is there."""
    return models / name / str(versions_in(models / name)[-1])


def _run(command: list[str]) -> list[str]:
    """Shows what the command prints while it runs, and returns its lines."""
    lines = []
    arguments = [sys.executable, "-u", "-m", "model_export", *command]
    print(f"$ {shlex.join(['python', *arguments[2:]])}", flush=True)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, arguments)
    return lines


def _result(figure: Figure, manifest: Manifest, seconds: float, printed: list[str]) -> Result:
    assert manifest.provenance is not None
    names = {name for score in manifest.scores for name in score.baselines}
    return Result(
        command=f"python -m model_export train {figure.task} --recipe recipes/{figure.file.name} "
        f"--data {figure.data}",
        seconds=round(seconds, 1),
        data_sha256=manifest.provenance.data_sha256,
        held_out=manifest.provenance.held_out,
        seed=manifest.provenance.seed,
        scores=[score.model_dump(mode="json") for score in manifest.scores],
        baselines=[line for line in printed if any(line.startswith(name) for name in names)],
        published=figure.published,
        machine=this_machine().described(),
        versions=manifest.provenance.versions,
    )


def _json(result: Result) -> str:
    return json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n"


def _write_curves(run: Path, seed: int, file: Path) -> None:
    """The curves of all seeds of a run below one another, the seed in front.

    Of several seeds each has a folder; a single one has none.
    """
    rows: list[list[str]] = []
    for curves in sorted(run.rglob(CURVES_FILE)):
        name = str(seed) if curves.parent == run else curves.parent.name.removeprefix("seed-")
        with curves.open(newline="", encoding="utf-8") as stream:
            header, *found = csv.reader(stream)
        rows += [["seed", *header]] * (not rows) + [[name, *row] for row in found]
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
