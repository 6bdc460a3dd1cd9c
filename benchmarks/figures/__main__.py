"""Trains by every recipe in recipes/ and keeps the scores, curves and pictures: `make figures`.

    python -m benchmarks.figures DATA [--only RECIPE …] [--work FOLDER] [--out FOLDER]

DATA is a folder with the data sets; docs/models.md says where each comes from.
"""

import argparse
import json
import sys
import sysconfig
from pathlib import Path

from benchmarks.figures.figure import FIGURES, MACHINE_TEMPERATURE, STDLIB_CALLS, Figure
from benchmarks.figures.machine_temperature import WINDOWS, alarms_of
from benchmarks.figures.picture import draw_alarms, draw_curves
from benchmarks.figures.result import Folders, measure
from benchmarks.figures.stdlib_calls import write_calls

OUT = Path("docs/figures")
WORK = Path("build/figures")
"""Ignored by git."""


def main() -> None:
    arguments = _arguments()
    work: Path = arguments.work
    folders = Folders(work / "models", work / "runs", arguments.out)
    chosen = [one for one in FIGURES if one.recipe in arguments.only]
    files = [_file(one, arguments.data, work) for one in chosen]
    for figure, file in zip(chosen, files, strict=True):
        folder = measure(figure, file, folders)
        if figure is MACHINE_TEMPERATURE:
            _alarms(folder, arguments.data, folders.out)
    drawn = [file for one in FIGURES if (file := folders.out / f"{one.recipe}.csv").exists()]
    draw_curves(drawn, folders.out / "curves.png")


def _file(figure: Figure, data: Path, work: Path) -> Path:
    """The figure's data, made where it is not downloaded. Ends the program where it is missing."""
    if figure.data == STDLIB_CALLS:
        write_calls(Path(sysconfig.get_path("stdlib")), work / STDLIB_CALLS)
        return work / STDLIB_CALLS
    for name in (figure.data, *([WINDOWS] if figure is MACHINE_TEMPERATURE else [])):
        if not (data / name).is_file():
            sys.exit(f"{data / name} is missing; docs/models.md says where to get it")
    return data / figure.data


def _alarms(folder: Path, data: Path, out: Path) -> None:
    alarms = alarms_of(folder, data)
    text = json.dumps(alarms.described(), indent=1) + "\n"
    (out / "machine-temperature-alarms.json").write_text(text, "utf-8")
    draw_alarms(alarms, out / "machine-temperature.png")


def _arguments() -> argparse.Namespace:
    names = [one.recipe for one in FIGURES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="RECIPE")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for models and runs")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for scores and pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
