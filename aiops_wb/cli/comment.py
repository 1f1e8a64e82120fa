"""What people say of cases."""

from typing import Annotated

import typer

from .call import Call, alone, already, command
from .handling import Ids
from .lines import line

app = alone()


@command(app)
def comment(
    call: Call,
    ids: Ids,
    text: Annotated[str, typer.Option(metavar="TEXT", help="what is said; the trail keeps it")],
):
    with call.writing() as log:
        rows = log.audit_head()[0]
        log.comment_on_cases(call.now(), call.who, ids, text)
        told = already(log, rows)
    for one in dict.fromkeys(ids):
        line(f"{one} is commented on{told}")
