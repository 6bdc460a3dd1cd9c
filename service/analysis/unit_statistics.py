"""Everything that is counted of the units of one layer over a whole trace, in one go."""

from collections.abc import Mapping

from service.analysis.cell import Cell
from service.analysis.covariance import Covariance, Covariances
from service.analysis.keep import log_keep
from service.analysis.memory import Memory, MemoryLength
from service.analysis.moments import Moments, Summary
from service.analysis.recorded import Recorded, require
from service.analysis.reset_usage import ResetUsage, ResetUse
from service.analysis.saturation import Saturated, Saturation
from service.analysis.triage import KeepShares, Thresholds, Triaged, triage
from service.records import record

SUMMARISED = ("reset", "update", "candidate", "hidden")
SATURATING = ("reset", "update")


@record
class UnitStatistics:
    """Of all units of a layer over `steps` steps; tensors and gates by name.

    `covariances` are those of the hidden state.
    """

    steps: int
    summaries: Mapping[str, Summary]
    saturation: Mapping[str, Saturated]
    memory: MemoryLength
    reset_use: ResetUse
    triage: Triaged
    covariances: Covariances


class Statistics:
    """Takes the slices of one layer in their order."""

    def __init__(
        self,
        cell: Cell,
        thresholds: Thresholds | None = None,
        *,
        low: float = 0.1,
        high: float = 0.9,
    ) -> None:
        """`low` and `high` are those of `Saturation`."""
        U = cell.width
        self._cell = cell
        self._thresholds = Thresholds() if thresholds is None else thresholds
        self._moments = {name: Moments(U) for name in SUMMARISED}
        self._saturation = {name: Saturation(U, low, high) for name in SATURATING}
        self._memory, self._shares = Memory(U), KeepShares(U, self._thresholds)
        self._reset, self._covariance = ResetUsage(cell), Covariance(U)
        self._steps = 0

    def add(self, recorded: Recorded) -> None:
        """The next slice. Raises InvalidInput where the layer lacks one of its tensors."""
        require(recorded, *SUMMARISED)
        for name, moments in self._moments.items():
            moments.add(recorded.tensor(name), recorded.begin)
        for name, saturation in self._saturation.items():
            saturation.add(recorded.tensor(name))
        self._memory.add(log_keep(recorded, self._cell))
        self._shares.add(1 - recorded.tensor("update"))
        self._reset.add(recorded)
        self._covariance.add(recorded.tensor("hidden"))
        self._steps += recorded.steps

    def result(self) -> UnitStatistics:
        summaries = {name: moments.result() for name, moments in self._moments.items()}
        covariances = self._covariance.result()
        return UnitStatistics(
            steps=self._steps,
            summaries=summaries,
            saturation={name: one.result() for name, one in self._saturation.items()},
            memory=self._memory.result(),
            reset_use=self._reset.result(),
            triage=triage(
                self._shares.result(), summaries["hidden"], covariances, self._thresholds
            ),
            covariances=covariances,
        )
