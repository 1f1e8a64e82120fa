"""Sign in with a token, and out.

The token comes in the body of a form, once: it stands in no address, no page, no log and no cookie.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ...log.tokens import Token, find_token
from ..access import AtDesk, needs_token, reading_tokens
from .frame import PageRoute, shown, to
from .sessions import Sessions
from .visitors import Form, cookie_of, forget, web_of

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_OURS = re.compile(r"/(?:(?:pages|reports)/[!-\[\]-~]*)?")
LONGEST = 500


def _next(given: str) -> str:
    "Where to go on: a page of ours, whatever is asked for."
    return given if len(given) <= 2000 and _OURS.fullmatch(given) else "/"


def _page(request: Request, after: str, says: str = "", status: int = 200) -> Response:
    session = cookie_of(request)
    csrf = web_of(request).sessions.csrf(session)
    told = {"csrf": csrf, "after": _next(after), "says": says}
    return shown(request, "sign_in.html", "Sign in", None, status, **told)


@router.get("/pages/sign-in")
def sign_in(
    request: Request, desk: AtDesk, after: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    "Asks for a token, where one is needed."
    return _page(request, after) if needs_token(desk) else to(_next(after), request)


@router.post("/pages/sign-in")
async def signed_in(request: Request, desk: AtDesk, form: Form) -> Response:
    "Begins a session, under a new id."
    web, after = web_of(request), form.get("next", "/")
    address = request.client.host if request.client else ""
    token = await run_in_threadpool(_token, desk, form.get("token", "").strip())
    if token is None:
        await web.slowly.failed(address)
        return _page(request, after, "This token is not known, has expired or was revoked.", 401)
    web.slowly.passed(address)
    if not token.may("read"):
        says = f"The token of {token.name} is for programs: it has not the role 'read'."
        return _page(request, after, says, 403)
    _begin(request, web.sessions, token, desk)
    return to(_next(after), request)


def _token(desk, secret) -> Token | None:
    if not secret or len(secret) > LONGEST:
        return None
    with reading_tokens():
        return find_token(desk.data, secret, desk.now())


def _begin(request: Request, sessions: Sessions, token: Token, desk) -> None:
    sessions.end(cookie_of(request))
    request.state.session = request.state.fresh = sessions.begin(token, desk.now())


@router.post("/pages/sign-out")
async def sign_out(request: Request, form: Form) -> Response:
    "Ends the session."
    web_of(request).sessions.end(cookie_of(request))
    request.state.fresh = None
    return forget(request, to("/pages/sign-in", request))
