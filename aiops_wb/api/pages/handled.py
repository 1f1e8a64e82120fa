"""The pages of cases and of alarms: what stands open, and what somebody does with it."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from .. import cases
from ..access import AtDesk
from ..answers import Paging, known_models
from ..problems import Problem
from ..proposals import Decision
from .answers import about, answer, rows
from .checked import checked
from .frame import PageRoute, shown
from .visitors import Form, Visits

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
SIZE = 50
"Rows of a page."
OF_CASES = {"acknowledge": cases.acknowledge, "close": cases.close, "mute": cases.mute}
OF_CASES |= {"assign": cases.assign, "comment": cases.comment}
OF_ALARMS = {"acknowledge": cases.acknowledge_alarm, "mute": cases.mute_alarm}

Offset = Annotated[int, Query(ge=0, le=10**9)]
Name = Annotated[str, Query(max_length=1024)]
ActId = Annotated[str, Query(max_length=64)]
AnyState = Annotated[str, Query(pattern="^(open|acknowledged|closed)?$")]
CaseState = Annotated[str, Query(pattern="^(open|acknowledged|closed|muted)?$")]
NOBODY = "-"
"Whose cases are nobody's, in a field where nothing stands for everybody."


@router.get("/pages/cases")
async def of_cases(
    request: Request,
    desk: AtDesk,
    visits: Visits,
    model: Name = "",
    state: CaseState = "",
    days: Annotated[int, Query(ge=1, le=36500)] = 7,
    site: Name = "",
    assignee: Name = "",
    find: Annotated[str, Query(max_length=200)] = "",
    offset: Offset = 0,
    act: ActId = "",
) -> Response:
    "Cases of the last days, newest first."
    asked = (request, desk, visits.caller, Paging(SIZE, offset), model or None)
    whose = "" if assignee == NOBODY else assignee or None
    some = {"site": site or None, "assignee": whose, "find": find.strip() or None}
    page = await rows(cases.cases(*asked, days, state or None, **some))
    given = {"model": model, "state": state, "days": days}
    given |= {"site": site, "assignee": assignee, "find": find}
    return await _shown(request, desk, visits, "cases", page, given, act)


@router.get("/pages/cases/{id}")
async def of_case(
    request: Request, desk: AtDesk, visits: Visits, id: cases.CaseId, act: ActId = ""
) -> Response:
    "One case in full, with a form for each thing that somebody can do with it."
    row = await rows(cases.case(request, desk, visits.caller, id))
    return shown(
        request,
        "case.html",
        f"Case {id}",
        visits,
        row=row,
        back=f"/pages/cases/{id}",
        today=desk.now().date(),
        answer=await about(desk, visits, act),
    )


@router.get("/pages/alarms")
async def of_alarms(
    request: Request,
    desk: AtDesk,
    visits: Visits,
    model: Name = "",
    state: AnyState = "",
    offset: Offset = 0,
    act: ActId = "",
) -> Response:
    "Alarms as they stand, newest first."
    asked = (request, desk, visits.caller, Paging(SIZE, offset), model or None)
    page = await rows(cases.alarms(*asked, state or None))
    return await _shown(
        request, desk, visits, "alarms", page, {"model": model, "state": state}, act
    )


async def _shown(request, desk, visits, kind, page, given, act):
    with desk.snapshots.newest() as snapshot:
        known = known_models(snapshot)
    link = lambda offset: f"/pages/{kind}?{urlencode(given | {'offset': offset})}"
    return shown(
        request,
        f"{kind}.html",
        kind.capitalize(),
        visits,
        page=page,
        given=given,
        models=known,
        link=link,
        back=link(page["offset"]),
        today=desk.now().date(),
        answer=await about(desk, visits, act),
    )


@router.post("/pages/cases")
async def do_with_case(request: Request, desk: AtDesk, visits: Visits, form: Form) -> Response:
    "Acknowledge, close, mute, assign or comment on one."
    return await _do(request, desk, visits, form, "cases", OF_CASES)


@router.post("/pages/alarms")
async def do_with_alarm(request: Request, desk: AtDesk, visits: Visits, form: Form) -> Response:
    "Acknowledge or mute one; it closes by itself."
    return await _do(request, desk, visits, form, "alarms", OF_ALARMS)


async def _do(request, desk, visits, form, kind, known):
    do, id_ = form.get("do", ""), form.get("id", "")
    if do not in known:
        raise Problem(422, f"of {kind} one can {', '.join(known)}.")
    given = _given(do, form)
    asked = known[do](desk, visits.caller, id_, given, None)
    return await answer(request, desk, visits, asked, _back(form, kind))


def _given(do, form):
    why = form.get("why", "")
    if do == "mute":
        return checked(cases.Mute, until=form.get("until", ""), why=why)
    if do == "assign":
        return checked(cases.Assign, to=form.get("to", "").strip(), why=why)
    if do == "comment":
        return checked(cases.Comment, text=why)
    if do == "close":
        return checked(cases.Close, outcome=form.get("outcome") or None, why=why)
    return checked(Decision, why=why)


def _back(form, kind):
    "The list that somebody came from, with its filters."
    told = form.get("back", "")
    here = (f"/pages/{kind}?", f"/pages/{kind}/")
    return told if told.startswith(here) and told.isprintable() else f"/pages/{kind}"
