"""Taking in the spool, or a file of somebody's own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import load_settings
from ..log.catalog import open_snapshot
from ..log.ingest import ingest, ingest_file
from ..log.preview import Preview, preview
from ..log.reading import Limits, ReadOptions
from ..log.roles import Choice
from .arguments import agreeing, all_pairs, as_names, as_pairs
from .call import Call, alone, command
from .lines import counted, line, printable

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
        list[dict] | None,
        typer.Option(
            "--map",
            parser=as_pairs,
            callback=agreeing,
            metavar="OURS=THEIRS,...",
            help="columns of the file, such as score=p_fraud,prediction_id=id; other columns "
            "become features; may be repeated",
            show_default=False,
        ),
    ] = None,
    constants: Annotated[
        list[dict] | None,
        typer.Option(
            "--set",
            parser=as_pairs,
            callback=agreeing,
            metavar="COLUMN=VALUE,...",
            help="constant columns, such as model=fraud,version=v1,threshold=0.5; may be repeated",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        list[tuple] | None,
        typer.Option(
            parser=as_names,
            metavar="COLUMN,...",
            help="only these columns become features (default: all that are nothing else)",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[tuple] | None,
        typer.Option(
            parser=as_names,
            metavar="COLUMN,...",
            help="these columns are not taken",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="print what each column of the file would become, and the first rows; "
            "write nothing",
        ),
    ] = False,
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
    only = None if features is None else tuple(n for names in features for n in names)
    without = tuple(n for names in exclude or () for n in names)
    choice = Choice(all_pairs(columns), all_pairs(constants), only, without)
    told = (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)
    options = ReadOptions(*told, Limits.of(settings), settings.null_words)
    if file is None and (choice or dry_run):
        raise typer.BadParameter(
            "--map, --set, --features, --exclude and --dry-run are about one file: name it with "
            "--file"
        )
    if dry_run:
        _show(file, preview(file, kind, choice, _known_outcomes(settings.data), options))
        return 0
    with call.writing(
        settings.timezone if "timezone" in settings.model_fields_set else None
    ) as log:
        if file:
            source = (file, kind, choice.mapping, choice.constants, options)
            taken = ingest_file(log, call.now(), call.who, *source, features=only, exclude=without)
        else:
            taken = ingest(log, call.now(), call.who, options=options)
        log.drop_quarantined_text(call.now(), settings.quarantine_days)
        if taken.quarantined:
            for row in log.last_quarantined(5).itertuples():
                line(f"  {row.source}, line {row.line}: {row.reason}")
    line(taken)
    held_back = taken.refused or taken.passed_over
    return 1 if held_back or (file and not taken.loaded and taken.quarantined) else 0


def _known_outcomes(data):
    "Columns that are known to be outcomes, where a log is published."
    if not (data / "aiops.duckdb").exists():
        return {}
    with open_snapshot(data) as log:
        return log.outcome_columns()


def _show(file: Path, seen: Preview):
    "Print what would become of a file."
    line(f"{printable(file.name)}: {counted(seen.good, 'row')} would be loaded; nothing is written")
    for name, column in seen.ours.items():
        line(f"  {name:<16} {printable(column)}")
    for name, kind in seen.features.items():
        line(f"  {'feature':<16} {printable(name)} ({kind})")
    for name, why in seen.left_out.items():
        line(f"  {'not taken':<16} {printable(name) or repr('')} ({printable(why)})")
    for note in seen.notes:
        line(f"note: {printable(note)}")
    if seen.waiting:
        line(f"{counted(seen.waiting, 'row')} without a label yet")
    for reason, n in list(seen.reasons.items())[:5]:
        line(f"{counted(n, 'row')} for the quarantine: {printable(reason)}")
    if len(seen.first):
        line(seen.first.to_string(index=False, na_rep=""))
