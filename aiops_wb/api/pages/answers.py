"""What a form is answered: what became of its act, as far as that is known yet."""

import json
from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import RedirectResponse, Response

from .. import hands
from ..access import AtDesk
from ..problems import Problem
from .frame import PageRoute, by_script, fragment
from .visitors import Visits

__all__ = ["about", "answer", "router", "rows"]

WAIT = 2.0
"Seconds that a page waits for an act to be taken in; a part of one asks again."
_STATES = {"waiting": "", "done": "ok", "refused": "look"}
router = APIRouter(route_class=PageRoute)
ActId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f\-]+$")]


async def rows(asked: Awaitable[Response]) -> Any:
    "What a route of the API tells."
    return json.loads((await asked).body)


async def answer(request: Request, desk, visits, asked: Awaitable[Response], back: str) -> Response:
    "What became of an act that was handed in: a part of the page, or the page with it."
    act = await rows(asked)
    if by_script(request):
        return _told(act)
    act = await rows(hands.act(desk, visits.caller, act["id"], wait=WAIT))
    mark = "&" if "?" in back else "?"
    kept = {"Cache-Control": "no-store"}
    return RedirectResponse(f"{back}{mark}act={act['id']}#said", 303, kept)


def _told(act):
    changed = {"HX-Trigger": "live"} if act["state"] != "waiting" else {}
    return fragment("answer.html", changed, **_words(act))


def _words(act):
    says = act["says"]
    if act["state"] == "waiting":
        says = "It is kept, and has not been taken in yet: this line will tell when it is."
    elif act["state"] == "refused":
        says = f"Refused: {says}"
    ended = "" if says.endswith((".", "!", "?")) else "."
    return {"state": _STATES[act["state"]], "says": says[:1].upper() + says[1:] + ended, "act": act}


async def about(desk, visits, act_id: str | None) -> dict | None:
    "The answer that a page shows which a form led to; None without one."
    if not act_id:
        return None
    try:
        return _words(await rows(hands.act(desk, visits.caller, act_id[:64], wait=0)))
    except Problem:
        return None


@router.get("/pages/acts/{id}")
async def act(request: Request, desk: AtDesk, visits: Visits, id: ActId) -> Response:
    "What became of an act by now."
    return _told(await rows(hands.act(desk, visits.caller, id, wait=0)))
