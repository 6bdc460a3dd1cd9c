"""What an applied request makes of the model of all sessions, and what it had to be told."""

from collections.abc import Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Gates
from service.sessions.receipts import KEPT_ANSWER_BYTES
from tests.oracle import Trace, assert_agrees
from tests.stateful.expected import Expected, Remembered
from tests.stateful.requests import (
    Birth,
    Change,
    Create,
    Forecast,
    Fork,
    Migrate,
    Outcome,
    PutState,
    Request,
    Rollout,
    Step,
    Told,
)
from tests.stateful.world import Refused, World, birth_key, latest


def judge(
    world: World,
    request: Request,
    outcome: Outcome,
    served: Set[int],
    *,
    perhaps_applied: bool = False,
) -> None:
    """The outcome is the right one, given all before; the world moves on.

    `perhaps_applied` where an earlier try had no answer: this one may be its replay.
    """
    verdict = world.verdict(request, served)
    world.saw(request, verdict, outcome)
    if isinstance(verdict, Refused):
        verdict.check(outcome.error)
        return
    assert outcome.told is not None, repr(outcome.error)
    if isinstance(verdict, Remembered):
        assert outcome.told == verdict.told
        assert outcome.replayed
        return
    assert perhaps_applied or not outcome.replayed
    if isinstance(request, Create | Fork):
        _born(world, request, outcome.told, served)
    else:
        _changed(world, request, outcome.told, served)


def _changed(world: World, request: Change, told: Told, served: Set[int]) -> None:
    match request:
        case Step():
            _stepped(world, request, told)
        case Rollout():
            _rolled(world, request, told)
        case Forecast():
            _forecast(world, request, told)
        case PutState():
            _replaced(world, request, told)
        case Migrate():
            _migrated(world, request, told, served)


def _stepped(world: World, request: Step, told: Told) -> None:
    known = world.sessions[request.session_id]
    trace = _run(world, known, request.inputs)
    assert told.answer is not None
    result = told.answer.result
    assert_agrees(result.outputs, trace.output[0])
    _compare_gates(result.gates, trace, request.gates)
    step = known.step + len(request.inputs)
    known.move(world.now, told.revision, step=step, state=trace.state[0])
    known.output = trace.output[0, -1]
    _tell(known, request, told, _size(result.outputs, result.gates))


def _rolled(world: World, request: Rollout, told: Told) -> None:
    known = world.sessions[request.session_id]
    assert told.answer is not None
    outputs, gates = told.answer.result.outputs, told.answer.result.gates
    assert len(outputs) == request.steps
    consumed = np.concatenate([request.inputs, outputs[:-1]])
    # Without inputs the first one shown is the last one that the session had.
    first = [] if len(request.inputs) or known.output is None else [known.output]
    trace = _run(world, known, consumed) if len(consumed) else None
    more = [] if trace is None else list(trace.output[0, max(len(request.inputs) - 1, 0) :])
    shown = np.array([*first, *more])
    if known.model == "weather":
        assert_agrees(outputs, shown)
    else:
        _could_be_drawn(outputs, shown, request)
    if trace is None:
        assert (gates is not None) == request.gates
        assert gates is None or all(len(tensor) == 0 for tensor in gates.tensors)
    else:
        _compare_gates(gates, trace, request.gates)
    if request.advance:
        step = known.step + len(consumed)
        state = None if trace is None else trace.state[0]
        known.move(world.now, told.revision, step=step, state=state)
        known.output = shown[-1]
        _tell(known, request, told, _size(outputs, gates))
    else:
        _at(known, told)


def _forecast(world: World, request: Forecast, told: Told) -> None:
    known = world.sessions[request.session_id]
    assert told.answer is not None
    outputs, gates = told.answer.result.outputs, told.answer.result.gates
    steps = len(request.inputs)
    assert len(outputs) == steps + request.horizon - 1
    fed = np.concatenate([request.inputs, outputs[steps - 1 : -1]])
    assert_agrees(outputs, _run(world, known, fed).output[0])
    trace = _run(world, known, request.inputs)
    _compare_gates(gates, trace, request.gates)
    known.move(world.now, told.revision, step=known.step + steps, state=trace.state[0])
    known.output = trace.output[0, -1]
    _tell(known, request, told, _size(outputs, gates))


