"""Everything that a study leaves in its folder beside its runs."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from model_export.compare.findings import adding_finding, reset_finding
from model_export.compare.pictures import error_picture, gradient_picture, save, solved_picture
from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of
from model_export.compare.runs import Run
from model_export.compare.study import Contestant, Study
from model_export.compare.tables import TITLES, markdown, write_csv
from model_export.compare.trace_pictures import adding_trace_picture, reset_trace_picture
from model_export.compare.traces import trace_adding, trace_resets
from model_export.compare.training import GRADIENT_NORM


def write_results(study: Study, folder: Path) -> Iterator[Path]:
    """Writes tables, pictures and traces of what is done so far; yields each file when written."""
    yield from _write_tables(study, folder)
    names = list(study.plan.lengths)
    for name in names:
        yield from _saved(folder / f"gradients-{name}.svg", gradient_picture(study, name))
        yield from _saved(folder / f"errors-{name}.svg", error_picture(study, name))
    if solvable := [name for name in names if _can_be_solved(study, name)]:
        yield from _saved(folder / "solved.svg", solved_picture(study, solvable))
    yield from _write_traces(study, folder)


def _can_be_solved(study: Study, name: ProblemName) -> bool:
    return problem_of(name, study.plan.lengths[name][0]).traits.solved_below is not None


def _write_tables(study: Study, folder: Path) -> Iterator[Path]:
    write_csv(study, folder / "runs.csv")
    yield folder / "runs.csv"
    yield _written(folder / "table.md", f"{_conditions(study)}\n\n{markdown(study)}")


def _write_traces(study: Study, folder: Path) -> Iterator[Path]:
    sections = []
    if (run := _longest_solved(study)) is not None:
        adding = trace_adding(study.network(run), run.spec)
        yield from _saved(folder / "trace-adding.svg", adding_trace_picture(adding))
        sections += ["## Adding problem", "", adding_finding(adding), ""]
    if (run := _longest_window(study)) is not None:
        resets = trace_resets(study.network(run), run.spec)
        yield from _saved(folder / "trace-co2.svg", reset_trace_picture(resets))
        sections += ["## Weekly CO₂", "", reset_finding(resets), ""]
    if sections:
        yield _written(folder / "traces.md", "\n".join(sections))


def _longest_solved(study: Study) -> Run | None:
    """The first seed of the GRU, reset before, that solved the adding problem at the most steps.

    At two steps both are marked, and gates at the others cannot be compared with them.
    """
    lengths = [length for length in study.plan.lengths.get("adding", ()) if length > 2]
    for length in sorted(lengths, reverse=True):
        for run in study.finished(_traced(study, "adding", length)):
            if run.solved_at is not None:
                return run
    return None


def _longest_window(study: Study) -> Run | None:
    lengths = study.plan.lengths.get("co2", ())
    runs = study.finished(_traced(study, "co2", max(lengths))) if lengths else []
    return runs[0] if runs else None


def _traced(study: Study, problem: ProblemName, length: int) -> Contestant:
    return Contestant(problem, length, "gru_before", study.plan.hidden_size)


def _conditions(study: Study) -> str:
    plan = study.plan
    rates = ", ".join(f"{rate:g}" for rate in plan.learning_rates)
    steps = ", ".join(f"{TITLES[name]}: {count}" for name, count in plan.steps.items())
    return (
        f"Every cell has the same budget. Steps at most: {steps}. Batches of {plan.batch_size}, "
        f"Adam, gradients clipped to norm {GRADIENT_NORM:g}, learning rate from {rates}. "
        f"The LSTM's forget gate and the GRU's keep gate begin with bias {plan.keep_bias:g}. "
        "Figures over seeds: median (lowest to highest)."
    )


def _saved(path: Path, figure: Figure) -> Iterator[Path]:
    save(figure, path)
    yield path


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
