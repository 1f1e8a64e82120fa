"""What is told of an error: one shape for all (RFC 9457), one sentence each.

Nothing that was sent is told back but the names of fields: an answer to a bad request holds no
secret, and no character that a log or a terminal would obey.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import duckdb
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..config import SettingsError
from ..log.errors import Busy, StoreError

__all__ = [
    "MEDIA_TYPE",
    "Problem",
    "answer_problems",
    "fields_response",
    "printed",
    "problem_response",
]

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 20


class Problem(Exception):
    "Ends a request with a status and a sentence; `headers` go with it."

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def problem_response(
    status: int,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    "The answer that tells of an error."
    title = HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail or title}
    body = json.dumps(told | {"errors": list(errors)}, ensure_ascii=True).encode()
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    "Let every error of an app be told as a problem."
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(StoreError, _of_store)
    app.add_exception_handler(SettingsError, _of_store)
    app.add_exception_handler(duckdb.Error, _of_database)


def _of_problem(request: Request, error: Problem) -> Response:
    return problem_response(error.status, error.detail, error.headers)


def _of_http(request: Request, error: HTTPException) -> Response:
    details = {
        404: "nothing has this address: /openapi.json lists what there is.",
        405: f"{printed(request.method)} is not allowed here.",
        400: "the body cannot be read as JSON.",
    }
    detail = details.get(error.status_code) or f"{printed(error.detail).rstrip('.')}."
    return problem_response(error.status_code, detail, error.headers)


def _of_validation(request: Request, error: RequestValidationError) -> Response:
    return fields_response(error.errors())


def fields_response(errors: Sequence[Mapping[str, Any]]) -> Response:
    "The answer that tells which fields of a body are not as they may be, as pydantic finds them."
    told = [_told(one) for one in errors[:_MOST_ERRORS]]
    first = told[0] if told else {"where": "request", "what": "it cannot be read"}
    detail = f"{first['where']}: {first['what']}."
    return problem_response(422, detail, errors=told)


def _told(error):
    "One thing that is wrong: where, and what."
    where = ".".join(printed(part) for part in error.get("loc", ())) or "request"
    what = printed(error.get("msg", "it is not allowed")).removeprefix("Value error, ")
    return {"where": where, "what": what.rstrip(".")}


def _of_store(request: Request, error: Exception) -> Response:
    if isinstance(error, Busy):
        return problem_response(503, printed(error), {"Retry-After": "5"})
    return problem_response(409, printed(error))


def _of_database(request: Request, error: duckdb.Error) -> Response:
    logger.error("the database says: %s", error)
    told = "the log cannot be read just now: the service's own log says why."
    return problem_response(503, told, {"Retry-After": "30"})


def printed(text: object, most: int = 500) -> str:
    "Text that can be printed anywhere."
    clean = "".join(c if c.isprintable() else " " for c in str(text))
    return clean if len(clean) <= most else clean[: most - 3] + "..."
