"""One record for each thing that can be asked about sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import isnan
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.operations.caller import ANYBODY, Caller
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.gates import GateSelection, check_selection
from service.operations.inputs import Inputs
from service.operations.keys import Key
from service.operations.limits import Budget, Limits, numbers_of
from service.records import record
from service.stores.store import Identity


@record
class Steps:
    """As many time steps for each of N sessions of one caller: a block, of one row or many.

    `conditions` are those of each row, None where there are none. `part` is the first row's number
    among the steps that share a `budget`. `connection` is what brought the block.
    """

    identities: Sequence[Identity]
    inputs: Inputs
    gates: GateSelection | None = None
    conditions: Sequence[Conditions] | None = None
    caller: Caller = ANYBODY
    connection: object = None
    budget: Budget | None = None
    part: int = 0

    @classmethod
    def of(
        cls,
        session_id: str,
        inputs: Inputs,
        gates: GateSelection | None = None,
        conditions: Conditions = UNCONDITIONAL,
        caller: Caller = ANYBODY,
        *,
        connection: object = None,
    ) -> "Steps":
        """A block of one row."""
        # Whoever reads them gives this very one where there are none.
        given = None if conditions is UNCONDITIONAL else (conditions,)
        return cls((caller.identity(session_id),), inputs, gates, given, caller, connection)

    def __len__(self) -> int:
        return len(self.identities)

    def read(self, rows: Sequence[int], manifest: Manifest, limits: Limits) -> NDArray[Any]:
        """The inputs of n rows for the sessions' model, [n, T, F] or [n, T].

        Raises InvalidInput where those of any row cannot be used.
        """
        if self.gates is not None:
            check_selection(self.gates, manifest.layers)
        inputs = self.inputs.read(rows, manifest.input)
        steps, gates = inputs.shape[1], self.gates is not None
        if self.budget is None:
            limits.check_steps(steps, manifest, gates=gates)
        else:
            numbers = numbers_of(steps, manifest, gates=gates)
            for row in rows:
                self.budget.take(self.part + row, numbers)
        return inputs

    def digest(self, row: int, inputs: NDArray[Any], manifest: Manifest) -> bytes:
        """What two tries of one row have in common, 8 bytes; its `inputs` as `read` gives them."""
        gates = None if self.gates is None else self.gates.normalised(manifest.shown_names)
        at = None if self.conditions is None else self.conditions[row].at
        return digest(b"steps", self.identities[row].session_id, tensor(inputs), gates, at)


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a caller may say of a session to be made; None where it leaves the choice to us."""

    session_id: str | None = None
    ttl_seconds: float | None = None
    metadata: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Create:
    """A session of a version of a model, by default the default one, at step 0, as the model begins
    or from a state [S].

    `constants` are as the caller wrote them: which the model takes is known with its version.
    """

    model: str
    new: NewSession = NewSession()
    state: NDArray[np.float32] | None = None
    constants: Mapping[str, Any] | None = None
    key: Key | None = None
    caller: Caller = ANYBODY
    version: int | None = None

    def digest(self) -> bytes:
        state = None if self.state is None else tensor(self.state)
        # What is left out as earlier releases wrote it, whose requests are retried here.
        version = () if self.version is None else (self.version,)
        given = () if self.constants is None else (sorted(self.constants.items()),)
        return digest(b"create", self.model, _said(self.new), state, *version, *given)


@dataclass(frozen=True, slots=True)
class Fork:
    """A new session that goes on from where `source_id` is.

    The key belongs to the new session, the other conditions to the source. What `new` leaves out
    is inherited.
    """

    source_id: str
    new: NewSession = NewSession()
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY

    def digest(self) -> bytes:
        return digest(b"fork", self.source_id, _said(self.new), self.conditions.at)


@dataclass(frozen=True, slots=True, eq=False)
class PutState:
    """Another step count and state [S]. `model` and `version` are where the caller believes the
    state to come from."""

    session_id: str
    step: int
    state: NDArray[np.float32]
    model: str | None = None
    version: int | None = None
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)

    def digest(self) -> bytes:
        state = tensor(self.state)
        return digest(b"state", self.session_id, self.step, state, self.model, self.version)


@dataclass(frozen=True, slots=True)
class Migrate:
    """Move a session to another version of its model, by default the default one."""

    session_id: str
    version: int | None = None
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)

    def digest(self) -> bytes:
        return digest(b"migrate", self.session_id, self.version)


@dataclass(frozen=True, slots=True)
class Record:
    """Keep the inputs of a session from now on, in a trace; None where the caller leaves the choice
    to us. `about` is JSON that says what whoever reads it wants to know."""

    session_id: str
    ttl_seconds: float | None = None
    max_bytes: int | None = None
    about: bytes = b"{}"
    caller: Caller = ANYBODY

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)


@dataclass(frozen=True, slots=True)
class Get:
    """Look at a session, which does not prolong its life."""

    session_id: str
    caller: Caller = ANYBODY

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)


@dataclass(frozen=True, slots=True)
class Delete:
    """End a session. No key is needed: a retry finds it finished."""

    session_id: str
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)


@dataclass(frozen=True, slots=True)
class ListSessions:
    """Live sessions behind a place (model, id), at most `limit`, of one model or of all."""

    model: str | None = None
    after: tuple[str, str] = ("", "")
    limit: int = 100
    caller: Caller = ANYBODY


def digest(operation: bytes, *meaning: object) -> bytes:
    """8 bytes that are the same for two requests that mean the same, whatever brought them."""
    written = (part if isinstance(part, bytes) else repr(part).encode() for part in meaning)
    pieces = b"".join([piece for part in written for piece in (pack("<I", len(part)), part)])
    return blake2b(pieces, digest_size=8, person=operation).digest()


def tensor(array: NDArray[Any]) -> bytes:
    """Shape, kind and numbers of an array; the same for 0 and -0, and for every NaN.

    A retry as JSON may have lost that sign: JavaScript writes -0 as 0. A NaN, which stands for a
    missing value, may have any of millions of bit patterns, and a retry another one.
    """
    kind = f"{array.dtype.kind}{array.shape}".encode()
    # The sum of squares is NaN only where a number is: a fraction of the time of a look at each.
    if array.dtype.kind == "f" and isnan(np.vdot(array, array)):
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    unsigned_zeros: NDArray[Any] = array + array.dtype.type(0)
    return kind + unsigned_zeros.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _said(new: NewSession) -> Sequence[object]:
    return (new.session_id, new.ttl_seconds, new.metadata)
