"""A registered version as a folder that mlflow can load (extra ml)."""

from pathlib import Path
from typing import Annotated

import typer

from ..models.folder import export_version
from .arguments import Model, Version
from .call import Call, alone, command
from .lines import line, printable

app = alone()


@command(app)
def export(
    call: Call,
    model: Model,
    version: Version,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="a new folder, or one that is empty")
    ],
):
    with call.reading() as log:
        folder = export_version(log, log.require_model(model), version, to, call.now())
    line(printable(f"{model} {version} is in {folder}: its README.md says how to load it"))
