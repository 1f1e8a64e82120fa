"The stream that tells pages of changes."

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from ..access import AtDesk
from ..problems import Problem
from .frame import PageRoute
from .visitors import Visits, visitor, web_of

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)


@router.get("/pages/events")
async def events(request: Request, desk: AtDesk, visits: Visits) -> Response:
    "Server-sent events: the name of the state, whenever it is another."
    live = web_of(request).live
    live.require_room()

    def may_look():
        try:
            return bool(visitor(request, desk))
        except Problem:
            return False

    return StreamingResponse(live.stream(desk, may_look), media_type="text/event-stream")
