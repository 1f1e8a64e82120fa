"""Why a figure changed: exact parts with their intervals, and a sentence."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..render.tables.bridge import part_words, value_words
from ..render.vocabulary import FACTORS
from ..stats.sides import FIGURES
from ..watch.view import View
from ..watch.why import Answer, Span, in_words
from .arguments import AsJson, AsOf, Model, as_date, as_instant, as_number
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json, show
from .thresholds import newest_view

app = alone()


def _as_figure(text: str) -> str:
    "The name of a figure; ValueError when there is none of that name."
    name = text.replace("-", "_")
    if name not in FIGURES:
        raise ValueError(f"{text!r} is none of {', '.join(FIGURES)}")
    return name


def _as_against(text: str) -> Span | str:
    "Two days with .. between them, or the word reference; ValueError when the text is neither."
    first, dots, last = text.partition("..")
    if text == "reference":
        return text
    if not dots:
        raise ValueError(f"{text!r} is neither reference nor days such as 2013-04-01..2013-04-07")
    return as_date(first), as_date(last)


def _as_cost(text: str | float) -> float:
    "A positive number; ValueError when the text is none."
    cost = as_number(str(text))
    if not 0 < cost < float("inf"):
        raise ValueError(f"{text!r} is not a number above 0")
    return cost


FirstDay = Annotated[
    date | None,
    typer.Option(
        "--from",
        parser=as_date,
        metavar="DAY",
        help="first day (default: the last 7 days whose labels are in, or the last 7 of figures "
        "that need none)",
        show_default=False,
    ),
]
LastDay = Annotated[
    date | None,
    typer.Option("--to", parser=as_date, metavar="DAY", help="last day", show_default=False),
]
Against = Annotated[
    str | None,
    typer.Option(
        parser=_as_against,
        metavar="DAY..DAY|reference",
        help="other days, or those that the version is held against (default: as many days right "
        "before)",
        show_default=False,
    ),
]
Then = Annotated[
    datetime | None,
    typer.Option(
        parser=as_instant,
        metavar="TIME",
        help="take the days before as they were known at this time: labels that came later are "
        "a part of their own",
    ),
]
MissCost = Annotated[
    float | None,
    typer.Option(
        parser=_as_cost,
        metavar="N",
        help="what a missed positive costs, in reviews of an alert: needed for cost (default: "
        "retrain_miss_cost)",
    ),
]


@command(app)
def why(
    call: Call,
    figure: Annotated[
        str,
        typer.Argument(parser=_as_figure, metavar="FIGURE", help=f"one of {', '.join(FIGURES)}"),
    ],
    model: Model,
    first: FirstDay = None,
    last: LastDay = None,
    against: Against = None,
    by: Annotated[
        Literal["site", "tenant", "all"], typer.Option(help="what the segments are")
    ] = "site",
    then: Then = None,
    miss_cost: MissCost = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
):
    days = _days(first, last)
    if then is not None and not isinstance(against, tuple):
        raise StoreError("--then needs --against with days: those that are taken as known then.")
    with call.reading() as log:
        view = _view(log, call, model, days, as_of)
        newest = _known_days(log, model, as_of)[-1]
        if days and last is None:
            days = days[0], min(days[1], newest)
        for span in (days, against):  # days behind it would count as days without an event
            if isinstance(span, tuple) and span[1] > newest:
                raise StoreError(f"the log of {model} ends on {newest}: {span[1]} is not known.")
        cost = miss_cost or call.settings.retrain_miss_cost
        if figure == "cost" and cost is None:
            raise StoreError("cost needs --miss-cost: what a missed positive costs, in reviews.")
        told = {"by": "" if by == "all" else by, "miss_cost": cost}
        answer = _answer(view, figure, days, against, then, told)
    if as_json:
        print_json({"model": model} | answer.as_json())
        return
    _print(answer)


def _days(first, last):
    "The days that are asked about; None where none are named."
    if first is None and last is None:
        return None
    first = first or last - min(timedelta(6), last - date.min)
    last = last or first + min(timedelta(6), date.max - first)
    if first > last:
        raise StoreError(f"the first day, {first}, is after the last, {last}.")
    return first, last


def _known_days(log, model, as_of):
    "The days of the log; StoreError without any."
    known = log.days(log.require_model(model), as_of)
    if not known:
        raise StoreError(f"{model} has no predictions{' as of then' if as_of else ' yet'}.")
    return known


def _view(log, call, model, days, as_of):
    "The view of the last day that is asked about, or of the newest."
    if days is None and as_of is None:
        return newest_view(log, call, model)
    known = _known_days(log, model, as_of)
    inside = [d for d in known if days is None or days[0] <= d <= days[1]]
    if not inside:
        raise StoreError(
            f"{model} has no predictions on these days: its log covers {known[0]} to {known[-1]}."
        )
    return View(log, model, inside[-1], as_of, call.settings)


def _answer(view, figure, days, against, then, told) -> Answer:
    explain = view.why
    if against is None:
        return explain.against_before(figure, days, **told)
    if against == "reference":
        return explain.against_reference(figure, days, **told)
    if against[0] > against[1]:
        raise StoreError(f"the first day, {against[0]}, is after the last, {against[1]}.")
    days = days or explain.newest(figure)
    if days is None:
        return explain.against_before(figure, **told)
    if days == against and then is None:
        raise StoreError("these are the same days: name --then, a time at which less was known.")
    return explain.against_days(figure, days, against, then=then, **told)


def _print(answer):
    found = answer.bridge
    if not found.unknown:
        rows = [{"part": "before", "change": value_words(found, found.before)}]
        rows += [
            {"part": FACTORS[p.factor], "change": part_words(found, p)}
            for p in found.parts
            if part_words(found, p) != "-"
        ]
        rows.append({"part": "after", "change": value_words(found, found.after)})
        line(f"{in_words(answer.after)} against {answer.against}")
        show(rows, lambda row: f"  {row['part']:26} {row['change']}")
    line(printable(found.says()))
    for note in answer.notes:
        line(printable(f"note: {note}"))
