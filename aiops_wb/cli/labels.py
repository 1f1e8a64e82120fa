"""How labels arrive, and what is declared about those that never come."""

from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.never import in_percent
from ..watch.arriving import how_labels_arrive
from .arguments import AsJson, OneOrEvery, Why, as_name
from .call import Call, command, group
from .lines import line, printable
from .output import print_json

app = group()


def as_share(text: str) -> float | Literal["none"]:
    "A share such as 0.2 or 20%, or none; ValueError for anything else."
    number = text.removesuffix("%")
    try:
        share = float(number) / (100 if number != text else 1)
    except ValueError:
        share = -1.0
    if text == "none" or 0 <= share < 1:
        return text if text == "none" else share
    raise ValueError(
        f"{text!r} is not a share of events such as 0.2 or 20%, from 0 to below 1, nor 'none'"
    )


OneModel = Annotated[
    str | None,
    typer.Option(
        "--model", parser=as_name, metavar="MODEL", help="the model (default: the only one)"
    ),
]


@command(app, "show")
def show(
    call: Call,
    model: OneOrEvery = None,
    as_json: AsJson = False,
):
    "Show how labels arrive, which days are complete, and what is declared never to get a label."
    with call.reading() as log:
        models = [log.require_model(model)] if model else log.models()
        before = _yesterday(call, log)
        told = [how_labels_arrive(log, one, before, call.settings) for one in models]
    if as_json:
        print_json(told)
        return
    for row in told:
        for text in _lines(row):
            line(printable(text))
    if not told:
        line("the log is empty: no label is known yet")


def _lines(row):
    "What is known of a model's labels, line by line."
    yield f"{row['model']}: {row['says']}"
    if row["known_by_age"]:
        yield f"  known by age: {_shares(row['known_by_age'])}"
    for band, shares in row["by_band"].items():
        yield f"    {band} scores: {_shares(shares)}"
    of = f"{row['complete_days']:,} of {row['days']:,} days"
    newest = f", the newest {row['newest_complete']}" if row["newest_complete"] else ""
    yield f"  complete: {of}{newest}"
    yield f"  waiting: {row['waits'] or 'nothing'}"
    yield f"  never labelled: {_never(row['never'])}"
    yield f"  declared: {row['declared'] or 'nothing'}"
    for change in row["changes"]:
        yield "    {changed_at:%Y-%m-%d %H:%M}Z {who}: {old} -> {new} ({why})".format(
            **change | {name: _declared(change[name]) for name in ("old", "new")}
        )


def _shares(by_age):
    "Known shares by age in words."
    days = {age: f"{age} day{'' if age == 1 else 's'}" for age in by_age}
    return ", ".join(f"{share:.1%} after {days[age]}" for age, share in by_age.items())


def _never(figure):
    if figure is None:
        return "not known"
    interval = (
        "" if figure["lower"] is None else f" ({figure['lower']:.1%} to {figure['upper']:.1%})"
    )
    return f"{figure['value']:.1%} of events{interval}, as the log shows"


def _declared(value):
    "A declaration as the audit trail keeps it."
    return in_percent(float(value)) if value not in (None, "none") else value or "-"


@command(app, "never")
def never(
    call: Call,
    share: Annotated[
        str,
        typer.Argument(
            parser=as_share,
            metavar="SHARE",
            help="the share of events, such as 0.2 or 20%, that never gets a label; the smallest "
            "that is sure (none: nothing is declared any more)",
        ),
    ],
    model: OneModel = None,
    why: Why = None,
):
    "Declare that up to a share of a model's events never gets a label; labels that come refute it."
    _require_reason(why)
    with call.writing() as log:
        chosen = _chosen(log, model)
        declared = None if share == "none" else share
        log.declare_never(call.now(), call.who, chosen, declared, why)
        _print_change(call, log, chosen)


@command(app, "rollback")
def roll_back(call: Call, model: OneModel = None, why: Why = None):
    "Put back what was declared before about labels that never come."
    _require_reason(why)
    with call.writing() as log:
        chosen = _chosen(log, model)
        log.roll_back(call.now(), call.who, "never", chosen, why)
        _print_change(call, log, chosen)


def _require_reason(why):
    if not why:
        raise StoreError("what is declared about labels needs a reason: add --why.")


def _chosen(log: Reader, model: str | None) -> str:
    "The model that is named, or the only one of the log."
    known = log.models()
    if not known:
        raise StoreError("the log is empty: there is no model yet whose labels could be missing.")
    if model is None and len(known) > 1:
        raise StoreError(f"which model: name one of {', '.join(known)} with --model.")
    return log.require_model(model or known[0])


def _print_change(call, log, model):
    "What is declared now, and what that makes of the days of the log."
    stands = log.never_labelled(model)
    share = f"{in_percent(stands.share)} of events never get a label" if stands else "nothing"
    line(f"{model}: declared is now {share}; it counts from the next figures on")
    line(printable(how_labels_arrive(log, model, _yesterday(call, log), call.settings)["says"]))


def _yesterday(call, log):
    return call.now().astimezone(ZoneInfo(log.timezone)).date() - timedelta(1)
