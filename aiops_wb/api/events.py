"""Events of other systems: predictions and outcomes, on the disk before they are confirmed."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Request
from pydantic import Field, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..streams.cloud_events import BATCH, MEDIA_TYPE
from ..streams.events import KINDS, Entry
from .access import Delivers
from .answers import as_body
from .problems import Problem, printed, problem_response
from .shapes import Shape

__all__ = ["MOST_WAITING", "router"]

router = APIRouter(tags=["events"])
MOST_WAITING = 64
"Requests that may wait for the disk at a time; more are told to come again."

JSON, LINES = "application/json", "application/x-ndjson"
_TAKEN = (JSON, MEDIA_TYPE, BATCH, LINES)
_HEADER = "ce-"
_MOST = 10_000  # events of one request
_TOLD = 20  # sentences of one answer


class Refused(Shape):
    "An event that cannot be taken, by its place in the request, and why."

    at: Annotated[int, Field(ge=0, examples=[1])]
    reason: Annotated[str, Field(examples=["label 2 is not 0 or 1"])]


class TakenEvents(Shape):
    "What is safe now, and what was not taken."

    taken: Annotated[int, Field(ge=1, examples=[2])]
    refused: list[Refused]


ALL = TypeAdapter(TakenEvents)

_EVENT = {
    "model": "late",
    "version": "v1",
    "prediction_id": "flight-1",
    "score": 0.91,
    "predicted_at": "2026-03-01T10:00:00Z",
    "site_id": "EWR",
    "hour": 17.5,
}
_LABEL = {"prediction_id": "flight-1", "label": 1, "observed_at": "2026-03-02T10:00:00Z"}
_CLOUD = {
    "specversion": "1.0",
    "id": "8f1c",
    "source": "/flights/scoring",
    "type": "aiops_wb.prediction",
    "time": "2026-03-01T10:00:00Z",
    "data": {name: _EVENT[name] for name in ("model", "version", "score", "hour")},
}
_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "format": "date-time"}
_PREDICTION = {
    "title": "A prediction; its other keys are features",
    "type": "object",
    "required": ["model", "version", "score"],
    "properties": {
        "model": _TEXT,
        "version": _TEXT,
        "score": {"type": "number"},
        "predicted_at": _TIME,
        "prediction_id": _TEXT,
        "threshold": {"type": "number", "description": "a score, where a service decided by one"},
        "features": {"type": "object"},
    },
}
_OUTCOME = {
    "title": "An outcome, of a prediction or of an event",
    "type": "object",
    "required": ["label"],
    "properties": {
        "label": {"enum": [0, 1, True, False]},
        "observed_at": _TIME,
        "prediction_id": _TEXT,
        "event_key": _TEXT,
    },
}
_ROW = {"anyOf": [_PREDICTION, _OUTCOME]}
_ENVELOPE = {
    "title": "A CloudEvent",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _TEXT,
        "source": _TEXT,
        "type": {"type": "string", "minLength": 1, "examples": [*KINDS]},
        "time": _TIME,
        "data": _ROW,
    },
}
_ONE = {"anyOf": [_PREDICTION, _OUTCOME, _ENVELOPE]}


def _many(one):
    return {"type": "array", "items": one, "minItems": 1}


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"anyOf": [_ONE, _many(_ONE)]}, "example": [_EVENT, _LABEL]},
            MEDIA_TYPE: {"schema": _ENVELOPE, "example": _CLOUD},
            BATCH: {"schema": _many(_ENVELOPE), "example": [_CLOUD]},
            LINES: {
                "schema": {"type": "string"},
                "example": f"{json.dumps(_EVENT)}\n{json.dumps(_LABEL)}\n",
            },
        },
    }
}

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="of your own: stands for the ids of events that have none, so that what is "
        "sent again with it is not there twice",
        min_length=1,
        max_length=200,
    ),
]


@router.post(
    "/events",
    summary="Take predictions and outcomes of another system",
    status_code=202,
    response_model=TakenEvents,
    openapi_extra=_BODY,
)
async def events(request: Request, caller: Delivers, key: Key = None) -> Response:
    """One event, a list, or a line for each; bare, or as CloudEvents in structured or binary mode.
    What has a `score` is a prediction, what has a `label` an outcome; other keys of a prediction
    are its features. Each needs an id (`prediction_id`, an `event_key` of an outcome, the id of its
    CloudEvent, or an `Idempotency-Key`) and a time (`predicted_at`, `observed_at`, or that of its
    CloudEvent): what is sent again is then the same event.

    They are on the disk when this answers 202, and the next ingest takes them in. What cannot be
    taken is told with its place, and not kept; where nothing can be, the answer is 422.
    """
    entries = _entries(request, await request.body(), caller.name, key)
    if not entries:
        raise Problem(422, "there is no event in the body.")
    refused = await _taken(request.app, entries)
    told = [{"at": at, "reason": printed(reason)} for at, reason in sorted(refused.items())]
    if len(told) == len(entries):
        errors = [{"where": str(one["at"]), "what": one["reason"]} for one in told[:_TOLD]]
        return problem_response(422, f"{told[0]['reason'].rstrip('.')}.", errors=errors)
    taken = {"taken": len(entries) - len(told), "refused": told}
    return Response(as_body(ALL, taken), 202, media_type=JSON)


async def _taken(app, entries: Sequence[Entry]) -> dict[int, str]:
    room = app.state.room_for_events
    if not room.acquire(blocking=False):
        told = f"{MOST_WAITING} requests wait for the disk already: send this one again later."
        raise Problem(429, told, {"Retry-After": "1"})
    try:
        return await run_in_threadpool(app.state.events_in.take, entries)
    except OSError:
        told = "the disk takes nothing just now: send it again, nothing is there twice then."
        raise Problem(503, told, {"Retry-After": "5"}) from None
    finally:
        room.release()


def _entries(request, body: bytes, who: str, key: str | None) -> list[Entry]:
    "The events of a request, in their order; Problem where it has none that could be read."
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TAKEN:
        raise Problem(415, f"the body is one of {', '.join(_TAKEN)}.")
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise Problem(415, "a body with a Content-Encoding is not read: send it as it is.")
    envelope = _envelope(request.headers)
    if envelope is not None:
        if kind != JSON:
            raise Problem(415, f"data of a CloudEvent in binary mode is {JSON}.")
        texts = [body]
    elif kind == LINES:
        texts = [line for line in body.split(b"\n") if line.strip()]
    else:
        texts = _members(body)
    if len(texts) > _MOST:
        raise Problem(413, f"a request has at most {_MOST:,} events.")
    made = []
    for at, text in enumerate(texts):
        identity = None if key is None else f"http {who} {key} {at}"
        made.append(Entry(text, "http", f"event {at}", identity, envelope=envelope))
    return made


def _members(body: bytes) -> list[str | bytes]:
    "The texts of a list, each as it was sent, or of one event."
    try:
        text = body.decode("utf-8-sig")
        if not isinstance(json.loads(text), list):
            return [body]
        return list(_each(text))
    except (ValueError, RecursionError):
        raise Problem(422, "the body cannot be read as JSON.") from None


def _each(text: str) -> Iterator[str]:
    "The texts of the members of a list that can be read."
    read, at = json.JSONDecoder().raw_decode, _past_blanks(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = read(text, at)
        yield text[at:end]
        at = _past_blanks(text, end)
        at = _past_blanks(text, at + 1) if text[at] == "," else at


def _past_blanks(text, at):
    while text[at] in " \t\n\r":
        at += 1
    return at


def _envelope(headers) -> dict[str, str] | None:
    "The attributes of a CloudEvent in binary mode; None where it is none."
    told = {
        name.removeprefix(_HEADER): unquote(value)
        for name, value in headers.items()
        if name.startswith(_HEADER)
    }
    return told if "specversion" in told else None
