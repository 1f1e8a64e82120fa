"""Every threshold in force, and what is proposed instead."""

from typing import Annotated

import typer

from ..watch.threshold_changes import Standing, standing, whose
from .arguments import AsJson, as_name
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import show

app = alone()
LOGGED, VERSIONS = "as logged with the predictions", "that of the version"


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
        models = [log.require_model(model)] if model else log.models()
        every = [one for name in models for one in standing(log, name, now, call.settings)]
    total = counted(len(every), "threshold")
    show([_row(one) for one in every], _text, total, as_json)
    for one in [] if as_json else every:
        for proposal, gone in one.proposals:
            line(printable(_proposed(one, proposal, gone)))


def _row(one: Standing):
    changed, scope = one.change, one.scope or (None, None)
    return {
        "model": one.model,
        "version": one.version,
        "tenant": scope[0],
        "site": scope[1],
        "threshold": round(one.score, 6),
        "points": one.points,
        "since": changed and changed.at,
        "by": changed and changed.who,
        "why": changed.why if changed else LOGGED if one.scope is None else VERSIONS,
        "dial": "on" if one.dial_on else "off",
        "proposals": ", ".join(p.key for p, _ in one.proposals) or None,
    }


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
