"""Every view by what asks for it: from a run and the request to what is shown."""

from collections.abc import Callable, Mapping
from typing import Any

from service.operations import traces as asked
from service.traces import cells, export, following, holding, projecting, sensing, shown, windows
from service.traces.asking import Working
from service.traces.run import Run
from service.traces.statistics import order, statistics

View = Callable[[Run, Any], Working[Any]]

VIEWS: Mapping[type, View] = {
    asked.ShowInputs: shown.inputs,
    asked.ShowOutputs: shown.outputs,
    asked.Window: windows.window,
    asked.Export: export.export,
    asked.CellAt: cells.cell_at,
    asked.Attribution: holding.attribution,
    asked.Sensitivity: sensing.sensitivity,
    asked.Nearest: holding.nearest,
    asked.Statistics: statistics,
    asked.Order: order,
    asked.Projection: projecting.projection,
    asked.Findings: following.findings,
    asked.Following: following.following,
}
