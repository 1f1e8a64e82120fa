"""The page of proposals: who proposed what, and deciding one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...log.proposals import is_same_person
from .. import proposals
from ..access import AtDesk
from ..answers import Paging
from ..problems import Problem
from .answers import about, answer, rows
from .checked import checked
from .frame import PageRoute, shown
from .visitors import Form, Visits

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
DO = {"approve": proposals.approve, "reject": proposals.reject}


@router.get("/pages/proposals")
async def every(
    request: Request,
    desk: AtDesk,
    visits: Visits,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    act: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    "Newest first."
    asked = proposals.every(request, desk, visits.caller, Paging(50, offset), None, None)
    return shown(
        request,
        "proposals.html",
        "Proposals",
        visits,
        page=await rows(asked),
        link=lambda at: f"/pages/proposals?offset={at}",
        four_eyes=desk.settings.threshold_four_eyes,
        is_own=lambda who: is_same_person(who, visits.caller.name),
        answer=await about(desk, visits, act),
    )


@router.post("/pages/proposals")
async def decide(request: Request, desk: AtDesk, visits: Visits, form: Form) -> Response:
    "Approve or reject one."
    if form.get("do") not in DO:
        raise Problem(422, "a proposal can be approved or rejected.")
    key = form.get("proposal", "")
    given = checked(proposals.Decision, why=form.get("why", ""))
    asked = DO[form["do"]](desk, visits.caller, key, given, None)
    return await answer(request, desk, visits, asked, "/pages/proposals")
