"""Who is signed in: an id in a cookie, the token behind it in memory, asked again at each request.

A session is kept under the hash of its id and holds the id of a token, never its secret: as soon as
the token ends, so does the session. What a form carries against requests that another page makes
up (CSRF) is derived from the id of the session by a key of this process: nobody who does not hold
the cookie has it, and before somebody signed in nothing has to be kept.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from ...log.tokens import Token, tokens
from ..desk import Desk

__all__ = ["IDLE", "LONGEST", "MOST", "Session", "Sessions", "new_id"]

IDLE, LONGEST = timedelta(hours=8), timedelta(hours=24)
"A session ends so long after its last request, and so long after its first."
MOST = 1000
"Sessions that are kept; the one that was idle longest ends first."
MOST_OF_ONE = 100
"Sessions of one token: nobody ends those of others by signing in."


def new_id() -> str:
    "The id of a new session: 256 random bits."
    return secrets.token_urlsafe(32)


@dataclass
class Session:
    "A token that somebody signed in with."

    token: str  # its id
    begun: datetime
    seen: datetime

    def over(self, now: datetime) -> bool:
        "Whether it was idle for too long, or is too old."
        return now - self.seen >= IDLE or now - self.begun >= LONGEST


@dataclass
class Sessions:
    "The sessions of a service."

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _kept: OrderedDict = field(default_factory=OrderedDict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(self, token: Token, now: datetime) -> str:
        "A session of a token; returns its id."
        made = new_id()
        with self._lock:
            own = [name for name, session in self._kept.items() if session.token == token.id]
            for name in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
                del self._kept[name]
            self._kept[_digest(made)] = Session(token.id, now, now)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return made

    def token(self, of: str, desk: Desk, seen: bool = True) -> Token | None:
        """The token of a session; None where it is over. StoreError where tokens cannot be read.
        `seen`: a person asks, so that the session is not idle."""
        now, name = desk.now(), _digest(of)
        with self._lock:
            session = self._kept.get(name)
        if session is None:
            return None
        known = (token for token in tokens(desk.data) if token.id == session.token)
        found = next((token for token in known if token.state(now) == "valid"), None)
        with self._lock:
            if found is None or session.over(now):
                self._kept.pop(name, None)
                return None
            if seen and name in self._kept:
                session.seen = now
                self._kept.move_to_end(name)
        return found

    def end(self, of: str) -> None:
        "End a session."
        with self._lock:
            self._kept.pop(_digest(of), None)

    def csrf(self, of: str) -> str:
        "What the forms of a session carry."
        return hmac.new(self.key, of.encode(errors="replace"), hashlib.sha256).hexdigest()

    def is_csrf(self, of: str, given: str) -> bool:
        "Whether a form is of a session."
        return hmac.compare_digest(self.csrf(of).encode(), given.encode(errors="replace"))


def _digest(session_id):
    return hashlib.sha256(session_id.encode(errors="replace")).hexdigest()
