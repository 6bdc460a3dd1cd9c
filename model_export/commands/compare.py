"""`python -m model_export compare`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model_export.compare.budgets import BudgetName
    from model_export.compare.problem import ProblemName
    from model_export.compare.runs import Run
    from model_export.compare.study import Plan

_PROBLEMS = ("adding", "copy", "co2")
_COUNT = click.IntRange(min=1)


def _problems(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Raises click.BadParameter for a problem that there is not."""
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    for name in names:
        if name not in _PROBLEMS:
            raise click.BadParameter(f"no problem {name!r}; there are {', '.join(_PROBLEMS)}")
    return names


def _lengths(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Raises click.BadParameter for what is no positive integer."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    for part in parts:
        if not part.isdecimal() or int(part) < 1:
            raise click.BadParameter(f"{part!r} is not a positive number of steps")
    return tuple(map(int, parts))


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("compare"),
    help="The folder for runs, tables and pictures.",
)
@click.option(
    "--budget",
    type=click.Choice(["quick", "full"]),
    default="full",
    help="quick: a minute or two on one core. full: about an hour.",
)
@click.option("--problems", callback=_problems, default=",".join(_PROBLEMS), help="Some of these.")
@click.option("--lengths", callback=_lengths, help="a,b,… for every problem [default: by budget]")
@click.option("--seeds", type=_COUNT, help="Runs of everything [default: by budget]")
@click.option("--steps", type=_COUNT, help="Training steps at most [default: by budget]")
@click.option("--hidden-size", type=_COUNT, help="Of equal hidden size [default: by budget]")
@click.option(
    "--keep-bias",
    type=float,
    help="What the bias of the LSTM's forget gate and of the GRU's keep gate begins with "
    "[default: 1]",
)
def compare(
    *,
    out: Path,
    budget: "BudgetName",
    problems: "tuple[ProblemName, ...]",
    lengths: tuple[int, ...] | None,
    seeds: int | None,
    steps: int | None,
    hidden_size: int | None,
    keep_bias: float | None,
) -> None:
    """Compare a plain RNN, an LSTM and a GRU on problems that need memory.

    Every finished run is a line of OUT/runs.jsonl; what is interrupted goes on from there. When
    all are done, tables, pictures and traces of gates are written beside it.
    """
    from model_export.compare.budgets import plan_of

    plan = plan_of(
        budget,
        problems,
        lengths=lengths,
        seeds=seeds,
        steps=steps,
        hidden_size=hidden_size,
        keep_bias=keep_bias,
    )
    _carry_out(plan, out)


def _carry_out(plan: "Plan", out: Path) -> None:
    # torch takes seconds to import: not for --help.
    import torch
    from tqdm import tqdm

    from model_export.compare.results import write_results
    from model_export.compare.study import Study

    # One thread: more cost small networks more than they save, and the time of a step is measured.
    torch.set_num_threads(1)
    study = Study(plan, out)
    if study.done:
        click.echo(f"{study.done} of {study.total} runs are done already")
    # None leaves the bar out where nobody watches; the line after each run is always there.
    with tqdm(total=study.total, initial=study.done, unit="run", disable=None) as bar:
        for run in study.run():
            bar.update()
            bar.write(_line(run))
    for path in write_results(study, out):
        click.echo(f"wrote {path}")


def _line(run: "Run") -> str:
    spec = run.spec
    end = f"solved after {run.solved_at} steps" if run.solved_at else f"error {run.lowest:.3g}"
    return (
        f"{spec.problem} {spec.length}: {spec.cell} {spec.hidden_size}, "
        f"learning rate {spec.learning_rate:g}, seed {spec.seed}: {end}"
    )
