"""What reports of one's own are asked to do, and where what came of it is told.

They run behind those of the package, in a helper of their own, when all pages of these are there: a
report of one's own that fails, hangs or fills the memory costs none of them anything. Then they are
added to the manifests of their days, of which pages are made.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..config import PREFIX, PRIVATE, Settings
from ..log.names import OF_DAY
from .frame import Link, write_whole
from .jobs import Job, ReportResult
from .own_reports import Report
from .pages import day_navigation, folder, manifests, navigation

__all__ = [
    "OwnRun",
    "add_to_manifest",
    "given",
    "in_manifest",
    "own_job",
    "own_result",
    "variables",
]


class OwnRun(NamedTuple):
    "A report of one's own on a day, as known at a time; `model` is empty where it is of none."

    day: date
    model: str
    report: Report
    as_of: datetime

    @property
    def folder(self) -> str:
        "Where its page lies in the folder of its day."
        return folder(self.model) if self.model else OF_DAY

    @property
    def name(self) -> str:
        "What its result is called."
        return " ".join(filter(None, (str(self.day), self.model, self.report.file)))


def given(
    data: Path, day: date, model: str, as_of: datetime | None, settings: Settings
) -> dict[str, Any]:
    "The parameters that every report is given."
    return {
        "data": str(Path(data).resolve()),
        "model": model,
        "day": str(day),
        "as_of": as_of.isoformat() if as_of else "",
        # all of them: a report must not find a file of settings that this run does not know
        "settings": settings.model_dump(mode="json", exclude=PRIVATE),
    }


def own_job(data: Path, reports: Path, one: OwnRun, settings: Settings) -> Job:
    "The job of a report; it is given what it declares of what every report is given."
    report = one.report
    names = {parameter.name for parameter in report.parameters}
    every = given(data, one.day, one.model, one.as_of, settings)
    return Job(
        one.name,
        report.notebook,
        Path(reports) / str(one.day) / one.folder / f"{report.file}.html",
        {name: value for name, value in every.items() if name in names},
        ", ".join(filter(None, (one.model, str(one.day)))) + f": {report.title}",
        _around(one),
        settings.engine,
        own=True,
        variables=variables(every["settings"]),
    )


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    "Settings as variables: what such a report opens by itself is read by those of this run."
    return {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
        if value is not None
    }


def _around(one) -> tuple[Link, ...]:
    "Links at the top until the pages of the day are written, which know what else there is."
    told = {one.report.file: {"title": one.report.title}}
    if one.model:
        return navigation(one.model, str(one.day), list(told), one.report.file, told)
    return day_navigation(str(one.day), list(told), one.report.file, told)


def own_result(result: ReportResult, one: OwnRun) -> ReportResult:
    "A result that says what the report is called."
    return replace(result, title=one.report.title)


_NOT_KEPT = ("picture", "name", "passing", "title")
"What a manifest does not say of a report."


def in_manifest(result: ReportResult, place: Path, name: str) -> dict[str, Any]:
    "What came of a report, for the manifest; its first picture is kept in the folder of its page."
    if result.picture:
        with suppress(OSError):  # a page without its picture says as much
            write_whole(place / f"{name}.svg", result.picture)
    return {k: v for k, v in asdict(result).items() if k not in _NOT_KEPT}


def add_to_manifest(
    reports: Path, day: date, of_day: Sequence[tuple[OwnRun, ReportResult]]
) -> None:
    """Add what came of reports of one's own to the manifest of their day: what it says of others
    stays. Nothing is done where the day has no manifest, and no page that could lead to them."""
    told = manifests(reports).get(str(day))
    if told is None:
        return
    for one, result in of_day:
        kept = _kept(told, one)
        if kept is None:
            continue
        place = Path(reports) / str(day) / one.folder
        said = {"title": one.report.title, "question": one.report.question}
        kept[one.report.file] = in_manifest(result, place, one.report.file) | said
    write_whole(Path(reports) / str(day) / "manifest.json", json.dumps(told, indent=1))


def _kept(told, one) -> dict | None:
    "Where a manifest tells of such reports; None where it does not know the model."
    if not one.model:
        if not isinstance(told.get("reports"), dict):
            told["reports"] = {}
        return told["reports"]
    entry = told["models"].get(one.model)
    return entry and entry["reports"]
