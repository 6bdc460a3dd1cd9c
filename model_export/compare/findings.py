"""The traces in words, with their figures."""

from calendar import month_name

from model_export.compare.traces import AddingTrace, ResetTrace


def adding_finding(trace: AddingTrace) -> str:
    """What a GRU does with the adding problem; a few lines of Markdown."""
    run = trace.run
    follows = "rises" if trace.correlation > 0 else "falls"
    return "\n".join(
        [
            f"A GRU with reset before, {run.hidden_size} units, length {run.length}, "
            f"seed {run.seed}; figures are of 256 test sequences.",
            "",
            f"- **Unit {trace.unit} carries the sum.** It {follows} with the running sum of the "
            f"marked numbers: correlation {trace.correlation:+.3f} over all sequences and steps. "
            f"A linear regression on all units explains {trace.explained:.1%} of that sum.",
            f"- **Its update gate** is {trace.update_marked:.3f} on average at a marked step and "
            f"{trace.update_elsewhere:.3f} at the others. Over all units it is "
            f"{trace.all_update_marked:.3f} and {trace.all_update_elsewhere:.3f}; "
            f"{trace.opening_units} of {run.hidden_size} units write more at a marked step.",
            f"- **Between the two markers** it keeps {trace.kept:.1%} of its state, the product of "
            "1 − update over the steps between them.",
            f"- **Its reset gate** is {trace.reset_marked:.3f} at a marked step and "
            f"{trace.reset_elsewhere:.3f} at the others.",
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
        ]
    )


_FIRST_CHANGE_DAY = 94
"""Days of the year before 5 April 1958, on which the series' first change ends."""


def _month(week: int) -> str:
    """The month that lies so many weeks after the first change, in a year like the first."""
    return month_name[1 + int((_FIRST_CHANGE_DAY + 7 * week) % 365.25 / 30.44)]
