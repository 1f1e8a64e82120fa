"""Who asks, and what they may.

Without any token nobody is asked, and only this machine is served: a caller has every role, and its
acts are those of whoever started the service. As soon as there is a token, one is required, on this
machine as well; one that was revoked still counts, so that to revoke the last does not open the
door. A token comes as `Authorization: Bearer ...` and nowhere else: addresses end up in logs.
"""

import ipaddress
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from ..log.errors import StoreError
from ..log.tokens import ROLES, find_token, tokens
from .desk import Desk
from .guard import LOCAL_NAMES
from .problems import Problem

__all__ = [
    "AtDesk",
    "Caller",
    "Decides",
    "Delivers",
    "Proposes",
    "Reads",
    "at_desk",
    "caller_of",
    "caller_with",
    "is_loopback",
    "needs",
    "needs_token",
    "own_names",
    "reading_tokens",
    "of_this_machine",
]

logger = logging.getLogger(__name__)

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="aiops-wb"'}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_BEARER = HTTPBearer(
    bearerFormat="awb_...",
    description="A token of `aiops-wb tokens make`; needed as soon as there is one.",
    auto_error=False,
)


@dataclass(frozen=True)
class Caller:
    "Somebody who asks: the name that stands in the trail, and what they may."

    name: str
    may: Callable[[str], bool]

    def require(self, role: str) -> None:
        "Problem 403 without a role."
        if not self.may(role):
            raise Problem(403, f"the token of {self.name} has no role {role!r}.")


def at_desk(request: Request) -> Desk:
    "What the requests of an app are answered with."
    return request.app.state.desk


AtDesk = Annotated[Desk, Depends(at_desk)]


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    "Whether an address is of this machine alone."
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_names(desk: Desk) -> frozenset[str] | None:
    "The names that we may be called by while there is no token; None: any."
    try:
        any_name = not is_loopback(desk.host) or bool(tokens(desk.data))
    except Exception:  # who asks is told so behind this
        return None
    return None if any_name else LOCAL_NAMES | {desk.host.lower()}


def needs_token(desk: Desk) -> bool:
    "Whether a token is required; Problem 503 where that cannot be told."
    with reading_tokens():
        return not is_loopback(desk.host) or bool(tokens(desk.data))


@contextmanager
def reading_tokens() -> Iterator[None]:
    "Meanwhile tokens that cannot be trusted are a Problem 503; what is wrong with them is logged."
    try:
        yield
    except StoreError as error:  # names a path, and whoever asks is nobody yet
        logger.error("nobody is let in: %s", error)
        told = "tokens cannot be read just now: the service's own log says why."
        raise Problem(503, told, {"Retry-After": "30"}) from None


def caller_with(desk: Desk, secret: str) -> Caller:
    "Who has a token; Problem 401 where it is none that is valid."
    with reading_tokens():
        token = find_token(desk.data, secret, desk.now())
    if token is None:
        raise Problem(401, "this token is not known, has expired or was revoked.", _CHALLENGE)
    return Caller(token.name, token.may)


def caller_of(request: Request, desk: Desk) -> Caller:
    "Who asks; Problem 401 where they do not say."
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise Problem(401, "give one token.", _CHALLENGE)
    if given:
        scheme, _, secret = given[0].partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Problem(401, "a token is given as 'Authorization: Bearer ...'.", _CHALLENGE)
        if needs_token(desk):
            return caller_with(desk, secret.strip())
    if needs_token(desk):
        told = "a token is needed: 'Authorization: Bearer ...', made by 'aiops-wb tokens make'."
        raise Problem(401, told, _CHALLENGE)
    return of_this_machine(request, desk)


def of_this_machine(request: Request, desk: Desk) -> Caller:
    "The caller where there is no token: of this machine, and not on behalf of another."
    passed_on = any(name in request.headers for name in _FORWARDED)
    if passed_on or request.client is None or not is_loopback(request.client.host):
        told = "from elsewhere a token is needed: make one with 'aiops-wb tokens make'."
        raise Problem(401, told, _CHALLENGE)
    return Caller(desk.who, lambda role: role in ROLES)


def needs(role: str) -> Callable:
    "A dependency: who asks, with a role; Problem 401 or 403 without."

    async def caller(
        request: Request, desk: AtDesk, _: Annotated[object, Security(_BEARER)]
    ) -> Caller:
        who = caller_of(request, desk)
        who.require(role)
        return who

    return caller


Reads = Annotated[Caller, Depends(needs("read"))]
Proposes = Annotated[Caller, Depends(needs("propose"))]
Decides = Annotated[Caller, Depends(needs("decide"))]
Delivers = Annotated[Caller, Depends(needs("deliver"))]
