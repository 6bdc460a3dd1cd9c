"""Scores for people."""

from collections.abc import Iterable
from statistics import fmean, stdev

from service.bundle.manifest import Score


def score_table(scores: Iterable[Score]) -> str:
    """One line for each score: the model, then its baselines."""
    lines = []
    for score in scores:
        figures = {"model": score.model} | score.baselines
        columns = "   ".join(f"{name} {value:.4g}" for name, value in figures.items())
        seeds = f"   (seeds: {spread(score.seeds)})" if len(score.seeds) > 1 else ""
        better = "" if score.better == "lower" else "   higher is better"
        unit = f" [{score.unit}]" if score.unit else ""
        lines.append(f"{score.metric + unit:28}{columns}{seeds}{better}")
    return "\n".join(lines)


def spread(figures: tuple[float, ...]) -> str:
    """Mean and standard deviation."""
    return f"{fmean(figures):.4g} ± {stdev(figures):.2g}"
