"""A version that was exported, registered in this log (extra ml)."""

from pathlib import Path
from typing import Annotated

import typer

from ..models.folder import import_version
from .arguments import Model, Version
from .call import Call, alone, already, command
from .lines import line, printable

app = alone()


@command(app)
def import_folder(
    call: Call,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="what 'aiops-wb models export' wrote")
    ],
    model: Model,
    version: Version,
):
    settings = call.settings
    zone = settings.timezone if "timezone" in settings.model_fields_set else None
    with call.writing(zone) as log:
        options, rows = settings.certainty, log.audit_head()[0]
        found = import_version(log, call.now(), call.who, model, version, folder, options)
        again = already(log, rows) or ", not active"
    one, stood = found.version, found.in_force["threshold"]
    told = f"{model} {version} is registered{again}: {one.card['imported']['named']}, exported"
    line(printable(f"{told}; threshold {_shown(one, one.threshold)}"))
    if stood not in (None, one.threshold):
        line(f"where it was exported, {_shown(one, stood)} was in force")


def _shown(version, points):
    return f"{float(version.grid.inverse(points)):.3f} ({points} points)"
