"""Cases that are given to somebody."""

from typing import Annotated

import typer

from .arguments import Reason
from .call import Call, alone, already, command
from .handling import Ids
from .lines import line

app = alone()


@command(app)
def assign(
    call: Call,
    ids: Ids,
    to: Annotated[str, typer.Option(metavar="NAME", help="who looks after them from now on")],
    why: Reason,
):
    with call.writing() as log:
        rows = log.audit_head()[0]
        log.assign_cases(call.now(), call.who, ids, to, why)
        told = already(log, rows)
    for one in dict.fromkeys(ids):
        line(f"{one} is given to {to.strip()}{told}")
