"""The table of sites: who is asked about a case."""

from pathlib import Path
from typing import Annotated

import typer

from ..log.sites import columns_not_read
from ..watch.calibrate import read_table
from .arguments import AsJson
from .call import Call, command, group
from .lines import counted, line, printable
from .output import show

app = group()


@command(app, "list")
def list_sites(call: Call, as_json: AsJson = False):
    "List the sites and who is asked about them."
    with call.reading() as log:
        known = log.sites()
    rows = [{"site_id": site, "tenant": tenant, **who} for (tenant, site), who in known.items()]
    rows.sort(key=lambda row: (row["tenant"], row["site_id"]))
    show(rows, _text, counted(len(rows), "site"), as_json)


def _text(row):
    named = f" ({printable(row['name'])})" if row["name"] else ""
    asked = [printable(row[role]) for role in ("security_manager", "manager") if row[role]]
    return f"{printable(row['site_id'])}{named}  -> {', '.join(asked) or 'nobody'}"


@command(app, "load")
def load(
    call: Call,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="a CSV file with site_id, security_manager, manager, "
            "and optionally name and tenant",
        ),
    ],
    why: Annotated[str, typer.Option(help="the reason, for the audit trail")],
):
    "Load the table of sites."
    table = read_table(file, "site_id, security_manager and manager")
    with call.writing() as log:
        changed = log.set_sites(call.now(), call.who, table, why)
    line(f"{changed} of {len(table)} sites are new or changed")
    unknown = columns_not_read(table)
    if unknown:
        line(f"not read: {', '.join(map(printable, unknown))}")
