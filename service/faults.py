"""What pydantic finds, in the words and with the places of the service."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.errors import Fault, InvalidInput, Place


def invalid(error: ValidationError, place: Place = ()) -> InvalidInput:
    """pydantic's findings as faults below a place."""
    return InvalidInput(_fault(detail, place) for detail in error.errors(include_url=False))


def _fault(detail: ErrorDetails, below: Place) -> Fault:
    message = detail["msg"]
    if detail["type"] == "value_error":
        message = str(detail["ctx"]["error"])
    elif detail["type"] == "extra_forbidden":
        message = "there is no such field"
    elif detail["type"] == "missing":
        message = "this field is required"
    return Fault((*below, *detail["loc"]), message)
