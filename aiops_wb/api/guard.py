"""What gets in at all, and what every answer carries: in front of all routes, for pages as well.

A browser can be led to any address, also to one of this machine, by a page of somebody else's. Two
things tell: the name by which it calls us (`Host`), which such a page cannot choose freely, and the
page that sent a change (`Origin`).
"""

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from .problems import problem_response

__all__ = ["BODY_BYTES", "BODY_SECONDS", "Guard", "LOCAL_NAMES", "host_name"]

logger = logging.getLogger(__name__)

LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
BODY_BYTES, BODY_SECONDS = 2**20, 30.0
"A body has so many bytes at most, and comes within so many seconds."
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"Of every answer, unless the answer has one of its own."


def host_name(host: str) -> str:
    "The name in a `Host`, without a port; empty where it is none."
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


class Guard:
    """Refuses what calls us by a name that is not ours (`names`, asked at each request; None: any
    is), and a change that a page from elsewhere sends; an error that nobody foresaw is a problem of
    one sentence."""

    def __init__(
        self,
        app,
        names: Callable[[], frozenset[str] | None],
        told: Callable[[str, str, str], None] = lambda method, route, status: None,
    ):
        self.app, self.names, self.told = app, names, told

    async def __call__(self, scope, receive, send):
        "Answer one request."
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def told(message):
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._tell(scope, message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        if refused is None and scope["method"] not in SAFE:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    receive = await _whole(scope, receive)
                refused = None if receive else _too_large()
            except TimeoutError:
                refused = _too_slow()
        if refused is not None:
            await refused(scope, receive, told)
            return
        try:
            await self.app(scope, receive, told)
        except Exception:
            logger.exception("this should not happen")
            if begun:
                raise
            await _broken()(scope, receive, told)

    def _tell(self, scope, status):
        "Count an answer, by the route and not by the address: there are as many as one likes."
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.told(method, getattr(scope.get("route"), "path", "none"), str(status))

    def _refused(self, scope):
        headers = Headers(scope=scope)
        names, host = self.names(), host_name(headers.get("host", ""))
        if names is not None and host not in names:
            return problem_response(
                421, f"call this service by one of its own names: {', '.join(sorted(names))}."
            )
        if scope["method"] in SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit_netloc(origin) != headers.get("host", "").lower():
            return problem_response(403, "a page from elsewhere may not change anything here.")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return problem_response(403, "a page from elsewhere may not change anything here.")
        return None


async def _whole(scope, receive):
    "The body, read as a whole, to be received again; None where it is larger than is taken."
    parts, size, more = [], 0, True
    said = Headers(scope=scope).get("content-length", "")
    if said.isascii() and said.isdigit() and int(said[:20]) > BODY_BYTES:
        return None
    while more:
        message = await receive()
        if message["type"] != "http.request":  # nobody waits for an answer any more
            break
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > BODY_BYTES:
            return None
    body = iter([{"type": "http.request", "body": b"".join(parts), "more_body": False}])

    async def again():
        return next(body, None) or await receive()

    return again


def _too_large():
    return problem_response(413, f"a body has at most {BODY_BYTES:,} bytes.")


def _too_slow():
    told = f"a body comes within {BODY_SECONDS:g} seconds."
    return problem_response(408, told, {"Connection": "close"})


def urlsplit_netloc(origin: str) -> str:
    "Host and port of an origin; empty where it is none."
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _broken():
    return problem_response(500, "this should not happen: the log of the service says where.")
