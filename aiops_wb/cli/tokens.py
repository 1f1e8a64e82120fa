"""Tokens: who may ask and change what over the network."""

from datetime import timedelta
from typing import Annotated

import typer

from ..log.tokens import ROLES, make_token, revoke_token, tokens
from .arguments import AsJson, Reason, as_days
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group()

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="whose it is: the author of what is done with it")
]


def _as_role(text: str) -> str:
    "A role; ValueError when the text is none."
    if text not in ROLES:
        raise ValueError(f"{text!r} is not one of {', '.join(ROLES)}")
    return text


Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        parser=_as_role,
        metavar="ROLE",
        help="read: all figures; propose: that, and to propose thresholds and look after cases; "
        "approve: that, and to put thresholds into force; decide: to have events decided, and "
        "nothing else; deliver: to hand in events, and nothing else; may be repeated",
    ),
]
Days = Annotated[
    int | None,
    typer.Option(
        parser=as_days, metavar="N", help="how many days it holds (default: until it is revoked)"
    ),
]


@command(app, "make")
def make(call: Call, name: Name, roles: Roles, days: Days = None, why: Reason = ""):
    "Make a token; its secret is printed once and kept nowhere."
    now = call.now()
    expires = now + timedelta(days) if days else None
    secret = make_token(call.settings.data, name, roles, call.who, now, expires, why)
    line(secret)
    until = f"until {expires:%Y-%m-%d %H:%M}Z" if expires else "until it is revoked"
    call.say(
        printable(f"a token for {name} ({', '.join(roles)}), {until}: keep it, it is shown once")
    )


@command(app, "list")
def list_tokens(call: Call, as_json: AsJson = False):
    "List tokens: of whom, for what, until when; no secret."
    now, known = call.now(), tokens(call.settings.data)
    valid = sum(one.state(now) == "valid" for one in known)
    total = f"{counted(len(known), 'token')}, {valid} valid" if known else "no token was made yet"
    show([_row(one, now) for one in known], _text, total, as_json)


def _row(token, now):
    return {
        "id": token.id,
        "name": token.name,
        "roles": ", ".join(token.roles),
        "state": token.state(now),
        "made_at": token.made_at,
        "made_by": token.made_by,
        "made_why": token.made_why,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "revoked_by": token.revoked_by or None,
        "revoked_why": token.revoked_why or None,
    }


def _text(row):
    said = printable(f"{row['name']}: {row['roles']}")
    if row["revoked_at"]:
        gone = f"{row['revoked_at']:%Y-%m-%d} by {row['revoked_by']}: {row['revoked_why']}"
        return f"{row['id']}  {said}  revoked {printable(gone)}"
    until = f"until {row['expires_at']:%Y-%m-%d %H:%M}Z" if row["expires_at"] else "no end"
    made = printable(f"made {row['made_at']:%Y-%m-%d} by {row['made_by']}")
    return f"{row['id']}  {said}  {row['state']}, {until}, {made}"


@command(app, "revoke")
def revoke(
    call: Call,
    named: Annotated[
        str, typer.Argument(metavar="ID|NAME", help="its id, or a name: every token of that name")
    ],
    why: Reason,
):
    "Revoke tokens: they are refused from now on, also while a daily run works."
    for token in revoke_token(call.settings.data, named, call.who, call.now(), why):
        line(printable(f"{token.id} of {token.name} is revoked"))
