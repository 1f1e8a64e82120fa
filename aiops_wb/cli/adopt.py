"""Adopting a version that was trained elsewhere (extra ml)."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from ..log.roles import Choice
from ..models.adoption import Start
from ..models.complete import held_out_words, label_rules
from ..stats.counts import total
from ..stats.decisions import Ladder
from ..watch.adopt import adopt_days, adopt_file
from ..watch.dial import calls_in_words
from ..watch.registered import ENOUGH_DAYS
from .arguments import AlertsPerDay, Model, Version, agreeing, all_pairs, as_date, as_pairs
from .call import Call, alone, already, command
from .delivery import (
    Decimal,
    Encoding,
    NaiveTimezone,
    ScoreScale,
    SkipLines,
    Thousands,
    read_options,
)
from .lines import counted, line, printable

app = alone()
_PLAIN = (None, ".", None, 0, None, "probability")
"How a reference file is spelt of which nothing is said."
SHOWN = ("roc_auc", "pr_auc", "precision", "recall")
First = Annotated[
    date | None,
    typer.Option(
        "--from",
        parser=as_date,
        metavar="DAY",
        help="first day of the log that is its reference, and not watched",
    ),
]
Last = Annotated[
    date | None,
    typer.Option(
        "--to",
        parser=as_date,
        metavar="DAY",
        help="last day of the log that is its reference; it scored on 28 of them at least",
    ),
]


@command(app)
def adopt(
    call: Call,
    model: Model,
    version: Version,
    first: First = None,
    last: Last = None,
    reference_file: Annotated[
        Path | None,
        typer.Option(
            help="or a CSV, JSON-lines or Parquet file of scored and labelled rows that are not in "
            "the log: the columns of predictions, and label",
        ),
    ] = None,
    columns: Annotated[
        list[dict] | None,
        typer.Option(
            "--map",
            parser=as_pairs,
            callback=agreeing,
            metavar="OURS=THEIRS,...",
            help="columns of that file, such as score=p_fraud,label=fraud; may be repeated",
            show_default=False,
        ),
    ] = None,
    encoding: Encoding = None,
    decimal: Decimal = ".",
    thousands: Thousands = None,
    skip_lines: SkipLines = 0,
    naive_timezone: NaiveTimezone = None,
    score_scale: ScoreScale = "probability",
    model_file: Annotated[
        Path | None,
        typer.Option(
            help="XGBoost's file of the model (.ubj or .json, never a pickle), for explanations "
            "and for scoring here; it must score the reference's rows as they were logged",
        ),
    ] = None,
    alerts_per_day: AlertsPerDay = None,
    allow_incomplete: Annotated[
        bool,
        typer.Option(
            "--allow-incomplete",
            help="use the labels of all its days, also of those whose labels are still arriving: "
            "figures may be too good, and nothing is automated by them; remembered with the "
            "version (default: days whose labels are complete, as far as the log shows which are)",
        ),
    ] = False,
):
    spelt = (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)
    _check(first, last, reference_file, columns or spelt != _PLAIN)
    settings, rules = call.settings, label_rules(call.settings)
    with call.writing() as log:
        adopted = log, call.now(), call.who, model, version
        rows = log.audit_head()[0]
        begins = Start(Ladder.of(settings.risk_cuts).high, alerts_per_day)
        more = {"begins": begins, "options": settings.certainty}
        more |= {"allow_incomplete": allow_incomplete}
        if reference_file:
            choice = Choice(all_pairs(columns))
            reading = read_options(settings, *spelt)
            more |= {"choice": choice, "reading": reading, "share": rules["share"]}
            found = adopt_file(*adopted, reference_file, model_file, **more)
        else:
            log.require_model(model)
            found = adopt_days(*adopted, first, last, model_file, **more, **rules)
        again = already(log, rows)
    _tell(found)
    if again:
        line(f"it is registered{again}")


def _check(start, end, file, of_file):
    "Wrong usage where not exactly one reference is named."
    days = start is not None, end is not None
    if any(days) != all(days) or bool(file) == any(days):
        raise typer.BadParameter(
            "a reference is days of the log, --from and --to, or a --reference-file: name one"
        )
    if of_file and not file:
        raise typer.BadParameter(
            "--map, and how a file is spelt (--score-scale and the like), are about a "
            "--reference-file"
        )


def _tell(found):
    "Print what was adopted, on what, and what is to be known of it."
    for note in found.notes:
        line(f"note: {printable(note)}")
    if found.told:
        line(found.told)
    version, card = found.version, found.version.card
    adopted = card["adopted"]
    if adopted["model_file"]:
        line(f"{adopted['model_file']} scores {adopted['agrees']:.1%} of the rows as logged")
    figures = {k: round(v, 3) for k in SHOWN if (v := card["metrics"].get(k)) is not None}
    watched = counted(len(card["bins"]), "feature")
    line(
        f"{version.model} {version.version} is adopted on {adopted['reference']}: {figures} "
        f"{held_out_words(card)}; {watched}, threshold {version.threshold} points, "
        f"{adopted['threshold']}"
    )
    line(calls_in_words(total(found.held_out.values()), card))
    if len(found.held_out) < ENOUGH_DAYS:
        line(
            f"{len(found.held_out)} reference days have labels that count: with fewer than "
            f"{ENOUGH_DAYS} it is not known how much days differ, and alarms are without a level"
        )
