"""Taking in the spool, or a file of somebody's own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import load_settings
from ..log.ingest import ingest, ingest_file
from ..log.preview import preview
from ..log.roles import Choice
from ..log.sealed import record_what_stands
from ..watch.acts import take_in_acts, told_of
from .arguments import all_pairs
from .call import Call, alone, command
from .delivery import (
    Columns,
    Constants,
    Decimal,
    DryRun,
    Encoding,
    Exclude,
    Features,
    NaiveTimezone,
    ScoreScale,
    SkipLines,
    Thousands,
    Zone,
    known_outcomes,
    names_in,
    read_options,
    show_preview,
)
from .lines import line, lines, printable

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
    columns: Columns = None,
    constants: Constants = None,
    features: Features = None,
    exclude: Exclude = None,
    dry_run: DryRun = False,
    timezone: Zone = None,
    encoding: Encoding = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    skip_lines: SkipLines = 0,
    naive_timezone: NaiveTimezone = None,
    score_scale: ScoreScale = "probability",
):
    settings = load_settings(**call.chosen, timezone=timezone)
    only, without = names_in(features), names_in(exclude) or ()
    choice = Choice(all_pairs(columns), all_pairs(constants), only, without)
    told = (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)
    options = read_options(settings, *told)
    if file is None and (choice or dry_run):
        raise typer.BadParameter(
            "--map, --set, --features, --exclude and --dry-run are about one file: name it with "
            "--file"
        )
    if dry_run:
        show_preview(file.name, preview(file, kind, choice, known_outcomes(settings.data), options))
        return 0
    with call.writing(
        settings.timezone if "timezone" in settings.model_fields_set else None
    ) as log:
        if file:
            source = (file, kind, choice.mapping, choice.constants, options)
            taken = ingest_file(log, call.now(), call.who, *source, features=only, exclude=without)
        else:
            for told in told_of(take_in_acts(log, call.now(), settings)):
                line(printable(told))
            taken = ingest(log, call.now(), call.who, options=options)
        record_what_stands(log, call.now(), call.who)
        log.drop_quarantined_text(call.now(), settings.quarantine_days)
        if taken.quarantined:
            for row in log.last_quarantined(5).itertuples():
                place = f", line {row.line}" if str(row.line).isdigit() else ""  # a stream has none
                line(f"  {row.source}{place}: {row.reason}")
        broken = log.trail_problem()
    lines(taken)
    if broken:
        line(printable(f"note: the audit trail is broken: {broken}. Nothing that decides changed."))
    held_back = taken.refused or taken.passed_over
    return 1 if held_back or (file and not taken.loaded and taken.quarantined) else 0
