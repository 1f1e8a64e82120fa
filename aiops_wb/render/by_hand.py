"""A report that somebody runs by hand: of the day and the model that are asked for, with values of
their own for its parameters. Nothing of it is recorded, and no page of the night is replaced."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Settings
from ..log.catalog import Reader
from ..log.errors import StoreError
from .jobs import Job
from .own_jobs import OwnRun, given, own_job
from .own_reports import BY_HAND, Report
from .pages import day_navigation, navigation
from .parameters import told

__all__ = ["KEPT", "Asked", "job_by_hand", "values_given"]

KEPT = {
    "data": "it is the data folder, --data",
    "settings": "they are those of aiops.toml and of AIOPS_ variables",
}
"Parameters that a run gives itself, and by which they are chosen."
OPTIONS = ("model", "day", "as_of")
"Parameters that options of a command give as well."


class Asked(NamedTuple):
    "Which model and day are asked for, as known when; what is empty is chosen."

    model: str = ""
    day: date | None = None
    as_of: datetime | None = None


def values_given(
    report: Report, pairs: Mapping[str, str], options: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Values for a report's own parameters, and texts for model, day and as_of, of `name=value`
    pairs and of options. Checked before anything starts: ParameterError names what is not allowed,
    StoreError what is given twice."""
    values = told(report.parameters, pairs, KEPT)
    chosen = {name: pairs[name] for name in OPTIONS if name in pairs}
    for name, text in options.items():
        option = f"--{name.replace('_', '-')}"
        if name == "model" and report.per == "day":
            raise StoreError(f"{report.name} runs once a day, of no model: leave {option} out.")
        if chosen.setdefault(name, text) != text:
            raise StoreError(f"{name} is given twice, as {chosen[name]} and by {option} {text}.")
    return {name: value for name, value in values.items() if name not in OPTIONS}, chosen


def job_by_hand(
    reader: Reader,
    report: Report,
    values: Mapping[str, Any],
    asked: Asked,
    data: Path,
    settings: Settings,
    out: Path | None = None,
) -> Job:
    """The job of a report; its page goes to `out`, else beside those of the night under a name of
    its own. StoreError where there is no such model or day."""
    one = _run(reader, report, asked)
    every = given(data, one.day, one.model, asked.as_of, settings)
    names = {parameter.name for parameter in report.parameters}
    target = out or _place(settings.reports, one)
    links = () if out else _around(one)
    job = own_job(data, settings.reports, one, settings)
    return replace(
        job,
        target=target,
        parameters={n: v for n, v in every.items() if n in names} | dict(values),
        navigation=links,
        own=report.own,
    )


def _run(reader, report, asked) -> OwnRun:
    "The day and the model of a report: those that are asked for, else the newest and the first."
    known = reader.models()
    if not known:
        raise StoreError("the log is empty: log some predictions and run 'aiops-wb ingest' first.")
    model = reader.require_model(asked.model or known[0]) if report.per == "model" else ""
    days = sorted(
        {day for m in ([model] if model else known) for day in reader.days(m, asked.as_of)}
    )
    of = model or "the log"
    if not days:
        raise StoreError(f"{of} has no predictions yet{' as of then' if asked.as_of else ''}.")
    day = asked.day or days[-1]
    if day not in days:
        raise StoreError(f"{of} has no predictions on {day}: it has {days[0]} to {days[-1]}.")
    return OwnRun(day, model, report, asked.as_of)


def _place(reports, one) -> Path:
    return Path(reports) / str(one.day) / one.folder / f"{one.report.file}{BY_HAND}.html"


def _around(one):
    "Links at the top: to the page of the night, and where it lies."
    told = {one.report.file: {"title": one.report.title}}
    if one.model:
        return navigation(one.model, str(one.day), [], "", told)
    return day_navigation(str(one.day), [], "", told)
