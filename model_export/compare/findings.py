"""The traces in words, with their figures."""

from calendar import month_name

from model_export.compare import problem, traces
from model_export.compare.traces import AddingTrace, GateErrors, ResetTrace


def adding_finding(trace: AddingTrace) -> str:
    """What a GRU does with the adding problem; a few lines of Markdown."""
    run, opening = trace.run, trace.opening_update
    follows = "rises" if trace.correlation > 0 else "falls"
    return "\n".join(
        [
            f"A GRU with reset before, {run.hidden_size} units, length {run.length}, "
            f"seed {run.seed}; figures are of {traces.SEQUENCES} test sequences, errors of "
            f"{problem.SEQUENCES['test']:,}.",
            "",
            f"- **The sum.** Unit {trace.following_unit} follows the running sum of the marked "
            f"numbers best: it {follows} with it, correlation {trace.correlation:+.3f} over all "
            f"sequences and steps. All units together, in a linear regression, explain "
            f"{trace.explained:.1%} of its variance.",
            f"- **Update gate.** It is {trace.mean_update.marked:.3f} on average at a marked step "
            f"and {trace.mean_update.elsewhere:.3f} at the others; {trace.opening_units} of "
            f"{run.hidden_size} units write more at a marked step. That of unit "
            f"{trace.opening_unit} opens most: {opening.marked:.3f} and {opening.elsewhere:.3f}.",
            f"- **Between the two markers** unit {trace.keeping_unit} keeps most of its own state, "
            f"{trace.most_kept:.1%}: the product of 1 − update over the steps between them.",
            f"- **Reset gate.** It is {trace.mean_reset.marked:.3f} on average at a marked step "
            f"and {trace.mean_reset.elsewhere:.3f} at the others.",
            _frozen(trace.errors, "mean squared error"),
        ]
    )


def reset_finding(trace: ResetTrace) -> str:
    """What the reset gate goes by on the series; a few lines of Markdown."""
    run = trace.run
    return "\n".join(
        [
            f"A GRU with reset before, {run.hidden_size} units, trained on windows of "
            f"{run.length} weeks, seed {run.seed}; figures are of the test part.",
            "",
            f"- **Season.** The reset gate of unit {trace.season_unit} follows the season best: a "
            f"yearly wave and its first overtone explain {trace.season_explained:.1%} of its "
            f"variance. The wave is lowest, {trace.lowest_reset:.3f}, in "
            f"{_month(trace.lowest_week)} and highest, {trace.highest_reset:.3f}, in "
            f"{_month(trace.highest_week)}.",
            f"- **Big steps.** The reset gate of unit {trace.step_unit} follows the size of the "
            f"last weekly change best: correlation {trace.step_correlation:+.3f}. It is "
            f"{trace.reset_at_big:.3f} on average at the tenth of weeks with the biggest changes "
            f"and {trace.reset_elsewhere:.3f} at the others.",
            _frozen(trace.errors, "error in ppm"),
        ]
    )


def _frozen(errors: GateErrors, measure: str) -> str:
    return (
        f"- **Without a gate that moves.** The {measure} is {errors.trained:.3g}; with the reset "
        f"gate of every unit held at its mean {errors.reset_frozen:.3g}, with the update gate "
        f"held at its mean {errors.update_frozen:.3g}."
    )


_FIRST_CHANGE_DAY = 94
"""Days of the year before 5 April 1958, on which the series' first change ends."""


def _month(week: int) -> str:
    """The month that lies so many weeks after the first change, in a year like the first."""
    return month_name[1 + int((_FIRST_CHANGE_DAY + 7 * week) % 365.25 / 30.44)]
