"""Cases and alarms: what somebody was asked about, and acts that say what they did."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal, NamedTuple

import pandas as pd
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StringConstraints, TypeAdapter
from starlette.responses import Response

from ..log.cases import recent_days
from ..log.catalog import Reader
from ..log.drift_events import alarm_rows
from ..watch.case_book import matching, one_case
from .access import AtDesk, Proposes, Reads
from .answers import AskedPaging, OneModel, Rows, answered, known_model, paged
from .desk import Desk, Snapshot
from .hands import HANDED_IN, Key, handed_in
from .problems import Problem
from .proposals import Decision
from .shapes import AlarmShape, CaseShape, Given, Page, ToldAlarm, WholeCase, Why

__all__ = ["router"]

router = APIRouter()
CASES, ALARMS = TypeAdapter(Page[CaseShape]), TypeAdapter(Page[AlarmShape])
TOLD, WHOLE = TypeAdapter(Page[ToldAlarm]), TypeAdapter(WholeCase)

DaysBack = Annotated[
    int, Query(ge=1, le=36500, description="how many days back from the newest of them")
]
State = Annotated[
    Literal["open", "acknowledged", "closed"] | None, Query(description="only in this state")
]
CaseState = Annotated[
    Literal["open", "acknowledged", "closed", "muted"] | None,
    Query(description="only in this state; muted: of which no message is sent today"),
]
Only = Annotated[str | None, Query(max_length=1024, description="only with this very value")]
Whose = Annotated[
    str | None, Query(max_length=1024, description="only this person's; empty: nobody's")
]
Find = Annotated[str | None, Query(max_length=200, description="only with this in their words")]
CaseId = Annotated[str, Path(pattern=r"^[AT]-[0-9a-f]{4,64}$", description="the id of a case")]
AlarmId = Annotated[str, Path(pattern=r"^D-[0-9a-f]{4,64}$", description="the id of an alarm")]


class _Of(NamedTuple):
    "Cases or alarms: how one is called, and the ids that there are."

    name: str
    ids: Callable[[Reader], set[str]]


CASE = _Of("case", lambda log: set(log.handled_cases().case_id))
ALARM = _Of("alarm", lambda log: set(log.handled_alarms().event_id))


class Close(Decision):
    "Why a case is done with, and how it ended."

    outcome: Annotated[
        Literal["confirmed", "dismissed", "unclear"] | None,
        Field(description="for people to read: it is no label"),
    ] = None


class Assign(Given):
    "Whose a case is from now on."

    to: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200, pattern=r"\S"),
        Field(description="who looks after it"),
    ]
    why: Why

    model_config = {"json_schema_extra": {"examples": [{"to": "ben", "why": "he is on duty"}]}}


class Comment(Given):
    "What is said of a case."

    text: Annotated[
        str,
        StringConstraints(min_length=1, max_length=2000, pattern=r"\S"),
        Field(description="it stands in the audit trail"),
    ]

    model_config = {"json_schema_extra": {"examples": [{"text": "the gate was open"}]}}


class Mute(Given):
    "No messages until a day."

    until: Annotated[
        date, Field(description="messages are sent again from that day on; today's ends a mute")
    ]
    why: Why

    model_config = {
        "json_schema_extra": {"examples": [{"until": "2026-04-01", "why": "stocktaking"}]}
    }


@router.get("/cases", tags=["cases"], summary="Cases, newest first", response_model=Page[CaseShape])
async def cases(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
    days: DaysBack = 7,
    state: CaseState = None,
    site: Only = None,
    assignee: Whose = None,
    entity: Only = None,
    find: Find = None,
) -> Response:
    "Open, acknowledged or closed, by whom and why; one that became graver is open again."
    asked = {"state": state, "site": site, "assignee": assignee, "entity": entity, "find": find}
    today = desk.now().date()

    def rows(log: Reader):
        found = log.handled_cases(model and known_model(log, model))
        return Rows(matching(recent_days(found, days), today, **asked)[::-1])

    key = ("cases", model, days, *asked.values(), today)
    return await paged(request, desk, key, rows, CASES, paging)


@router.get("/cases/{id}", tags=["cases"], summary="One case in full", response_model=WholeCase)
async def case(request: Request, desk: AtDesk, caller: Reads, id: CaseId) -> Response:
    "With its deliveries, earlier cases like it and how they ended, and what people did with it."

    def whole(snapshot: Snapshot):
        found = snapshot.answer(("case", id), lambda log: one_case(log, id))
        if found is None:
            raise Problem(404, f"there is no case {id}: GET /cases lists them.")
        return found

    return await answered(request, desk, ("case", id), whole, WHOLE)


def _in_state(frame, state):
    return frame.state == state if state else pd.Series(True, index=frame.index)


@router.get(
    "/alarms",
    tags=["drift"],
    summary="Alarms as they stand, newest first",
    response_model=Page[AlarmShape],
)
async def alarms(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
    state: State = None,
) -> Response:
    "One row an alarm. It closes by itself, when recent days no longer differ."

    def rows(log: Reader):
        found = log.handled_alarms(model and known_model(log, model))
        return Rows(found[_in_state(found, state)][::-1])

    return await paged(request, desk, ("alarms", model, state), rows, ALARMS, paging)


@router.get(
    "/drift",
    tags=["drift"],
    summary="What alarms said, newest first",
    response_model=Page[ToldAlarm],
)
async def drift(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
    days: DaysBack = 30,
) -> Response:
    "Opened, graver than before, closed; what goes on as before is not told again."

    def rows(log: Reader):
        models = [known_model(log, model)] if model else log.models()
        return alarm_rows([log.drift_events(one) for one in models], days)[::-1]

    return await paged(request, desk, ("drift", model, days), rows, TOLD, paging)


@router.post(
    "/cases/{id}/acknowledge", tags=["cases"], summary="Somebody looks after a case", **HANDED_IN
)
async def acknowledge(
    desk: AtDesk, caller: Proposes, id: CaseId, given: Decision, key: Key = None
) -> Response:
    "A closed case is taken up again by it."
    return await _handed_in(desk, caller, CASE, "acknowledge", id, given, key)


@router.post("/cases/{id}/close", tags=["cases"], summary="A case is done with", **HANDED_IN)
async def close(
    desk: AtDesk, caller: Proposes, id: CaseId, given: Close, key: Key = None
) -> Response:
    "One that becomes graver later is open again."
    return await _handed_in(desk, caller, CASE, "close", id, given, key)


@router.post(
    "/cases/{id}/assign", tags=["cases"], summary="A case is given to somebody", **HANDED_IN
)
async def assign(
    desk: AtDesk, caller: Proposes, id: CaseId, given: Assign, key: Key = None
) -> Response:
    "Messages that are sent later name them."
    return await _handed_in(desk, caller, CASE, "assign", id, given, key)


@router.post(
    "/cases/{id}/comment", tags=["cases"], summary="Something is said of a case", **HANDED_IN
)
async def comment(
    desk: AtDesk, caller: Proposes, id: CaseId, given: Comment, key: Key = None
) -> Response:
    "It stays as it is."
    return await _handed_in(desk, caller, CASE, "comment", id, given, key)


@router.post(
    "/cases/{id}/mute", tags=["cases"], summary="No message of a case before a day", **HANDED_IN
)
async def mute(
    desk: AtDesk, caller: Proposes, id: CaseId, given: Mute, key: Key = None
) -> Response:
    "Figures and pages go on."
    return await _handed_in(desk, caller, CASE, "mute", id, given, key)


@router.post(
    "/alarms/{id}/acknowledge", tags=["drift"], summary="Somebody looks after an alarm", **HANDED_IN
)
async def acknowledge_alarm(
    desk: AtDesk, caller: Proposes, id: AlarmId, given: Decision, key: Key = None
) -> Response:
    "It closes by itself, when recent days no longer differ."
    return await _handed_in(desk, caller, ALARM, "acknowledge", id, given, key)


@router.post(
    "/alarms/{id}/mute", tags=["drift"], summary="No message of an alarm before a day", **HANDED_IN
)
async def mute_alarm(
    desk: AtDesk, caller: Proposes, id: AlarmId, given: Mute, key: Key = None
) -> Response:
    "Figures and pages go on."
    return await _handed_in(desk, caller, ALARM, "mute", id, given, key)


async def _handed_in(desk: Desk, caller, of: _Of, kind, id_, given: Given, key):
    "Hand in what somebody did with a case or an alarm; Problem 404 where there is none."

    def look():
        with desk.snapshots.newest() as snapshot:
            if id_ not in snapshot.answer(("ids", of.name), of.ids):
                raise Problem(404, f"there is no {of.name} {id_}: GET /{of.name}s lists them.")
        return {}

    asked = {"ids": [id_], **given.model_dump(mode="json", exclude_none=True)}
    return await handed_in(desk, caller, kind, asked, key, look)
