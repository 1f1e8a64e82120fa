"What forms hold, in the shapes of the API."

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..problems import Problem

__all__ = ["checked"]

Of = TypeVar("Of", bound=BaseModel)
_SAYS = {
    "why": "say why, in a line: the reason stands in the audit trail.",
    "to": "name who is to look after it.",
    "text": "say what is to be said, in a line.",
    "outcome": "a case ends as one of confirmed, dismissed, unclear.",
    "until": "name a day, such as 2026-04-01.",
}


def checked(shape: type[Of], **fields: str) -> Of:
    "Fields in a shape; Problem 422 names the one that does not fit."
    try:
        return shape(**fields)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise Problem(422, _SAYS.get(name, f"{name} is not allowed so.")) from None
