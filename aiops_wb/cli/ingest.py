"""Taking in the spool, or a file of somebody's own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import load_settings
from ..log.ingest import ingest, ingest_file
from ..log.reading import Limits, ReadOptions
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
    encoding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="of text that is not UTF-8, such as latin-1"),
    ] = None,
    decimal: Annotated[str, typer.Option(metavar="MARK", help="decimal mark of numbers")] = ".",
    thousands: Annotated[
        str | None, typer.Option(metavar="MARK", help="mark between thousands")
    ] = None,
    skip_lines: Annotated[
        int, typer.Option(min=0, metavar="N", help="lines of title above the header of a CSV file")
    ] = 0,
    naive_timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="zone of times that are written without an offset"),
    ] = None,
    score_scale: Annotated[
        Literal["probability", "percent"], typer.Option(help="what the file's scores are")
    ] = "probability",
):
    settings = load_settings(**call.chosen, timezone=timezone)
    with call.writing(
        settings.timezone if "timezone" in settings.model_fields_set else None
    ) as log:
        told = (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)
        options = ReadOptions(*told, Limits.of(settings))
        if file:
            source = (file, kind, columns or {}, constants or {})
            taken = ingest_file(log, call.now(), call.who, *source, options)
        else:
            taken = ingest(log, call.now(), call.who, options=options)
        log.drop_quarantined_text(call.now(), settings.quarantine_days)
        if taken.quarantined:
            for row in log.last_quarantined(5).itertuples():
                line(f"  {row.source}, line {row.line}: {row.reason}")
    line(taken)
    held_back = taken.refused or taken.passed_over
    return 1 if held_back or (file and not taken.loaded and taken.quarantined) else 0
