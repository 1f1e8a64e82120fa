"""Tokens: who may ask and change what over the network; a secret each, of which the hash is kept.

They stand in one small file beside the catalog, which is replaced as a whole, so that a token that
is revoked is refused at once, also while the night's run holds the catalog. Whoever writes next
adds to the audit trail what it does not know of them.

A secret is 256 random bits. Nobody guesses one, so its plain SHA-256 is enough: salt and a slow
hash protect what people choose themselves.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from .act_shapes import checked_text
from .audit import AuditWrites
from .durable import write_durably
from .errors import StoreError
from .modes import make_folder
from .owners import believed

__all__ = [
    "NEEDS",
    "ROLES",
    "Token",
    "find_token",
    "make_token",
    "record_tokens",
    "revoke_token",
    "tokens",
]

logger = logging.getLogger(__name__)

ROLES = ("read", "propose", "approve", "decide", "deliver")
"""What a token is for. read: every figure, list and simulation. propose: that, and to propose a
threshold, to withdraw or reject a proposal, to handle cases and alarms. approve: that, and to
put into force: approve, set, put back. decide: to have events decided, and nothing else. deliver:
to hand in predictions and outcomes, and nothing else."""

_HOLDS = {"read": {"read"}, "propose": {"read", "propose"}, "decide": {"decide"}}
_HOLDS["deliver"] = {"deliver"}
_HOLDS["approve"] = {"read", "propose", "approve"}

NEEDS = {
    "propose": "propose",
    "reject": "propose",
    "acknowledge": "propose",
    "close": "propose",
    "mute": "propose",
    "assign": "propose",
    "comment": "propose",
    "set": "approve",
    "approve": "approve",
    "rollback": "approve",
}
"Kind of act -> the role that it needs."

PREFIX = "awb_"
"How a secret begins, so that whoever looks for secrets in files knows one."

_TIMES = ("made_at", "expires_at", "revoked_at")


@dataclass(frozen=True)
class Token:
    "Who may do what, until when, and who said so; the name is the author of its acts."

    id: str
    name: str
    roles: tuple[str, ...]
    sha256: str = field(repr=False)
    made_by: str
    made_at: datetime
    made_why: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    revoked_why: str = ""

    def may(self, role: str) -> bool:
        "Whether it holds a role, by itself or by a higher one."
        return any(role in _HOLDS[own] for own in self.roles)

    def state(self, now: datetime) -> str:
        "valid, expired or revoked."
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "valid"


def make_token(
    data: str | Path,
    name: str,
    roles: Iterable[str],
    who: str,
    at: datetime,
    expires: datetime | None = None,
    why: str = "",
) -> str:
    """Make a token for somebody; returns its secret, which is kept nowhere and never told again.
    StoreError where a role is none, the name is no name, or the file cannot be written."""
    name, wanted = checked_text("the name of a token", name, 100), set(roles)
    if not wanted or not wanted <= set(ROLES):
        told = ", ".join(sorted(wanted - set(ROLES))) or "none"
        raise StoreError(f"a token needs roles among {', '.join(ROLES)}, not {told}.")
    if expires is not None and expires <= at:
        raise StoreError("a token cannot end before it begins.")
    secret = PREFIX + secrets.token_urlsafe(32)
    why = checked_text("the reason", why) if why else f"a token for {name}"
    token = Token(
        f"K-{secrets.token_hex(4)}",
        name,
        tuple(role for role in ROLES if role in wanted),
        _digest(secret),
        checked_text("who", who, 200),
        at,
        why,
        expires,
    )
    with _changing(Path(data)) as change:
        change(lambda known: [*known, token])
    return secret


def revoke_token(
    data: str | Path, id_or_name: str, who: str, at: datetime, why: str
) -> list[Token]:
    """Revoke the token of an id, or every one of a name; returns them. From now on they are
    refused. StoreError where no valid one is called so."""
    why, who = checked_text("the reason", why), checked_text("who", who, 200)

    def ended(token):
        named = id_or_name in (token.id, token.name) and token.revoked_at is None
        told = {"revoked_at": at, "revoked_by": who, "revoked_why": why}
        return replace(token, **told) if named else token

    with _changing(Path(data)) as change:
        before, after = change(lambda known: [ended(token) for token in known])
        gone = [new for old, new in zip(before, after) if old != new]
        if not gone:
            raise StoreError(
                f"no token that was not revoked has the id or the name {id_or_name!r}: 'aiops-wb "
                "tokens list' shows them."
            )
    return gone


def tokens(data: str | Path) -> list[Token]:
    "Every token that was made, in order. StoreError where the file cannot be trusted."
    path = _path(data)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from None
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(
            f"{path} may be written by others, who could give themselves roles: chmod 600."
        )
    if found.st_uid not in believed(data):
        raise StoreError(
            f"{path} belongs to user {found.st_uid}: tokens are made by who owns the data folder."
        )
    return list(_read(path, found.st_ino, found.st_mtime_ns, found.st_size))


def find_token(data: str | Path, secret: str, now: datetime) -> Token | None:
    """The token of a secret; None where there is none, or it is over. The file is read again when
    it was replaced, and not otherwise. StoreError where it cannot be trusted."""
    asked, found = _digest(secret), None
    for token in tokens(data):
        if hmac.compare_digest(token.sha256, asked):
            found = token
    return found if found and found.state(now) == "valid" else None


def _digest(secret):
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _path(data):
    return Path(data) / "tokens.json"


@lru_cache(maxsize=8)
def _read(path: Path, *_version: int) -> tuple[Token, ...]:
    "The tokens in a file as it was at a time."
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        return tuple(_parsed(one) for one in told)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise StoreError(f"{path} is damaged: put back a copy, or make tokens anew.") from None


def _parsed(told: dict[str, Any]) -> Token:
    if not isinstance(told, dict) or not set(told["roles"]) <= set(ROLES):
        raise ValueError("no token")
    names = {f.name for f in fields(Token)}
    kept = {name: value for name, value in told.items() if name in names}
    times = {n: datetime.fromisoformat(kept[n]) for n in _TIMES if kept.get(n)}
    if any(time.tzinfo is None for time in times.values()):
        raise ValueError("a time without a zone")
    return Token(**kept | times | {"roles": tuple(kept["roles"])})


Change = Callable[[Callable[[list[Token]], list[Token]]], tuple[list[Token], list[Token]]]


@contextmanager
def _changing(data: Path) -> Iterator[Change]:
    "Nobody else changes tokens for the moment; what is changed stands as a whole, on the disk."
    try:
        make_folder(data)
        with open(data / "tokens.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

            def change(made):
                before = tokens(data)
                after = made(before)
                if after != before:
                    _write(_path(data), after)
                return before, after

            yield change
    except OSError as error:
        raise StoreError(f"tokens cannot be written: {error.strerror or error}.") from None


def _write(path, known):
    text = json.dumps({"tokens": [asdict(token) for token in known]}, indent=1, default=_plain)
    write_durably(path, text, 0o600)


def _plain(value):
    return value.isoformat()


_TOKEN = "token"


def record_tokens(store: AuditWrites, now: datetime) -> int:
    """Add to the audit trail what it does not know yet of tokens that were made or revoked; how
    many rows. A file that cannot be trusted is said, and costs nothing else; while the trail does
    not hold it learns nothing."""
    if store.trail_problem():
        return 0
    try:
        known = tokens(store.root)
    except StoreError as error:
        logger.warning("the audit trail knows nothing of tokens made since: %s", error)
        return 0
    rows = store.audit_head()[0] if known else 0
    for token in known:
        stands = store.in_force(_TOKEN, token.id)
        with store.transaction():
            if stands is None:
                made = token.made_by, _TOKEN, token.id, _made(token), _said(token.made_why)
                store.record(now, *made, _evidence(token, token.made_at))
            if token.revoked_at is not None and stands != "revoked":
                gone = token.revoked_by, _TOKEN, token.id, "revoked", _said(token.revoked_why)
                store.record(now, *gone, _evidence(token, token.revoked_at))
    return store.audit_head()[0] - rows if known else 0


def _made(token):
    end = f", until {token.expires_at:%Y-%m-%d %H:%M}" if token.expires_at else ""
    return f"made for {token.name}: {', '.join(token.roles)}{end}"


def _said(why):
    "A reason: the trail takes no row without one, and the file may have been edited."
    return why.strip() or "no reason was given"


def _evidence(token, at):
    return {"name": token.name, "roles": list(token.roles), "at": at.isoformat()}
