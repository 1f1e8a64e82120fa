"Hours at which a series of a model was not as usual."

from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ..watch.anomalies import Anomalies, anomalies
from .arguments import AsJson, AsOf, Models, as_date
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json

app = alone()

Day = Annotated[
    date | None,
    typer.Option(
        parser=as_date,
        metavar="DAY",
        help="the last of the seven days (default: the newest that is over)",
        show_default=False,
    ),
]


@command(app, "anomalies")
def week(
    call: Call, models: Models = None, day: Day = None, as_of: AsOf = None, as_json: AsJson = False
):
    rules = call.settings.anomaly_levels, call.settings.anomaly_weeks
    with call.reading() as log:
        today = (as_of or call.now()).astimezone(ZoneInfo(log.timezone)).date()
        told = {}
        for model in [log.require_model(m) for m in models or log.models()]:
            days = log.days(model)
            until = day or (min(days[-1], today - timedelta(1)) if days else today)
            told[model] = anomalies(log, model, until, as_of, *rules)
    if as_json:
        print_json([_as_json(model, found) for model, found in told.items()])
        return
    for model, found in told.items():
        _print(model, found)
    if not told:
        line("no model has predictions yet")


def _print(model: str, found: Anomalies):
    "One model in lines, worst first."
    line(printable(f"{model}, seven days to {found.last}: {_says(found)}"))
    for one in found.found:
        line(printable(f"  {one}"))
    for leak in found.leaks:
        line(printable(f"  {leak.level} {leak.series}: {leak.a_week:+.1%} a week"))


def _says(found):
    "What was found, or why nothing could be."
    n = len(found.found) + len(found.leaks)
    if found.why and not n:
        return found.why
    said = f"{n} not as usual" if n else "as usual"
    return f"{said}, held against {found.weeks} weeks. {found.why}".rstrip()


def _as_json(model: str, found: Anomalies):
    return {
        "model": model,
        "day": found.last,
        "weeks": found.weeks,
        "series": found.series,
        "unknown": found.why or None,
        "found": [_flag(one.first, one.flag) for one in found.found],
        "leaks": [leak._asdict() for leak in found.leaks],
    }


def _flag(first: datetime, flag):
    "A window as JSON: when it begins, in the log's zone, instead of its place in the week."
    told = flag._asdict()
    del told["start"]
    return {"first": first.isoformat(timespec="minutes")} | told
