"""How pages are drawn: one frame, every value escaped, errors as pages of one sentence."""

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ...config import SettingsError
from ...log.errors import StoreError
from ..problems import Problem
from .static import address
from .visitors import NotSignedIn, Visitor, remember, web_of
from .words import FILTERS

__all__ = ["POLICY", "PageRoute", "by_script", "fragment", "shown", "to"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every page: that of the reports, and files of this service. No
script and no style may stand in a page, and none is made from text."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # without any, a form says that it comes from nowhere
}
_TITLES = {401: "Not signed in", 403: "Not allowed", 404: "Not here", 503: "Not now"}
NAVIGATION = {
    "/": "models",
    "/pages/proposals": "proposals",
    "/pages/cases": "cases",
    "/pages/alarms": "alarms",
}


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("aiops_wb.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"file": address, "places": NAVIGATION}
    made.filters |= FILTERS
    return made


def by_script(request: Request) -> bool:
    "Whether a part of a page asks, not a browser for a page."
    return request.headers.get("hx-request") == "true"


def shown(
    request: Request,
    template: str,
    title: str,
    visitor: Visitor | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    "A page."
    desk = request.app.state.desk
    told = {
        "title": title,
        "visitor": visitor,
        "here": request.url.path,
        "keep": request.headers.get("x-keep", "").split(),
        "state": web_of(request).live.state(desk) if visitor else "",
        "reports": (desk.settings.reports / "index.html").is_file(),
        "answer": None,
    }
    html = _templates().get_template(template).render(told | values)
    return remember(request, Response(html, status, dict(_HEADERS), "text/html"))


def fragment(template: str, headers: dict | None = None, **values: Any) -> Response:
    "A part of a page."
    html = _templates().get_template(template).render(values)
    return Response(html, 200, _HEADERS | (headers or {}), "text/html")


def to(address: str, request: Request) -> Response:
    "Elsewhere."
    if by_script(request):
        return remember(request, Response(status_code=204, headers={"HX-Redirect": address}))
    return remember(request, RedirectResponse(address, 303, {"Cache-Control": "no-store"}))


class PageRoute(APIRoute):
    "A route whose errors are pages."

    def get_route_handler(self) -> Callable:
        "Answers a request."
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except NotSignedIn:
                return _sign_in(request)
            except Problem as error:
                return _told(request, error.status, error.detail, error.headers)
            except HTTPException as error:
                return _told(request, error.status_code, str(error.detail))
            except RequestValidationError:
                return _told(request, 422, "this address or this form holds what is not allowed.")
            except (StoreError, SettingsError) as error:
                return _told(request, 409, str(error))

        return answered


def _sign_in(request):
    if request.method != "GET" or by_script(request):
        return to("/pages/sign-in", request)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return to(f"/pages/sign-in?next={quote(here, safe='')}", request)


def _told(request, status, sentence, headers=None):
    "An error: a page, or the sentence where answers stand."
    sentence = sentence[:1].upper() + sentence[1:]
    if by_script(request):
        place = {"HX-Retarget": "#said", "HX-Reswap": "innerHTML", "HX-Reselect": "#answer"}
        told = fragment("answer.html", place, state="failed", says=sentence, act=None)
        told.status_code = status
        return remember(request, told)
    title = _TITLES.get(status, "This did not work")
    made = shown(request, "error.html", title, None, status, says=sentence)
    kept = {k: v for k, v in (headers or {}).items() if k.lower() == "retry-after"}
    made.headers.update(kept)
    return made
