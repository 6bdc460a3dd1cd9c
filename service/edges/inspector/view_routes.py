"""/v1/traces/{trace_id}/…: what is computed from a trace."""

import asyncio
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from service.analysis.following import LEAST
from service.edges.http.context import Asked, Ctx
from service.edges.http.long_numbers import long_json
from service.edges.http.openapi import gives, takes
from service.edges.http.outputs import render_outputs
from service.edges.inspector import rendered
from service.edges.inspector import trace_answers as answers
from service.edges.inspector.trace_requests import (
    FollowingBody,
    From,
    Layer,
    StepQuery,
    To,
    Unit,
    Units,
    following_of,
    units_of,
)
from service.edges.inspector.window_bytes import Encoding, encode
from service.operations import traces as operations
from service.traces import (
    cells,
    export,
    following,
    holding,
    projecting,
    sensing,
    shown,
    statistics,
    windows,
)

router = APIRouter(prefix="/v1/traces/{trace_id}", tags=["traces"])

_PROBLEMS = (404, 409, 413, 422, 503)
_BINARY = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
}


def _gives(answer: type[BaseModel]) -> dict[str, Any]:
    return {"response_class": Response, "responses": gives(answer, *_PROBLEMS)}


async def _json(answer: dict[str, Any]) -> Response:
    """In pieces, on a thread: there may be millions of numbers."""
    return Response(await asyncio.to_thread(long_json, answer), media_type="application/json")


@router.get("/inputs", **_gives(answers.InputsAnswer))
async def get_inputs(
    trace_id: str, context: Ctx, asked: Asked, begin: From = None, end: To = None
) -> Response:
    """What went in, step by step."""
    request = operations.ShowInputs(trace_id, asked.caller, begin, end)
    found = await context.traces.look(request, shown.inputs)
    rows = found.rows
    is_values = rows.dtype.kind == "f"
    inputs = {"inputs": rows} if is_values else found.manifest.input.example(rows)
    return await _json({"from": found.begin, **inputs})


@router.get("/outputs", **_gives(answers.OutputsAnswer))
async def get_outputs(
    trace_id: str, context: Ctx, asked: Asked, begin: From = None, end: To = None
) -> Response:
    """What came out, step by step."""
    request = operations.ShowOutputs(trace_id, asked.caller, begin, end)
    found = await context.traces.look(request, shown.outputs)
    outputs = await asyncio.to_thread(render_outputs, found.rows, found.manifest)
    return await _json({"from": found.begin, **outputs})


@router.get("/window", **_gives(answers.WindowAnswer))
async def get_window(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    tensor: Annotated[str, Query(description="One of the layer's `tensors`.")] = "hidden",
    layer: Layer = 0,
    units: Units = None,
    begin: From = None,
    end: To = None,
    columns: Annotated[
        int | None,
        Query(ge=1, le=20_000, description="Reduce to at most so many columns: min and max."),
    ] = None,
    encoding: Annotated[
        Encoding,
        Query(
            description="`float32` and `uint8` answer bytes, [T, U] or [2, C, U], with their shape "
            "in `gatewise-shape`. A `uint8` q stands for low + (q + ½) / 255 · (high − low), with "
            "`gatewise-low` and `gatewise-high`; 255 for no number."
        ),
    ] = "json",
) -> Response:
    """The values of a tensor: some units, some steps."""
    found = await context.traces.look(
        operations.Window(
            trace_id, asked.caller, begin, end, layer, units_of(units), tensor, columns
        ),
        windows.window,
    )
    if encoding != "json":
        body, headers = await asyncio.to_thread(encode, found, encoding)
        return Response(body, media_type="application/octet-stream", headers=headers)
    about = {
        "tensor": found.tensor,
        "layer": found.layer,
        "units": found.units,
        "from": found.begin,
        "to": found.end,
        "steps_per_column": found.steps_per_column,
    }
    if found.values is not None:
        return await _json({**about, "values": found.values})
    return await _json({**about, "min": found.least, "max": found.largest})


