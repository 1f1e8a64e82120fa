"""Arguments that several commands share, and what their text means."""

import csv
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import typer

from ..log.instants import as_date, as_instant
from ..log.names import checked_name

__all__ = [
    "AlertsPerDay",
    "AsJson",
    "AsOf",
    "DaysBack",
    "FirstDay",
    "LastDay",
    "Model",
    "Models",
    "OneOrEvery",
    "Reason",
    "Reports",
    "SegmentSeconds",
    "Version",
    "Why",
    "agreeing",
    "all_pairs",
    "as_date",
    "as_days",
    "as_instant",
    "as_names",
    "as_name",
    "as_number",
    "as_pairs",
    "number_option",
]


def as_days(text: str | int) -> int:
    "A number of days; ValueError when the text is none."
    if not str(text).isdigit() or not 1 <= int(text) <= 36500:
        raise ValueError(f"{text!r} is not a number of days from 1 to 36500")
    return int(text)


def as_number(text: str) -> float:
    "A number; ValueError when the text is none."
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 0.6") from None


def as_pairs(text: str) -> dict[str, str]:
    "Names and values; ValueError when the text is no list of them, or gives a name two values."
    pairs = [p.partition("=") for p in _listed(text)]
    if not all(k.strip() and sep and v.strip() for k, sep, v in pairs):
        raise ValueError(f"{text!r} is not a list of name=value")
    return all_pairs([{k.strip(): v.strip()} for k, _, v in pairs])


def all_pairs(given: Sequence[dict[str, str]] | None) -> dict[str, str]:
    "Pairs of an option that was given several times; ValueError when a name has two values."
    told = {}
    for pairs in given or ():
        for name, value in pairs.items():
            if told.setdefault(name, value) != value:
                raise ValueError(f"{name} is given twice, as {told[name]} and as {value}")
    return told


def agreeing(given: list[dict] | None) -> list[dict] | None:
    "Pairs as they were given; wrong usage when a name has two values."
    try:
        all_pairs(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return given


def as_names(text: str) -> tuple[str, ...]:
    "Names between commas; ValueError when one is empty."
    names = tuple(name.strip() for name in _listed(text))
    if not names or "" in names:
        raise ValueError(f"{text!r} is not a list of names")
    return names


def _listed(text):
    "What stands between commas; what holds one is put in double quotes."
    if '"' not in text:
        return text.split(",") if text else []
    try:
        return next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise ValueError(f"{text!r} is not a list: {error}") from None


as_name = checked_name
"The name of a model or a version; ValueError when the text is none."

Model = Annotated[str, typer.Option(parser=as_name, metavar="MODEL", help="the model")]
Version = Annotated[str, typer.Option(parser=as_name, metavar="VERSION", help="the version")]
OneOrEvery = Annotated[
    str | None,
    typer.Argument(
        parser=as_name, metavar="[MODEL]", help="only this model (default: every model)"
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        parser=as_name,
        metavar="MODEL",
        help="only this model; may be repeated",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="the reason, for the audit trail")]
Why = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="the reason, for the audit trail; a change needs it"),
]
FirstDay = Annotated[date, typer.Option("--from", parser=as_date, metavar="DAY", help="first day")]
LastDay = Annotated[date, typer.Option("--to", parser=as_date, metavar="DAY", help="last day")]
AlertsPerDay = Annotated[
    float | None,
    typer.Option(
        parser=as_number,
        metavar="N",
        help="start with the lowest threshold that calls somebody at most so often a day, on the "
        "mean of its held-out or reference days (default: the score where HIGH begins)",
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        parser=as_instant,
        metavar="TIME",
        help="use only what was known at this time (default: all)",
    ),
]
Reports = Annotated[
    Literal["all", "last", "none"],
    typer.Option(
        "--reports", help="execute the report notebooks of all days, the last one, or none"
    ),
]
DaysBack = Annotated[
    int,
    typer.Option("--days", parser=as_days, metavar="N", help="how many days back from the newest"),
]
SegmentSeconds = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=86_400,
        metavar="SECONDS",
        help="after how long the next ingest may take an event",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def number_option(text: str):
    "An option that is a number, where it is given; what it is, in words."
    return Annotated[
        float | None,
        typer.Option(parser=as_number, metavar="X", help=text, show_default=False),
    ]
