"""The tree of errors and the table that maps it to HTTP."""

import re
from collections.abc import Iterator

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from service import errors
from service.edges.http.problems import (
    INTERNAL,
    MEDIA_TYPE,
    PROBLEMS,
    answer_error,
    answer_status,
    invalid_body,
    json_path,
    problem_of,
)
from service.errors import (
    MAX_FAULTS,
    Fault,
    GatewiseError,
    InvalidInput,
    MalformedBody,
    SessionNotFound,
)


def tree(root: type[GatewiseError]) -> Iterator[type[GatewiseError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


ALL_ERRORS = [error for error in tree(GatewiseError) if error.__module__ == errors.__name__]


def drawn() -> dict[str, str]:
    """Parents by child, as the docstring of `service.errors` draws them."""
    parents, path = {}, ["GatewiseError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│ ]*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {one.__name__: one.__base__.__name__ for one in ALL_ERRORS[1:] if one.__base__}
    assert drawn() == real


@pytest.mark.parametrize("error", ALL_ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_a_problem(error: type[GatewiseError]) -> None:
    if error not in (
        GatewiseError,
        errors.SessionError,
        errors.SessionMoved,
    ):  # never raised themselves
        assert problem_of(error.__new__(error)) is not INTERNAL


def test_every_problem_is_one_of_the_tree() -> None:
    assert set(PROBLEMS) <= set(ALL_ERRORS)


def test_codes_are_unique_and_stable_words() -> None:
    codes = [problem.code for problem in (*PROBLEMS.values(), INTERNAL)]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_whoever_may_try_again_is_told_when() -> None:
    for problem in PROBLEMS.values():
        assert (problem.retry_after is not None) == (problem.status in (429, 503))


def test_a_session_that_is_elsewhere_says_where() -> None:
    answer = answer_error(errors.StepConflict("a", "moved", step=5, tag="1f"))
    assert answer.headers["etag"] == '"1f"'
    assert orjson.loads(answer.body)["step"] == 5


def test_a_problem_on_the_wire() -> None:
    answer = answer_error(SessionNotFound("a"))
    assert answer.status == 404
    assert answer.headers == {"content-type": MEDIA_TYPE}
    assert orjson.loads(answer.body) == {
        "type": "urn:gatewise:problem:session_not_found",
        "title": "No such session",
        "status": 404,
        "detail": "there is no session 'a'",
        "code": "session_not_found",
    }


def test_faults_on_the_wire() -> None:
    answer = answer_error(InvalidInput([Fault(("a",), "is bad"), Fault(("b", 0), "is worse")]))
    problem = orjson.loads(answer.body)
    assert problem["detail"] == "$.a: is bad; $.b[0]: is worse"
    assert problem["errors"] == [
        {"path": "$.a", "message": "is bad"},
        {"path": "$.b[0]", "message": "is worse"},
    ]


def test_an_unexpected_error_keeps_its_text_to_itself() -> None:
    answer = answer_error(RuntimeError("the password is 1234"))
    assert answer.status == 500
    assert b"1234" not in answer.body
    assert orjson.loads(answer.body)["code"] == "internal_error"


def test_a_status_of_the_framework() -> None:
    assert orjson.loads(answer_status(404, "Not Found").body)["code"] == "not_found"
    assert orjson.loads(answer_status(418, "Teapot").body)["code"] == "http_418"


class Body(BaseModel):
    numbers: list[int]


def faults_of(body: str) -> InvalidInput:
    with pytest.raises(ValidationError) as raised:
        Body.model_validate_json(body)
    return invalid_body(raised.value)


@pytest.mark.parametrize("body", ["", "{", "[]", "3", "null"])
def test_what_is_no_object(body: str) -> None:
    assert isinstance(faults_of(body), MalformedBody)


def test_a_matrix_that_is_wrong_everywhere_fills_one_answer_only() -> None:
    found = faults_of('{"numbers": ["x"' + ', "x"' * 999 + "]}").faults
    assert len(found) == MAX_FAULTS
    assert found[19].place == ("numbers", 19)


def test_json_paths() -> None:
    assert json_path(Fault((), "")) == "$"
    assert json_path(Fault(("inputs", 0, 3), "")) == "$.inputs[0][3]"
    assert json_path(Fault((1, "a"), "").below(("b",))) == "$.b[1].a"
    assert json_path(Fault(("if-match",), "", "headers")) == "headers.if-match"
    assert json_path(Fault((24,), "", "byte")) == "byte 24"
