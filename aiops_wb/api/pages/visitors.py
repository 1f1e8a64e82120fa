"""Who looks at a page, and whether a form is theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.responses import Response

from ..access import AtDesk, Caller, needs_token, of_this_machine, reading_tokens
from ..problems import Problem
from .sessions import new_id
from .web import Web

__all__ = [
    "Form",
    "NotSignedIn",
    "Visits",
    "Visitor",
    "as_form",
    "cookie_of",
    "forget",
    "remember",
    "web_of",
]

MOST_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


class NotSignedIn(Problem):
    "Somebody has to sign in first."

    def __init__(self):
        super().__init__(401, "sign in first: no session is open, or it has ended.")


@dataclass(frozen=True)
class Visitor:
    "Somebody who looks at a page."

    caller: Caller
    session: str  # the id of the session
    csrf: str
    signed_in: bool  # by a token; else this machine is served, without one


def web_of(request: Request) -> Web:
    "What the pages of the app keep."
    return request.app.state.web


def _name(request):
    "Cookies know no ports: each service has one of its own name."
    return f"aiops_wb_{request.url.port or request.url.scheme}"


def cookie_of(request: Request) -> str:
    """The id of the session that a browser has, or one that it is given by the answer: before
    anybody signed in it stands for the browser alone."""
    if not hasattr(request.state, "session"):
        request.state.session = request.cookies.get(_name(request), "")[:128]
    if not request.state.session:
        request.state.session = request.state.fresh = new_id()
    return request.state.session


def remember(request: Request, response: Response) -> Response:
    "An answer with the cookie of a session that is new."
    if fresh := getattr(request.state, "fresh", None):
        secure = request.url.scheme == "https"
        kept = {"path": "/", "httponly": True, "samesite": "strict", "secure": secure}
        response.set_cookie(_name(request), fresh, **kept)
    return response


def forget(request: Request, response: Response) -> Response:
    "An answer that takes the cookie back."
    response.delete_cookie(_name(request), path="/", httponly=True, samesite="strict")
    return response


def visitor(request: Request, desk: AtDesk) -> Visitor:
    "Who looks; NotSignedIn where a token is needed and none is behind the session."
    session, sessions = cookie_of(request), web_of(request).sessions
    if not needs_token(desk):
        who = of_this_machine(request, desk)
        return Visitor(who, session, sessions.csrf(session), False)
    with reading_tokens():
        token = sessions.token(session, desk, seen="x-live" not in request.headers)
    if token is None:
        raise NotSignedIn()
    found = Visitor(Caller(token.name, token.may), session, sessions.csrf(session), True)
    found.caller.require("read")
    return found


async def as_form(request: Request) -> dict[str, str]:
    "The fields of a form; Problem 403 where it is not one of the session that sends it."
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Problem(415, "a form of this page is needed.")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem(422, "this is no form.") from None
    fields = dict(pairs)
    if not web_of(request).sessions.is_csrf(cookie_of(request), fields.pop("csrf", "")):
        raise Problem(403, "this form is not of your session: load the page again.")
    return fields


Visits = Annotated[Visitor, Depends(visitor)]
Form = Annotated[Mapping[str, str], Depends(as_form)]
