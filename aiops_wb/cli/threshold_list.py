"""Every threshold in force, and what is proposed instead."""

from typing import Annotated

import typer

from ..watch.listed import every_standing, threshold_row
from ..watch.threshold_changes import whose
from .arguments import AsJson, as_name
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import show

app = alone()


@command(app)
def list_thresholds(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name, metavar="MODEL", help="only of this model (default: of every model)"
        ),
    ] = None,
    as_json: AsJson = False,
):
    now = call.now()
    with call.reading() as log:
        every = every_standing(log, model, now, call.settings)
    total = counted(len(every), "threshold")
    show([threshold_row(one) for one in every], _text, total, as_json)
    for one in [] if as_json else every:
        for proposal, gone in one.proposals:
            line(printable(_proposed(one, proposal, gone)))


def _text(row):
    scope = (row["tenant"], row["site"]) if row["tenant"] else None
    since = f"since {row['since']:%Y-%m-%d %H:%M}Z by {row['by']}: " if row["since"] else ""
    return printable(
        f"{row['model']} {row['version']}{', ' + whose(scope) if scope else ''}: "
        f"{row['threshold']:.3f} ({row['points']} points), {since}{row['why']}"
        + ("" if row["dial"] == "on" else "; the dial is off: it decides nothing")
        + (f"; proposed: {row['proposals']}" if row["proposals"] else "")
    )


def _proposed(one, proposal, gone):
    score = float(one.grid.inverse(proposal.points))
    return (
        f"  {proposal.key} {one.model}: {score:.3f} ({proposal.points} points), proposed "
        f"{proposal.at:%Y-%m-%d} by {proposal.who}: {proposal.why}"
        + (f"; overtaken: {gone}" if gone else "")
    )