def _could_be_drawn(tokens: NDArray[np.int32], shown: NDArray[np.float64], of: Rollout) -> None:
    """Each token is among the k most likely; which one is drawn is tested elsewhere."""
    sampling = of.sampling
    assert sampling is not None
    k = 1 if sampling.temperature == 0 else sampling.top_k or shown.shape[1]
    least = np.sort(shown, axis=1)[:, -k]
    assert (shown[np.arange(len(tokens)), tokens] >= least - 1e-6).all()


def _replaced(world: World, request: PutState, told: Told) -> None:
    known = world.sessions[request.session_id]
    assert told.content[1:] == (request.state.tobytes(),)
    state = request.state.astype(np.float64)
    known.move(world.now, told.revision, step=request.step, state=state)
    known.bits, known.output = request.state.tobytes(), None
    _tell(known, request, told)


def _migrated(world: World, request: Migrate, told: Told, served: Set[int]) -> None:
    known = world.sessions[request.session_id]
    target = request.version or latest(known.model, served)
    keyed = request.conditions.key is not None
    if target != known.version or keyed or known.fell_back_from is not None:
        if target != known.version:
            known.output = None
        known.version = target
        known.move(world.now, told.revision, step=known.step)
    _tell(known, request, told)


def _tell(known: Expected, request: Change, told: Told, size: int = 0) -> None:
    """The session is where the caller is told; a key is remembered with this answer."""
    _at(known, told)
    key = request.conditions.key
    if key is None:
        return
    if size > KEPT_ANSWER_BYTES:
        known.remember(Remembered(key, request, told, recomputed=True))
    else:
        known.remember(Remembered(key, request, told, size))


def _at(known: Expected, told: Told) -> None:
    place = (told.session_id, told.version, told.step, told.revision)
    assert place == (known.session_id, known.version, known.step, known.revision)


def _born(world: World, birth: Birth, told: Told, served: Set[int]) -> None:
    made = _made(world, birth, told, served)
    if birth.key is not None:
        made.birth = Remembered(birth.key, birth, told)
        made.count(birth.key)
        world.born.setdefault(birth_key(birth), made.session_id)
    world.sessions[made.session_id] = made
    assert made.session_id == birth.new.session_id or birth.new.session_id is None
    _at(made, told)
    said = (made.model, made.created_at, made.expires_at, made.ttl, made.metadata)
    assert told.content == said


DEFAULT_TTL = 50.0


def _made(world: World, birth: Birth, told: Told, served: Set[int]) -> Expected:
    new = birth.new
    if isinstance(birth, Fork):
        source = world.sessions[birth.source_id]
        ttl = source.ttl if new.ttl_seconds is None else new.ttl_seconds
        metadata = source.metadata if new.metadata is None else new.metadata
        made = replace(source, birth=None, remembered=[], writers={}, fell_back_from=None)
    else:
        version = latest(birth.model, served)
        ttl = DEFAULT_TTL if new.ttl_seconds is None else new.ttl_seconds
        metadata = b"{}" if new.metadata is None else new.metadata
        empty = np.zeros(world.size_of(birth.model, version), np.float32)
        state = empty if birth.state is None else birth.state
        made = Expected(
            session_id=told.session_id,
            model=birth.model,
            version=version,
            step=0,
            changes=0,
            revision=0,
            state=state.astype(np.float64),
            created_at=0.0,
            expires_at=0.0,
            ttl=ttl,
            metadata=metadata,
            bits=state.tobytes(),
        )
    made = replace(
        made,
        session_id=told.session_id,
        changes=1,
        revision=told.revision,
        created_at=world.now,
        expires_at=world.now + ttl,
        ttl=ttl,
        metadata=metadata,
        past=[],
        lost=frozenset(),
    )
    made.been()
    return made


def _run(world: World, known: Expected, inputs: NDArray[np.generic]) -> Trace:
    oracle = world.networks[known.model, known.version]
    return oracle.run(inputs[np.newaxis], known.state[np.newaxis])


def _compare_gates(gates: Gates | None, trace: Trace, wanted: bool) -> None:
    assert (gates is not None) == wanted
    if gates is not None:
        assert_agrees(gates["reset"], trace.reset[0])
        assert_agrees(gates["update"], trace.update[0])
        assert_agrees(gates["candidate"], trace.candidate[0])
        assert_agrees(gates["hidden"], trace.hidden[0])


def _size(outputs: NDArray[np.generic], gates: Gates | None) -> int:
    """Bytes of an answer's numbers, at four each."""
    return 4 * (outputs.size + (4 * gates["hidden"].size if gates is not None else 0))
