"""A history from elsewhere, brought in as it was known."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import load_settings
from ..log.history import choices, import_history
from ..log.preview import preview
from .arguments import Model, agreeing, all_pairs, as_pairs
from .call import Call, command, group
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
from .lines import lines
from .meter import progress

app = group()

OutcomeColumns = Annotated[
    list[dict] | None,
    typer.Option(
        "--map-outcomes",
        parser=as_pairs,
        callback=agreeing,
        metavar="OURS=THEIRS,...",
        help="columns that are called otherwise in the file of outcomes; may be repeated",
        show_default=False,
    ),
]


@command(app, "import")
def import_(
    call: Call,
    predictions: Annotated[
        Path,
        typer.Option(metavar="FILE", help="a CSV, JSON-lines or Parquet file of predictions"),
    ],
    outcomes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="the file of their labels; it may be the same one"),
    ],
    model: Model,
    columns: Columns = None,
    outcome_columns: OutcomeColumns = None,
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
    "Load the past of a model so that questions as of then answer what nightly runs would have."
    settings = load_settings(**call.chosen, timezone=timezone)
    files = {"predictions": predictions, "outcomes": outcomes}
    chosen = choices(
        model,
        all_pairs(columns),
        all_pairs(constants),
        names_in(features),
        names_in(exclude) or (),
        all_pairs(outcome_columns),
        together=predictions.resolve() == outcomes.resolve(),
    )
    told = (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)
    options = read_options(settings, *told)
    if dry_run:
        known = known_outcomes(settings.data)
        for kind, file in files.items():
            seen = preview(file, kind, chosen[kind], known, options)
            show_preview(f"{kind} of {file.name}", seen)
        return 0
    zone = settings.timezone if "timezone" in settings.model_fields_set else None
    show = progress(call, unit="month")
    with call.writing(zone) as log:
        taken = import_history(
            log,
            call.now(),
            call.who,
            model,
            files,
            chosen,
            options,
            lambda months: show(months, "months counted"),
        )
        log.drop_quarantined_text(call.now(), settings.quarantine_days)
    for kind, done in taken.items():
        lines(f"{kind}: {done}")
    return 1 if any(not done.loaded and done.quarantined for done in taken.values()) else 0
