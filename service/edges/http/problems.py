"""Errors on the wire: RFC 9457 problem details.

One table maps each class of `service.errors` to a status, a stable `code` and a title. Faults in
the input come with their JSON paths in `errors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from pydantic import ValidationError

from service import errors
from service.errors import Fault, GatewiseError, InvalidInput, MalformedBody
from service.faults import invalid
from service.metrics.catalogue import PROBLEMS as PROBLEMS_COUNTED

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Problem:
    """How one class of errors looks to a client."""

    status: int
    code: str
    title: str
    retry_after: int | None = None


PROBLEMS: dict[type[GatewiseError], Problem] = {
    InvalidInput: Problem(422, "invalid_input", "The input cannot be used"),
    MalformedBody: Problem(400, "malformed_body", "The body is not a JSON object"),
    errors.BodyTooLarge: Problem(413, "body_too_large", "The body is too long"),
    errors.AskedTooMuch: Problem(413, "asked_too_much", "The answer would be too large"),
    errors.TraceEmpty: Problem(409, "trace_empty", "The trace has no steps yet"),
    errors.ForeignOrigin: Problem(403, "foreign_origin", "A page of another site sent this"),
    errors.ModelNotFound: Problem(404, "model_not_found", "No such model"),
    errors.SessionsUnsupported: Problem(
        409, "sessions_unsupported", "The model needs whole sequences"
    ),
    errors.OutputNotReady: Problem(409, "output_not_ready", "Applied, with no answer yet"),
    errors.VersionNotFound: Problem(404, "version_not_found", "No such version of the model"),
    errors.VersionUnavailable: Problem(
        503, "version_unavailable", "The session's version is not served here", retry_after=1
    ),
    errors.VersionRefused: Problem(
        503, "version_refused", "The version cannot be served", retry_after=30
    ),
    errors.VersionMissing: Problem(
        503, "version_missing", "The session's version is gone", retry_after=30
    ),
    errors.VersionWithdrawn: Problem(409, "version_withdrawn", "The version takes no new sessions"),
    errors.NoDefaultVersion: Problem(409, "no_default_version", "The model has no default version"),
    errors.RepositoryError: Problem(
        503, "repository_unavailable", "The repository cannot be read or written", retry_after=5
    ),
    errors.RepositoryReadOnly: Problem(
        409, "repository_read_only", "The repository may not be written here"
    ),
    errors.KeyReused: Problem(422, "idempotency_key_reused", "The key came with another request"),
    errors.SessionNotFound: Problem(404, "session_not_found", "No such session"),
    errors.SessionExpired: Problem(410, "session_expired", "The session has expired"),
    errors.SessionFinished: Problem(410, "session_finished", "The session was deleted"),
    errors.SessionFellBack: Problem(
        409, "session_fell_back", "The store has lost changes of the session"
    ),
    errors.WriterUnknown: Problem(
        409, "writer_unknown", "The session does not know the key's writer"
    ),
    errors.SessionExists: Problem(409, "session_exists", "The session id is taken"),
    errors.SessionContended: Problem(
        503, "session_contended", "Other writers were faster", retry_after=1
    ),
    errors.NoOutputYet: Problem(409, "no_output_yet", "The session has no last output yet"),
    errors.StateMismatch: Problem(409, "state_mismatch", "The state does not fit"),
    errors.PreconditionFailed: Problem(412, "precondition_failed", "The session has changed"),
    errors.StepConflict: Problem(409, "step_conflict", "The session is at another step"),
    errors.AnswerNotKept: Problem(409, "answer_not_kept", "Applied before, answer not kept"),
    errors.TooManySessions: Problem(
        503, "too_many_sessions", "The service is full", retry_after=30
    ),
    errors.TraceNotFound: Problem(404, "trace_not_found", "No such trace"),
    errors.TooManyTraces: Problem(
        503, "too_many_traces", "The service keeps no more traces", retry_after=30
    ),
    errors.Overloaded: Problem(503, "overloaded", "Too many requests are waiting", retry_after=1),
    errors.ShuttingDown: Problem(503, "shutting_down", "The service is stopping", retry_after=5),
    errors.StoreError: Problem(503, "store_unavailable", "The store failed", retry_after=5),
    errors.StoreFull: Problem(503, "store_full", "The store has no room", retry_after=30),
    errors.SessionDamaged: Problem(
        503, "session_damaged", "The session cannot be read", retry_after=30
    ),
    errors.CommitUnknown: Problem(
        503, "commit_unknown", "Applied or not, the store did not say", retry_after=1
    ),
    errors.BundleError: Problem(500, "bundle_unusable", "A model cannot be served"),
    errors.ProviderUnavailable: Problem(500, "provider_unavailable", "The device is not usable"),
}
INTERNAL = Problem(500, "internal_error", "The service failed")
_BY_STATUS = {
    404: Problem(404, "not_found", "No such resource"),
    405: Problem(405, "method_not_allowed", "The resource has no such method"),
}


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """A rendered problem: what an edge sends."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem_of(error: Exception) -> Problem:
    """The table's entry of the error's class, or of its nearest ancestor in the tree."""
    for ancestor in type(error).__mro__:
        if ancestor in PROBLEMS:
            return PROBLEMS[ancestor]
    return INTERNAL