@router.get("/cell", **_gives(answers.CellAnswer))
async def get_cell(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    layer: Layer = 0,
    unit: Unit = 0,
    step: StepQuery = None,
) -> Response:
    """Every number of the equations for one unit at one step."""
    request = operations.CellAt(trace_id, asked.caller, layer, step, unit)
    found, numbers = await context.traces.look(request, cells.cell_at)
    return await _json({"step": found, "layer": layer, "unit": unit, "numbers": numbers})


@router.get("/statistics", **_gives(answers.StatisticsAnswer))
async def get_statistics(trace_id: str, context: Ctx, asked: Asked, layer: Layer = 0) -> Response:
    """What every unit of a layer does over all steps: ranges, saturation, memory length, what its
    reset gate does, and which units do nothing of their own."""
    found = await context.traces.look(
        operations.Statistics(trace_id, asked.caller, layer), statistics.statistics
    )
    return await _json(rendered.statistics(layer, found))


@router.get("/order", **_gives(answers.OrderAnswer))
async def get_order(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    layer: Layer = 0,
    by: Annotated[
        operations.By,
        Query(
            description="Longest memory first; earliest peak of `tensor` first; by the first "
            "principal component; or such that units that move alike are neighbours."
        ),
    ] = "memory",
    tensor: Annotated[operations.Peaking, Query(description="For `peak`.")] = "hidden",
) -> Response:
    """The units of a layer in an order that shows something."""
    found = await context.traces.look(
        operations.Order(trace_id, asked.caller, layer, by, tensor), statistics.order
    )
    return await _json({"layer": layer, "by": by, "units": found.units, "values": found.values})


@router.get("/attribution", **_gives(answers.AttributionAnswer))
async def get_attribution(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    layer: Layer = 0,
    unit: Unit = 0,
    step: StepQuery = None,
) -> Response:
    """Which past steps a unit is holding: update of each step, times keep of all steps since."""
    held = await context.traces.look(
        operations.Attribution(trace_id, asked.caller, layer, step, unit), holding.attribution
    )
    return await _json(
        {
            "layer": layer,
            "unit": unit,
            "step": held.step,
            "from": held.begin,
            "weights": np.ascontiguousarray(held.weights[:, 0]),
            "rest": float(held.rest[0]),
            "reaches_start": held.reaches_start,
        }
    )


@router.get("/sensitivity", **_gives(answers.SensitivityAnswer))
async def get_sensitivity(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    step: StepQuery = None,
    output: Annotated[
        int | None,
        Query(ge=0, description="The first by default; of tokens and classes the most likely one."),
    ] = None,
    depth: Annotated[int, Query(ge=1, le=100_000, description="How many steps back.")] = 200,
) -> Response:
    """Which earlier inputs an output depends on, through everything that lies between."""
    found = await context.traces.look(
        operations.Sensitivity(trace_id, asked.caller, step, output, depth), sensing.sensitivity
    )
    return await _json(
        {
            "step": found.step,
            "output": found.output,
            "value": found.value,
            "from": found.begin,
            "method": found.method,
            "influence": found.influence,
            "size": found.size,
            "reaches_start": found.reaches_start,
        }
    )


@router.get("/nearest", **_gives(answers.NearestAnswer))
async def get_nearest(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    layer: Layer = 0,
    step: StepQuery = None,
    count: Annotated[int, Query(ge=1, le=1000)] = 10,
    apart: Annotated[
        int, Query(ge=1, le=100_000, description="Leave out steps that are nearer than that.")
    ] = 10,
) -> Response:
    """When the layer was in nearly the same state."""
    found, near = await context.traces.look(
        operations.Nearest(trace_id, asked.caller, layer, step, count, apart), holding.nearest
    )
    listed = [{"step": one.step, "distance": one.distance} for one in near]
    return await _json({"layer": layer, "step": found, "nearest": listed})


