"""Cases that are done with."""

from typing import Annotated, Literal

import typer

from .arguments import Reason
from .call import Call, alone, already, command
from .handling import Ids
from .lines import line

app = alone()


@command(app)
def close(
    call: Call,
    ids: Ids,
    why: Reason,
    outcome: Annotated[
        Literal["confirmed", "dismissed", "unclear"] | None,
        typer.Option(
            help="how they ended, for people to read; a label comes by 'aiops-wb ingest'",
            show_default=False,
        ),
    ] = None,
):
    with call.writing() as log:
        rows = log.audit_head()[0]
        log.close_cases(call.now(), call.who, ids, why, outcome)
        told = already(log, rows)
    as_ = f" as {outcome}" if outcome else ""
    for one in dict.fromkeys(ids):
        line(f"{one} is closed{as_}: a further event opens a new case{told}")
