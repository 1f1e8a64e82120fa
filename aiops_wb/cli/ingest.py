"""Taking in the spool, or a file of somebody's own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import load_settings
from ..log.ingest import ingest, ingest_file
from .arguments import as_pairs
from .call import Call, alone, command
from .lines import line

app = alone()


@command(app)
def ingest_(
    call: Call,
    file: Annotated[
        Path | None,
        typer.Option(
            help="a CSV, JSON-lines or Parquet file (default: everything in the spool)",
        ),
    ] = None,
    kind: Annotated[
        Literal["predictions", "outcomes"], typer.Option(help="what the file holds")
    ] = "predictions",
    columns: Annotated[
        dict | None,
        typer.Option(
            "--map",
            parser=as_pairs,
            metavar="OURS=THEIRS,...",
            help="columns of the file, such as score=p_fraud,prediction_id=id; "
            "other columns become features",
        ),
    ] = None,
    constants: Annotated[
        dict | None,
        typer.Option(
            "--set",
            parser=as_pairs,
            metavar="COLUMN=VALUE,...",
            help="constant columns, such as model=fraud,version=v1,threshold=0.5",
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="zone whose calendar days are the log's days; fixed when the log is created "
            "(default: UTC)",
        ),
    ] = None,
):
    settings = load_settings(**call.chosen, timezone=timezone)
    with call.writing(
        settings.timezone if "timezone" in settings.model_fields_set else None
    ) as log:
        if file:
            given = (file, kind, columns or {}, constants or {})
            taken = ingest_file(log, call.now(), call.who, *given)
        else:
            taken = ingest(log, call.now(), call.who)
        if taken.quarantined:
            for row in log.last_quarantined(5).itertuples():
                line(f"  {row.source}, line {row.line}: {row.reason}")
    line(taken)
    return 1 if taken.refused or (file and not taken.loaded and taken.quarantined) else 0