@router.get("/projection", **_gives(answers.ProjectionAnswer))
async def get_projection(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    layer: Layer = 0,
    points: Annotated[int, Query(ge=2, le=20_000, description="At most so many.")] = 2000,
) -> Response:
    """The way of the hidden state in two dimensions."""
    found = await context.traces.look(
        operations.Projection(trace_id, asked.caller, layer, points), projecting.projection
    )
    return await _json(
        {
            "layer": layer,
            "from": found.begin,
            "steps_per_point": found.steps_per_point,
            "points": np.ascontiguousarray(found.points),
            "explained": found.trajectory.explained,
            "participation_ratio": found.trajectory.participation_ratio,
        }
    )


@router.get("/findings", responses=gives(answers.FindingsAnswer, *_PROBLEMS))
async def get_findings(trace_id: str, context: Ctx, asked: Asked) -> answers.FindingsAnswer:
    """Which units follow what is known of the inputs: found on the first half of the steps,
    confirmed on the second."""
    found = await context.traces.look(
        operations.Findings(trace_id, asked.caller), following.findings
    )
    listed = [answers.describe_finding(one) for one in found.findings]
    return answers.FindingsAnswer(steps=found.steps, least=LEAST, findings=listed)


@router.post(
    "/following",
    responses=gives(answers.FollowingAnswer, 400, 403, *_PROBLEMS),
    openapi_extra=takes(FollowingBody, {"marking": "open quotes"}),
)
async def post_following(
    trace_id: str, request: Request, context: Ctx, asked: Asked
) -> answers.FollowingAnswer:
    """The units that follow one marking best: one that the inputs have, or one of your own."""
    body = await asked.read_json(request, FollowingBody)
    wanted = following_of(trace_id, body, asked.caller)
    found = await context.traces.look(wanted, following.following)
    return answers.FollowingAnswer(units=[answers.describe_finding(one) for one in found])


@router.get("/comparison", **_gives(answers.ComparisonAnswer))
async def get_comparison(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    other_id: Annotated[str, Query(alias="with", description="Another trace.")],
    layer: Layer = 0,
    threshold: Annotated[
        float, Query(gt=0, lt=1, description="Of the first distance, for it to have washed out.")
    ] = 0.05,
) -> Response:
    """How fast the difference of two traces washes out where they are given the same."""
    found = await context.traces.compare(
        operations.Comparison(trace_id, asked.caller, layer, other_id, threshold)
    )
    return await _json(
        {
            "layer": layer,
            "from": found.begin,
            "other_from": found.other_begin,
            "steps": found.steps,
            "distance": found.compared.distance,
            "threshold": threshold,
            "washed_out_at": found.compared.washed_out_at,
            "outputs": found.outputs,
        }
    )


@router.get(
    "/export",
    response_class=Response,
    responses=gives(None, *_PROBLEMS)
    | {200: {"description": "A file", "content": _BINARY | {"text/csv": {}}}},
)
async def get_export(
    trace_id: str,
    *,
    context: Ctx,
    asked: Asked,
    form: Annotated[Literal["npz", "csv"], Query(alias="format")] = "npz",
    tensors: Annotated[
        str | None, Query(max_length=1000, description="Such as `update,hidden`; gates by default.")
    ] = None,
    layer: Annotated[int | None, Query(ge=0, description="All by default.")] = None,
    units: Units = None,
    begin: From = None,
    end: To = None,
) -> Response:
    """Inputs, outputs and tensors as a file."""
    chosen = None if tensors is None else [one.strip() for one in tensors.split(",")]
    exported = await context.traces.look(
        operations.Export(
            trace_id,
            asked.caller,
            begin,
            end,
            0 if layer is None else layer,
            units_of(units),
            chosen,
            layer is None,
        ),
        export.export,
    )
    if form == "npz":
        body, media = await asyncio.to_thread(export.as_npz, exported), "application/octet-stream"
    else:
        body, media = await asyncio.to_thread(export.as_csv, exported), "text/csv"
    name = f'attachment; filename="trace-{trace_id}.{form}"'
    return Response(body, media_type=media, headers={"content-disposition": name})
