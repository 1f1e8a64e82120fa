"""Putting a version into the champion's shadow, and taking it out."""

from typing import Annotated, Literal

import typer

from .arguments import Reason, as_name
from .call import Call, alone, already, command
from .lines import line, printable

app = alone()


@command(app)
def shadow(
    call: Call,
    model: Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")],
    version: Annotated[
        str, typer.Argument(parser=as_name, metavar="VERSION", help="a version with a file")
    ],
    state: Annotated[
        Literal["on", "off"],
        typer.Argument(
            metavar="on|off",
            help="on: it scores what the champion scores, and decides nothing; off: no longer",
        ),
    ],
    why: Reason,
):
    with call.writing() as log:
        rows = log.audit_head()[0]
        act = log.shadow if state == "on" else log.end_shadow
        act(call.now(), call.who, model, version, why)
        champion, again = log.active_version(model), already(log, rows)
    how = "is in the shadow of" if state == "on" else "is no longer in the shadow of"
    line(printable(f"{model} {version} {how} {champion}{again}"))
