"The stream that tells pages of changes."

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from ...log.errors import StoreError
from ..access import AtDesk, needs_token
from ..problems import Problem
from .frame import PageRoute
from .visitors import Visits, web_of

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)


@router.get("/pages/events")
async def events(request: Request, desk: AtDesk, visits: Visits) -> Response:
    "Server-sent events: the name of the state, whenever it is another."
    web = web_of(request)
    live = web.live
    live.require_room()

    def may_look():
        try:
            if visits.signed_in:  # a page that is left open does not keep its session from ending
                return web.sessions.token(visits.session, desk, seen=False) is not None
            return not needs_token(desk)
        except (Problem, StoreError):
            return False

    return StreamingResponse(live.stream(desk, may_look), media_type="text/event-stream")