def answer_error(error: Exception) -> ProblemAnswer:
    """Render any exception. An unexpected one is logged and keeps its text to itself."""
    problem = problem_of(error)
    PROBLEMS_COUNTED.labels(problem.code).inc()
    if problem is INTERNAL:
        log.error("request_failed", exc_info=error)
        return _render(problem, "something unexpected happened; the log has the details", ())
    say = log.warning if problem.status >= 500 else log.debug
    say("request_refused", code=problem.code, detail=str(error))
    faults = error.faults if isinstance(error, InvalidInput) else ()
    detail = "; ".join(f"{json_path(one)}: {one.message}" for one in faults) or str(error)
    rendered = _render(problem, detail, faults, _whereabouts(error))
    if isinstance(error, errors.SessionMoved):
        rendered.headers["etag"] = f'"{error.tag}"'
    return rendered


def _whereabouts(error: Exception) -> dict[str, Any]:
    """Where a session is that is not where the request wants it."""
    if not isinstance(error, errors.SessionMoved):
        return {}
    where = {"step": error.step}
    if isinstance(error, errors.AnswerNotKept) and error.applied_step is not None:
        where["applied_step"] = error.applied_step
    if isinstance(error, errors.SessionFellBack):
        where["lost_step"] = error.lost_step
    return where


def answer_status(status: int, detail: str) -> ProblemAnswer:
    """Render an HTTP status of the framework's own, such as 404 for an unknown path."""
    problem = _BY_STATUS.get(status, Problem(status, f"http_{status}", detail))
    return _render(problem, detail, ())


def invalid_body(error: ValidationError) -> InvalidInput:
    """pydantic's findings in a body; MalformedBody where it is no JSON object at all."""
    found = error.errors(include_url=False)[0]
    if found["type"] == "json_invalid":
        reason = found.get("ctx", {}).get("error", found["msg"])
        return MalformedBody.at((), f"the body is not valid JSON: {reason}")
    if found["type"] in ("model_type", "model_attributes_type") and not found["loc"]:
        return MalformedBody.at((), "the body must be a JSON object")
    return invalid(error)


def json_path(fault: Fault) -> str:
    """("inputs", 0, 3) as `$.inputs[0][3]`, a header as `headers.if-match`."""
    if fault.part == "byte":
        return f"byte {fault.place[0]}"
    root = "$" if fault.part == "body" else fault.part
    names = (f"[{one}]" if isinstance(one, int) else f".{one}" for one in fault.place)
    return root + "".join(names)


def _render(
    problem: Problem, detail: str, faults: Sequence[Fault], more: dict[str, Any] | None = None
) -> ProblemAnswer:
    body: dict[str, Any] = {
        "type": f"urn:gatewise:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
        **(more or {}),
    }
    if faults:
        body["errors"] = [{"path": json_path(fault), "message": fault.message} for fault in faults]
    headers = {"content-type": MEDIA_TYPE}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return ProblemAnswer(problem.status, headers, orjson.dumps(body))
