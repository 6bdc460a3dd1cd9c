"""How much is trained: minutes for a first look, or an hour for figures to lean on."""

from collections.abc import Mapping, Sequence
from typing import Literal

from model_export.compare.problem import ProblemName
from model_export.compare.problems import problem_of
from model_export.compare.study import Plan

BudgetName = Literal["quick", "full"]

_PLANS: Mapping[BudgetName, Plan] = {
    "quick": Plan(
        lengths={"adding": (8, 16), "copy": (4, 8), "co2": (13,)},
        seeds=2,
        steps={"adding": 300, "copy": 300, "co2": 100},
        learning_rates=(0.01,),
        hidden_size=16,
    ),
    "full": Plan(
        lengths={"adding": (25, 50, 100, 200), "copy": (10, 25, 50), "co2": (13, 52)},
        seeds=3,
        steps={"adding": 1000, "copy": 1000, "co2": 400},
        learning_rates=(0.001, 0.003, 0.01, 0.03),
    ),
}


def plan_of(
    budget: BudgetName,
    problems: Sequence[ProblemName],
    *,
    lengths: Sequence[int] | None = None,
    seeds: int | None = None,
    steps: int | None = None,
    hidden_size: int | None = None,
    keep_bias: float | None = None,
) -> Plan:
    """The plan of a budget for some problems; None leaves what the budget says.

    Raises TrainingError for a length that a problem does not take.
    """
    plan = _PLANS[budget]
    chosen = {name: sorted(set(lengths or plan.lengths[name])) for name in problems}
    for name, found in chosen.items():
        for length in found:
            problem_of(name, length)
    return Plan(
        lengths={name: tuple(found) for name, found in chosen.items()},
        seeds=seeds or plan.seeds,
        steps={name: steps or plan.steps[name] for name in problems},
        learning_rates=plan.learning_rates,
        hidden_size=hidden_size or plan.hidden_size,
        keep_bias=plan.keep_bias if keep_bias is None else keep_bias,
    )
