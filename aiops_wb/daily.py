"""One day, end to end: take in, figure, publish, hand on, report, record."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Event
from time import perf_counter, sleep
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd

from .config import Settings
from .log.anchor_command import anchor_trail, doubt_unanchored
from .log.catalog import Reader, open_snapshot
from .log.compaction import compact, plan
from .log.durable import time_ordered_id
from .log.errors import Busy, StoreError, raise_if_interrupted
from .log.ingest import Ingested, ingest
from .log.lease import DAILY, held
from .log.modes import make_folder
from .log.outbox import Outbox
from .log.passing import is_passing, pauses
from .log.reading import Limits, ReadOptions
from .log.reason_files import OfDay
from .log.retired import RETIRED
from .log.sealed import deciding_findings, record_what_stands
from .log.store import Store, open_store
from .log.taken_sums import check_share
from .render.again import run_again
from .render.archive import archive_reports
from .render.cases import write_cases
from .render.elsewhere import run_by
from .render.engine import Job, ReportResult, require_reports, run_jobs
from .render.manifest import entry, silent_entry, write_manifest
from .render.message import SEE_PAGES, failed_figures, failed_report
from .render.own_jobs import OwnRun, add_to_manifest, given, in_manifest, own_job, own_result
from .render.own_reports import FoundReports, Report, own_reports, report_notebooks
from .render.pages import QUESTIONS, RENAMED, REPORTS, folder, folder_of, navigation, write_pages
from .render.promises import write_promises
from .render.telling import sign_of_life, tell_people
from .streams.outgoing import begin_events, send_events
from .watch.ab import end_unwanted_ab
from .watch.acts import take_in_acts, told_of
from .watch.alarm_rows import any_to_tell, keep_evidence, record_alarms
from .watch.attribution import course_of
from .watch.cases import Opened, open_cases
from .watch.explore import renew_exploration
from .watch.figures import ALARMS_FAILED, day_figures, drift_figures, unknown_drift
from .watch.holidays import extend_holidays
from .watch.messages import Item
from .watch.promises import keep_ledger
from .watch.recalibrate import recalibrate
from .watch.registered import Versions
from .watch.silence import SilenceAlarm
from .watch.silence_rows import record_silence
from .watch.sinks import deliver, drift_messages, sinks
from .watch.tuning import tune_each_morning
from .watch.view import View

__all__ = [
    "DayReports",
    "due",
    "unfinished",
    "own_unfinished",
    "report_notebooks",
    "DayResult",
    "compute",
    "report_jobs",
    "Ran",
    "make_reports",
    "make_own_reports",
    "delivered",
    "hand_on",
    "Morning",
    "run",
    "tell",
    "tell_of_no_morning",
]

logger = logging.getLogger(__name__)


class DayReports(NamedTuple):
    "The reports of one day and model, as known at a time."

    day: date
    model: str
    as_of: datetime


def due(reader: Reader, now: datetime, models: Sequence[str] = ()) -> list[tuple[date, str]]:
    """(day, model) pairs whose figures are missing, failed, or older than predictions of that day.

    Oldest first. The running day is not due. Days before a version was switched off are left as
    they are; the figures of later ones go on, without alarms.
    """
    today = now.astimezone(ZoneInfo(reader.timezone)).date()
    runs = reader.runs(step="figures").drop_duplicates(["event_date", "model"], keep="last")
    runs = runs[runs.state == "ok"]
    done = dict(zip(zip(runs.event_date.dt.date, runs.model), runs.batch_id))
    pairs = []
    for model in models or reader.models():
        logged = reader.newest_batches(reader.require_model(model))
        asked = ~_left_alone(reader, model, logged)
        newest = logged[asked].groupby("event_date").batch.max()
        pairs += [
            (day.date(), model)
            for day, batch in newest.items()
            if day.date() < today and done.get((day.date(), model), -1) < batch
        ]
    return sorted(pairs)


def _left_alone(reader, model, logged):
    "Which rows are of a day before their version was switched off."
    left = np.zeros(len(logged), dtype=bool)
    for version in logged.version.unique():
        if off := reader.not_watched(model, version):
            since = off.since.astimezone(ZoneInfo(reader.timezone)).date()
            left |= (logged.version == version) & (logged.event_date.dt.date < since)
    return left


def unfinished(reader: Reader, reports: Path, models: Sequence[str] = ()) -> list[DayReports]:
    "Reports that were begun and did not end well, or whose page is gone though it is the newest."
    runs = reader.runs()
    runs = runs.assign(report=runs.step.replace(RENAMED))  # a page lies under the name of its step
    runs = runs[
        runs.model.isin(list(models or reader.models())) & runs.report.isin(list(QUESTIONS))
    ].drop_duplicates(["event_date", "model", "report"], keep="last")
    lost = runs[runs.state != "ok"]
    if len(runs):
        newest = runs[runs.event_date == runs.groupby("model").event_date.transform("max")]
        pages = [
            Path(reports, day, folder_of(reports, day, model), f"{step}.html")
            for day, model, step in zip(
                newest.event_date.dt.date.astype(str), newest.model, newest.step
            )
        ]
        lost = pd.concat([lost, newest[[not page.exists() for page in pages]]])
    return sorted(
        {
            DayReports(day.date(), model, as_of.to_pydatetime())
            for day, model, as_of in zip(lost.event_date, lost.model, lost.as_of)
        }
    )


MADE_AGAIN = timedelta(7)
"So long reports of one's own that failed are made again: one that hangs costs a morning no more."


def own_unfinished(
    reader: Reader,
    reports: Path,
    own: Sequence[Report],
    newest: Mapping[str, date],
    now: datetime,
) -> list[OwnRun]:
    """Reports of one's own that were begun in the last days and did not end well, and those that
    have no page on the newest day of a model or, where they are of none, of all (`newest`: model ->
    day) though it has pages: a report that is new, or one whose page is gone."""
    if not own or not newest:
        return []
    last = max(newest.values())
    runs = reader.runs()
    runs = runs[runs.step.isin([report.file for report in own])]
    runs = runs.drop_duplicates(["event_date", "model", "step"], keep="last")
    known = {
        (day.date(), model, step): (state, as_of.to_pydatetime())
        for day, model, step, state, as_of in zip(
            runs.event_date, runs.model, runs.step, runs.state, runs.as_of
        )
    }
    due = []
    for report in own:
        of = [*newest] if report.per == "model" else [""]
        due += [
            OwnRun(day, model, report, as_of)
            for (day, model, step), (state, as_of) in known.items()
            if step == report.file and model in of and state != "ok" and day > last - MADE_AGAIN
        ]
        for one in (OwnRun(newest.get(model, last), model, report, now) for model in of):
            if _has_no_page(reports, one):
                as_of = known.get((one.day, one.model, report.file), ("", now))[1]
                due.append(one._replace(as_of=as_of))
    return due


def _has_no_page(reports, one):
    "Whether a report has no page where the others have theirs."
    place = Path(reports) / str(one.day)
    there = (place / one.folder if one.model else place) / "index.html"
    return there.exists() and not (place / one.folder / f"{one.report.file}.html").exists()


@dataclass(frozen=True)
class _Step:
    "What the log records of a step of a day and model."

    event_date: date
    model: str
    step: str  # figures, or the name of a report
    state: str  # ok or failed, or begun: a report that has not ended yet
    as_of: datetime
    started_at: datetime
    seconds: float = 0.0
    detail: str | None = None
    run_id: str = field(default_factory=time_ordered_id)


def _record_steps(store, steps):
    batch = {as_of: store.known_batch(as_of) for as_of in {s.as_of for s in steps}}
    if steps:
        store.add_runs(pd.DataFrame([asdict(s) | {"batch_id": batch[s.as_of]} for s in steps]))


def _begun(chosen, names, now):
    "Reports of days as begun, so that a run that is stopped is taken up again."
    return [
        _Step(one.day, one.model, name, "begun", one.as_of, now) for one in chosen for name in names
    ]


@dataclass(frozen=True)
class DayResult:
    "What came of one day and model."

    day: date
    model: str
    state: str  # ok or failed
    error: str | None = None
    stored: bool = True  # whether figures are there; True beside failed: all but the alarms
    passing: bool = False  # failed, and may do well a little later


def compute(
    store: Store,
    day: date,
    model: str,
    now: datetime,
    settings: Settings,
    who: str = "daily",
    as_of: datetime | None = None,
    versions: Versions | None = None,
    then: Sequence[str] = (),
) -> DayResult:
    """Compute the figures of a day and model and store them; recalibrate on the model's newest day.

    One view answers everything, and its alarms are followed once. What fails is recorded and
    returned, not raised. `versions` of this store serve many days. The reports that follow (`then`)
    are recorded as begun with the figures: a day that is not due any more is one to be reported.
    """
    began, run_id, as_of = perf_counter(), time_ordered_id(), as_of or store.as_of_now(now)
    error, stored, passing, at = None, False, False, max(as_of, now)

    def ended():
        "What the log records of this."
        state, seconds = "failed" if error else "ok", perf_counter() - began
        return [_Step(day, model, "figures", state, as_of, at, seconds, error, run_id)]

    try:
        store.require_day(model, day)
        with store.one_thread():
            view = View(store, model, day, as_of, settings, versions)
            later = _states_of_later_days(store, view, now)
            decides = as_of >= now  # looking back changes nothing that decides
            # what is put in force is recorded: where that cannot be, what stands decides
            if decides and not later and not store.trail_problem():
                recalibrate(store, view, at, who)
                renew_exploration(store, view, at, who)
                end_unwanted_ab(store, model, at, who, settings)
            figures, error = _figures(view)
            if then:
                _keep_reasons(store, view)
            if then and decides:
                _keep_contributions(store, view, at)
            # mornings whose alarms failed are made up for
            followed = decides and "ok" not in later and not error
            moved = _what_moved(store, view) if followed and any_to_tell(store, view) else ""
            with store.transaction():
                _store_figures(store, view, figures, run_id, as_of, complete=not error)
                if followed:
                    record_alarms(store, view, as_of, at, moved)
                    keep_evidence(store, view)
                    _follow_silence(store, model, day, as_of, at)
                _record_steps(store, ended() + _begun([DayReports(day, model, as_of)], then, at))
        stored = True
    except Exception as problem:  # whatever it is, it costs this day of this model and no other
        raise_if_interrupted(problem)
        if isinstance(problem, duckdb.Error) and store.note_damaged():  # out of the way from now on
            return compute(store, day, model, now, settings, who, as_of, versions, then)
        error, passing = _reason(problem), is_passing(problem)
        _record_steps(store, ended())
    return DayResult(day, model, "failed" if error else "ok", error, stored, passing)


def _follow_silence(store, model, day, as_of, now):
    "What is known of silence up to a day; what fails costs no figure, the morning asks again."
    try:
        record_silence(store, model, day, as_of, now)
    except Exception as problem:
        raise_if_interrupted(problem)
        logger.warning("silence of %s up to %s is not known: %s", model, day, _reason(problem))


def _keep_reasons(store, view):
    """Reasons of the day's alerts, and what moved the scores, beside the day; without them a report
    makes its own or goes without."""
    if not view.explains:
        return
    try:
        from .models.kept_differences import keep_differences  # they need the extra ml
        from .models.kept_reasons import keep_reasons

        of = OfDay(view.model, view.version, view.day)
        keep_reasons(store, of, view.threshold, view.as_of)
        widest = view.tickets.widest_review(view.tickets.alerts())
        wide = widest if widest and widest.width >= view.settings.narrow_width else None
        keep_differences(store, of, view.as_of, wide)
    except Exception as problem:
        raise_if_interrupted(problem)
        logger.warning("%s %s: reasons are not kept: %s", view.day, view.model, _reason(problem))


def _what_moved(store, view):
    "What moved the scores of the newest days, or why that is not known, for what an alarm says."
    if not view.explains:
        return "not known, the version's file is not here."
    try:
        from .models.kept_differences import shift_in_words  # it needs the extra ml

        return shift_in_words(store, OfDay(view.model, view.version, view.day), view.as_of)
    except Exception as problem:
        raise_if_interrupted(problem)
        logger.warning("%s %s: what moved is not known: %s", view.day, view.model, _reason(problem))
        return f"not known, {_reason(problem)}"


def _keep_contributions(store, view, now):
    "How features pushed the scores of the day; without it nothing is said of what moved."
    if not view.explains or view.not_watched:
        return
    try:
        from .models.kept_contributions import keep_contributions  # it needs the extra ml

        keep_contributions(store, view.model, view.version, course_of(view).days, now)
    except Exception as problem:
        raise_if_interrupted(problem)
        logger.warning(
            "%s %s: contributions are not kept: %s", view.day, view.model, _reason(problem)
        )


def _states_of_later_days(store, view, now):
    "What became of the figures of later days; a day in the future is a clock gone wrong."
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    return store.figure_states(view.model, view.day, today)


def _figures(view):
    "All figures of a view, and why those about alarms could not be had (None: they could)."
    whole = day_figures(view)
    try:
        return pd.concat([whole, drift_figures(view)], ignore_index=True), None
    except Exception as problem:
        raise_if_interrupted(problem)
        error = f"{ALARMS_FAILED}: {_reason(problem)}"
        return pd.concat([whole, unknown_drift(view)], ignore_index=True), error


def _reason(problem):
    if isinstance(problem, StoreError):
        return str(problem)
    return "".join(traceback.format_exception_only(problem)).strip()


def _store_figures(store, view, figures, run_id, as_of, complete):
    "Append figures unless the same are known; `complete`: those that are known must be no more."
    frame = figures.assign(
        run_id=run_id, as_of=as_of, event_date=view.day, model=view.model, version=view.version
    )
    if not store.has_metrics(view.model, view.day) or not _told(store, frame, as_of, complete):
        store.add_metrics(frame)


def _told(store, frame, as_of, complete):
    "Whether figures of a day are among the known ones; `complete`: and there are no others."
    model, day = frame.model.iloc[0], frame.event_date.iloc[0]
    known = store.metrics(model, day, day, segment=None, tenant=None, as_of=as_of)
    keys = ["version", "tenant", "segment", "metric"]
    known, fresh = known.set_index(keys), frame.set_index(keys)
    known_too = fresh.index.isin(known.index).all() and (not complete or len(known) == len(fresh))
    return known_too and _same(known.loc[fresh.index], fresh)


def _same(known, fresh):
    "Whether figures are equal to the last bit."
    numbers = ["value", "lower", "upper", "n"]
    a, b = (frame[numbers].astype(float).sort_index() for frame in (known, fresh))
    return a.index.equals(b.index) and np.array_equal(a, b, equal_nan=True)


def report_jobs(
    data: Path, reports: Path, day: date, model: str, as_of: datetime, settings: Settings
) -> list[Job]:
    "The six report jobs of one day and model."
    notebooks = report_notebooks()
    parameters = given(data, day, model, as_of, settings)
    return [
        Job(
            _job_name(day, model, name),
            notebook,
            Path(reports) / str(day) / folder(model) / f"{name}.html",
            parameters,
            f"{model}, {day}: {REPORTS[name].title}",
            navigation(model, str(day), list(notebooks), name),
            settings.engine,
        )
        for name, notebook in notebooks.items()
    ]


def _job_name(day, model, report):
    return f"{day} {model} {report}"


def make_reports(
    data: Path,
    reports: Path,
    pairs: Iterable[tuple[date, str, datetime]],
    settings: Settings,
    on_done: Callable[[ReportResult], None] = lambda _: None,
) -> list[ReportResult]:
    """Run the reports of (day, model, as_of), write manifests and pages.

    Manifests and pages are written whatever becomes of the reports; where those of a day cannot
    be, that is a failed result behind those of the reports, and the other days have theirs.
    """
    _make_folder_of(reports, settings)
    wanted = sorted(DayReports(*pair) for pair in pairs)
    jobs = [job for one in wanted for job in report_jobs(data, reports, *one, settings)]
    results = _run_with_limits(jobs, settings, on_done)
    by_name = {result.name: result for result in results}
    failed = []
    with ExitStack() as open_until_here:
        reader = _snapshot(data, open_until_here)
        for day, of_day in groupby(wanted, key=lambda one: one.day):
            try:
                _write_manifest(reader, reports, day, list(of_day), by_name, settings)
            except Exception as problem:
                failed.append(_not_written(f"{day} manifest", problem))
        failed += _write_promises(reader, reports)
        failed += _write_cases(reader, reports, settings)
    return results + failed + _write_pages(reports, [str(one.day) for one in wanted])


def make_own_reports(
    data: Path,
    reports: Path,
    runs: Sequence[OwnRun],
    settings: Settings,
    on_done: Callable[[ReportResult], None] = lambda _: None,
) -> list[ReportResult]:
    """Run reports of one's own, add them to the manifests of their days and write their pages; a
    result for each, and one for what could not be written."""
    if not runs:
        return []
    jobs = [own_job(data, reports, one, settings) for one in runs]
    made = _run_with_limits(jobs, settings, on_done)
    results, failed = [own_result(*pair) for pair in zip(made, runs)], []
    told = sorted(zip(runs, results), key=lambda pair: pair[0].day)
    for day, of_day in groupby(told, key=lambda pair: pair[0].day):
        try:
            add_to_manifest(reports, day, list(of_day))
        except Exception as problem:
            failed.append(_not_written(f"{day} manifest", problem))
    return results + failed + _write_pages(reports, {str(one.day) for one in runs})


def _run_with_limits(jobs, settings, on_done):
    "Run jobs within the time and the memory that settings allow, what may pass once more."
    limits = {"timeout": settings.report_timeout, "memory": settings.report_memory}
    run_these = partial(_run_these, settings.report_executor, **limits)
    times = pauses(settings.morning_retries)
    return run_again(run_these, jobs, settings.jobs, times, sleep, _harmless(on_done))


def _run_these(executor, jobs, parallel, on_done, **limits):
    if executor is None:
        return run_jobs(jobs, parallel, on_done=on_done, **limits)
    return run_by(executor, jobs, parallel, on_done=on_done, **limits)


def _make_folder_of(reports, settings):
    "The folder of the reports; where it cannot be made, who writes into it says so."
    with suppress(OSError):
        make_folder(reports, settings.group)


def _write_promises(reader, reports):
    "The page of promises, by all that is known; a result where it could not be written."
    try:
        if not isinstance(reader, str):
            write_promises(reports, reader)
    except Exception as problem:
        return [_not_written("promises", problem)]
    return []


def _write_cases(reader, reports, settings):
    "The pages of cases, by all that is known; a result where they could not be written."
    try:
        if not isinstance(reader, str):
            write_cases(reports, reader, settings)
    except Exception as problem:
        return [_not_written("cases", problem)]
    return []


def _tell_cases(morning):
    "The pages of cases once more, with what was sent meanwhile; what failed."
    with ExitStack() as open_until_here:
        reader = _snapshot(morning.data, open_until_here)
        return _write_cases(reader, morning.reports, morning.settings)


def _snapshot(data, stack):
    "The published snapshot; what there is to be said about it when it cannot be read."
    try:
        return stack.enter_context(open_snapshot(data))
    except Exception as problem:
        return _reason(problem)


def _not_written(what, problem):
    raise_if_interrupted(problem)
    return ReportResult(what, "failed", f"{what} could not be written: {_reason(problem)}")


def _write_pages(reports, days):
    "The pages of days, and the front door; a result for what could not be written."
    try:
        write_pages(reports, days)
    except Exception as problem:
        return [_not_written("pages", problem)]
    return []


def _write_manifest(reader, reports, day, of_day, by_name, settings):
    "A day's manifest, with what came of the reports of each model."
    models = {}
    for one in of_day:
        try:
            if isinstance(reader, str):
                raise StoreError(reader)
            models[one.model] = entry(reader, day, one.model, one.as_of, settings)
        except Exception as problem:  # whatever it is: its reports are told all the same
            raise_if_interrupted(problem)
            models[one.model] = {"state": "failed", "error": _reason(problem)}
        models[one.model]["reports"] = _reported(one, by_name, reports)
    known = None if isinstance(reader, str) else reader
    write_manifest(known, reports, day, max(one.as_of for one in of_day), settings, models)


def _reported(one: DayReports, by_name: Mapping[str, ReportResult], reports: Path):
    "What came of each report of a day and model, for the manifest; their first pictures are kept."
    place = Path(reports) / str(one.day) / folder(one.model)
    return {
        name: in_manifest(by_name[_job_name(one.day, one.model, name)], place, name)
        for name in report_notebooks()
    }


@dataclass(frozen=True)
class Morning:
    "What the acts of a run share."

    data: Path
    reports: Path
    now: datetime
    settings: Settings
    as_of: datetime | None = None
    who: str = "daily"
    say: Callable[[str], None] = logger.info
    committed: datetime | None = None  # as of when all is known, where a clock was ahead

    @property
    def at(self) -> datetime:
        "When this is done, as it is recorded: what was recorded before is never after it."
        return self.committed or self.now

    @property
    def known_at(self) -> datetime:
        "The time that figures and reports speak of."
        return self.as_of or self.at

    @property
    def oldest_case(self) -> datetime:
        "Cases from before this time are not sent any more."
        return self.now - timedelta(hours=self.settings.case_max_age_hours)

    @property
    def _where(self) -> dict:
        "Where the spool lies, and who may read what is made new."
        return {"spool": self.settings.spool, "group": self.settings.group}

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The store, what is committed to be published however the work ends; a new one has its
        days in the zone that the settings name."""
        named = "timezone" in self.settings.model_fields_set
        zone = self.settings.timezone if named else None
        with (
            open_store(self.data, self.who, zone, **self._where) as store,
            store.published(self.settings.snapshots_kept),
        ):
            doubt_unanchored(store, self.settings)
            store.limit_memory(Limits.of(self.settings).memory)
            yield store


@dataclass(frozen=True)
class Ran:
    "What a run did: ingested rows, cases, figures by day and model, reports."

    ingested: Ingested = field(default_factory=Ingested)
    figures: list[DayResult] = field(default_factory=list)
    reports: list[ReportResult] = field(default_factory=list)
    handed_on: str = "ok"  # failed when cases could not be opened, or a sink did not take one
    untold: tuple[str, ...] = ()  # whom a message did not reach, each in a sentence

    @property
    def states(self) -> list[str]:
        "ok or failed, of every step; a day whose alarms failed is both."
        steps = [
            *(s.state for s in (*self.figures, *self.reports)),
            *("ok" for f in self.figures if f.stored and f.state == "failed"),
            *("failed" for _ in self.untold),
        ]
        return [self.handed_on, *steps] if self.handed_on == "failed" else steps

    @property
    def exit_code(self) -> int:
        "0 when nothing failed, 3 when something did, 4 when everything did."
        failed = self.states.count("failed")
        return 0 if not failed else 4 if failed == len(self.states) else 3

    @property
    def good(self) -> bool:
        "Whether nothing failed, and all that was delivered is taken in."
        return not (self.exit_code or self.ingested.refused or self.ingested.passed_over)


def run(
    data: Path,
    reports: Path,
    now: datetime,
    settings: Settings,
    *,
    days: Sequence[date] | None = None,
    models: Sequence[str] = (),
    as_of: datetime | None = None,
    show: str = "last",
    who: str = "daily",
    say: Callable[[str], None] = logger.info,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    expect: Callable[[int], None] = lambda _: None,
) -> Ran:
    """Take in, figure, publish, hand on, report, record.

    Figures of `days` (None: all that are due), reports of 'all' days, the 'last' one or 'none'.
    Raises Busy or StoreError when nothing could be started, Busy also while another run of the
    folder is at its reports; failures of single days or reports are in the result.
    """
    if show not in ("all", "last", "none"):
        raise StoreError(f"reports {show!r} is not one of all, last, none.")
    if show != "none":
        require_reports()
    say, on_done = _harmless(say), _harmless(on_done)
    morning = Morning(data, reports, now, settings, as_of, who, say)
    with ExitStack() as alone:
        ran, to_retrain = _run(morning, days, models, show, on_done, expect, alone)
    # which may take an hour: the next run need not wait for it
    ran.reports.extend(_retrain(morning, to_retrain))
    ran.reports.extend(_others_told(morning))
    return ran


DAILY_SECONDS = 24 * 3600
"A run that takes longer is held for one that hangs."


def _run(morning, days, models, show, on_done, expect, alone):
    "The run itself, the only one of its folder until `alone` is left; models to be retrained."
    data, reports, settings = morning.data, morning.reports, morning.settings
    now, say = morning.now, morning.say
    with ExitStack() as turn:  # to hand on: until all that waits is sent, nobody else does
        with morning.open() as store:
            alone.enter_context(held(data, DAILY, morning.who, DAILY_SECONDS))
            to = _take_turn(morning, store, turn)
            ingested = _take_in(morning, store)
            gone = _holidays_to_come(morning, store)
            morning = replace(morning, committed=store.as_of_now(now))
            cases = _cases(morning, store, to)
            asked = _asked_for(morning, store, days, models)
            unchecked = _check_share(morning, store, asked)
            figures = _figure(morning, store, asked, show)
            newest = _newest_days(morning, store, days, models, figures)
            unfollowed = _follow_shadows(morning, store, newest)
            unfollowed += _keep_promises(morning, store, newest)
            untuned = _tune(morning, store, newest)
            to_retrain = _may_retrain(morning, store, newest)
            silent = _silent(morning, store, models)
            waiting = _with_drift(morning, store, to, cases.waiting)
            chosen = _chosen(morning, store, figures, show, models if days is None else None)
            own, own_runs = _find_own(morning, store, chosen, newest, show, days is None)
            if not asked and not chosen and not own_runs:
                say("nothing is due: every day with predictions up to yesterday has its figures.")
            _publish(morning, store, chosen, figures, own_runs)
            unanchored = _anchor(morning, store)
            zone = ZoneInfo(store.timezone)
            gone += unchecked + _said_of_gone(morning, store) + _said_of_trail(morning, store)
        with _handing_on(morning, waiting, to, turn.pop_all()) as sent:
            expect(len(chosen) * len(QUESTIONS) + len(own_runs))
            results = make_reports(data, reports, chosen, settings, on_done) if chosen else []
            results += _write_silence(morning, silent) if show != "none" else silent.failed
            results += _archive(morning, {str(one.day) for one in chosen}, zone)
        attempts = _told_of(morning, sent.result())
    _record(morning, _ended_reports(morning, chosen, results), attempts)
    if show != "none" and (len(attempts) or not chosen):
        results += _tell_cases(morning)
    if not results:
        _make_folder_of(reports, settings)
        results = _write_pages(reports, [])
    results += _said_of_own(morning, own) + _own(morning, own_runs, on_done)
    results += unfollowed + untuned + unanchored + gone + _compacted(morning)
    refused = cases.state == "failed" or (attempts.state == "failed").any()
    return Ran(ingested, figures, results, "failed" if refused else "ok"), to_retrain


def tell(
    ran: Ran,
    data: Path,
    reports: Path,
    now: datetime,
    settings: Settings,
    say: Callable[[str], None] = logger.info,
) -> Ran:
    """Tell the people of `messages` what changed or failed, after a run for all that was due, and
    give the sign of life of a good one. The run, of which whoever was not told is a part that
    failed: then there is no sign of life either, or both would be silent. A sign of life that is
    not taken fails nothing.
    """
    say, failed = _harmless(say), _failures(ran, now.date())
    untold = tell_people(data, reports, now, settings, failed, say)
    for sentence in untold:
        say(sentence)
    ran = replace(ran, untold=tuple(untold))
    if ran.good:
        sign_of_life(data, now, settings, say)
    return ran


def tell_of_no_morning(
    data: Path,
    reports: Path,
    now: datetime,
    settings: Settings,
    say: Callable[[str], None] = logger.info,
) -> None:
    "Tell the same people that a run could not be started, or was broken off by what it met."
    do = "'aiops-wb daily' says why, 'aiops-wb doctor' what is wrong around it."
    failed = Item(f"no morning {now.date()}", "failed", "the morning could not be run", do=do)
    for sentence in tell_people(data, reports, now, settings, [failed], _harmless(say)):
        _harmless(say)(sentence)


def _failures(ran, today):
    "What failed of a run, each told once: of days and models by these, else by the day of the run."
    failed = [
        failed_figures(one.day, one.model, "alarms" if one.stored else "figures")
        for one in ran.figures
        if one.state == "failed"
    ]
    failed += [_of_result(one, today) for one in ran.reports if one.state == "failed"]
    if ran.handed_on == "failed":
        says = "cases were not all handed on"
        failed.append(Item(f"cases {today}", "failed", says, do="The next run tries it again."))
    if n := len(ran.ingested.refused) + len(ran.ingested.passed_over):
        says = f"{n:,} delivered {'file was' if n == 1 else 'files were'} not taken in"
        do = "'aiops-wb ingest' names them."
        failed.append(Item(f"files {today} {n}", "failed", says, do=do))
    return failed


def _of_result(result, today):
    "A step that failed: a report by its day and model, others by their name and the run's day."
    day, _, rest = result.name.partition(" ")
    model, _, report = rest.rpartition(" ")
    if report in QUESTIONS or result.title:
        return failed_report(day, model, report, result.title)
    return Item(f"step {today} {result.name}", "failed", result.name, do=SEE_PAGES)


def _harmless(tell):
    "Telling somebody, which costs nothing else where they cannot be told."

    def told(*what):
        try:
            tell(*what)
        except Exception as problem:
            logger.debug("nobody could be told: %s", problem)

    return told


def _take_in(morning, store):
    "Everything that was handed in or delivered since the last run."
    settings = morning.settings
    for told in told_of(take_in_acts(store, morning.now, settings)):
        morning.say(told)
    options = ReadOptions(
        limits=Limits.of(settings), null_words=settings.null_words, risk_cuts=settings.risk_cuts
    )
    ingested = ingest(store, morning.now, morning.who, options=options)
    record_what_stands(store, morning.now, morning.who)
    store.drop_quarantined_text(morning.now, settings.quarantine_days)
    for told in f"ingested: {ingested}".split("\n"):
        morning.say(told)
    return ingested


@dataclass(frozen=True)
class _Cases:
    "Whether cases could be opened (ok or failed), and which wait for each sink."

    state: str
    waiting: Mapping[str, pd.DataFrame]


def _cases(morning, store, to):
    "Open new cases; a failure is said and costs the day nothing else."
    try:
        opened = open_cases(store, morning.now, morning.settings)
    except Exception as problem:  # the figures do not depend on it
        raise_if_interrupted(problem)
        morning.say(f"cases could not be opened: {problem}")
        return _Cases("failed", {})
    if opened != Opened():
        morning.say(f"cases: {opened}")
    expired = _expire(morning, store, to)
    waiting = _undelivered(morning, store, to)
    return _Cases("failed" if expired else "ok", waiting)


def _undelivered(morning, store, to):
    "Cases that wait for each sink; nobody is told of one that is closed, or muted today."
    every = store.undelivered([s.name for s in to], morning.oldest_case)
    quiet = store.quiet_cases(_today(morning, store))
    return {name: cases[~cases.case_id.isin(quiet)] for name, cases in every.items()}


def _today(morning, store):
    return morning.now.astimezone(ZoneInfo(store.timezone)).date()


def _expire(morning, store, to):
    "Say once how many cases a sink refused until they were too old."
    names = [s.name for s in to]
    n = store.expire(names, morning.oldest_case, morning.now)
    if n:
        hours = morning.settings.case_max_age_hours
        morning.say(
            f"{n:,} cases were refused by {' or '.join(names)} until they were older than "
            f"{hours:g} hours; they are not sent any more: 'aiops-wb cases list' shows them"
        )
    return n


def _asked_for(morning, store, days, models):
    "(day, model) pairs to compute; StoreError when the log or all the named days are empty."
    if not store.models():
        raise StoreError(
            "the log is empty: log some predictions, or take in a file with "
            "'aiops-wb ingest --file'."
        )
    wanted = [store.require_model(m) for m in models] or store.models()
    if days is None:
        pairs = due(store, morning.now, wanted)
    else:
        pairs = [(day, model) for day in days for model in wanted]
    logged = {(day, model) for model in wanted for day in store.days(model, morning.as_of)}
    known = [pair for pair in pairs if pair in logged]
    if pairs and not known:
        raise StoreError(_nothing_logged(store, pairs[0][0], pairs[-1][0], wanted))
    return known


def _nothing_logged(store, first, last, models):
    span = f"{first}" if first == last else f"{first} to {last}"
    covers = []
    for model in models:
        days = store.days(model)
        covers.append(f"{model} has {days[0]} to {days[-1]}" if days else f"{model} has none")
    return f"no predictions on {span} for {', '.join(models)}: {'; '.join(covers)}."


def _figure(morning, store, pairs, show):
    "Compute and store the figures of each day and model."
    made, versions = [], Versions(store)
    newest = max((day for day, _ in pairs), default=None)
    for day, model in pairs:
        shown = show == "all" or (show == "last" and day == newest)
        figures = _figured(morning, store, day, model, versions, QUESTIONS if shown else ())
        why = f" - {figures.error}" if figures.error else ""
        morning.say(f"{day} {model}: figures {figures.state}{why}")
        made.append(figures)
    return made


def _figured(morning, store, day, model, versions, then):
    "Figures of a day, tried again where what failed may pass."
    rules = morning.settings, morning.who, morning.known_at, versions, tuple(then)
    for pause in [*pauses(morning.settings.morning_retries), None]:
        figures = compute(store, day, model, morning.now, *rules)
        if pause is None or not figures.passing:
            return figures
        morning.say(f"{day} {model}: {figures.error}; tried again in {pause:g} seconds")
        sleep(pause)


def _newest_days(morning, store, days, models, figures):
    """Model -> its newest day with figures, so that a morning that was stopped behind them is taken
    up again. Of named days only one that is the newest: to figure a past day again changes nothing
    that decides."""
    if morning.as_of is not None:
        return {}
    today = _today(morning, store)
    newest = {m: store.newest_figured(m, today) for m in models or store.models()}
    asked = {(one.model, one.day) for one in figures}
    return {m: day for m, day in newest.items() if day and (days is None or (m, day) in asked)}


def _each_told(morning, what, told):
    "Say what an act has to say, as it goes; what failed, which costs nothing else."
    try:
        for said in told():
            morning.say(said)
    except Exception as problem:
        raise_if_interrupted(problem)
        failed = ReportResult(what, "failed", f"{what}: {_reason(problem)}")
        morning.say(failed.error)
        return [failed]
    return []


def _holidays_to_come(morning, store):
    "Enter holidays of the year to come, where the calendar holds a country's; what failed."
    act = partial(extend_holidays, store, morning.now, morning.who)
    return _each_told(morning, "holidays of the year to come", act)


def _follow_shadows(morning, store, newest):
    "What versions in shadow would have said, and whether another decides from now on; what failed."
    failed = []
    for model, day in newest.items():
        if store.challengers(model) or store.previous(model):
            act = partial(_shadows_of, morning, store, model, day)
            failed += _each_told(morning, f"{day} shadow of {model}", act)
    return failed


def _shadows_of(morning, store, model, day):
    from .watch.takeover import each_morning  # they score, which needs the extra ml

    return each_morning(store, model, day, morning.at, morning.settings, morning.who)


def _keep_promises(morning, store, newest):
    "Issue what is promised of models, and score what came due; what failed."
    failed = []
    for model, day in newest.items():
        act = partial(_promises_of, morning, store, model)
        failed += _each_told(morning, f"{day} promises of {model}", act)
    return failed


def _promises_of(morning, store, model):
    "Nothing is said of it: the page does."
    with store.one_thread():
        keep_ledger(store, model, morning.now, morning.settings)
    return []


def _tune(morning, store, newest):
    "Look for better thresholds, where people allow it; what failed."
    failed = []
    for model, day in newest.items() if morning.settings.tune != "off" else ():
        act = partial(tune_each_morning, store, model, day, morning.at, morning.settings)
        failed += _each_told(morning, f"{day} tuning of {model}", act)
    return failed


def _retrain(morning, allowed):
    "Train challengers of models on days, when all else is done; what failed."
    failed = []
    for model, day in allowed.items():
        act = partial(_retraining_of, morning, model, day)
        failed += _each_told(morning, f"retraining of {model}", act)
    return failed


def _retraining_of(morning, model, day):
    from .watch.by_itself import retrain_by_itself  # which needs the extra ml

    at = day, morning.at, morning.settings, morning.who
    return retrain_by_itself(morning.data, model, *at, morning.open)


def _may_retrain(morning, store, newest):
    "Models that people allow to be retrained, with nothing in the shadow yet: their newest days."
    if store.retraining_stopped(morning.at):
        return {}
    flags = {m: store.retraining_flag(m, morning.at) for m in newest}
    usual = morning.settings.retrain_enabled
    allowed = [m for m, flag in flags.items() if (usual if flag is None else flag)]
    free = (m for m in allowed if store.active_version(m) and not store.challengers(m))
    return {m: newest[m] for m in free}


@dataclass(frozen=True)
class _Silent:
    """The day before, its open alarms about silence by model, and what could not be asked: no
    figures of a day without predictions say it."""

    day: date
    alarms: Mapping[str, SilenceAlarm]
    failed: list[ReportResult]


def _silent(morning, store, models):
    "Follow the silence of each model up to the day before; looking back records nothing."
    yesterday = _today(morning, store) - timedelta(1)
    alarms, failed = {}, []
    for model in (models or store.models()) if morning.as_of is None else ():
        try:
            alarms[model] = record_silence(store, model, yesterday, morning.at, morning.at)
        except Exception as problem:  # whatever it is, it costs nothing else
            raise_if_interrupted(problem)
            failed.append(_not_written(f"{yesterday} silence of {model}", problem))
            morning.say(failed[-1].error)
    found = {model: alarm for model, alarm in alarms.items() if alarm is not None}
    for model, alarm in found.items():
        morning.say(f"{yesterday} {model}: {alarm.text}")
    return _Silent(yesterday, found, failed)


def _write_silence(morning, silent):
    "A part of the day's page for each model without a prediction on it; what failed."
    parts = {m: silent_entry(alarm) for m, alarm in silent.alarms.items() if alarm.whole_day}
    if not parts:
        return silent.failed
    _make_folder_of(morning.reports, morning.settings)
    try:
        with open_snapshot(morning.data) as reader:
            at = (silent.day, morning.at, morning.settings)
            write_manifest(reader, morning.reports, *at, parts)
    except Exception as problem:
        raise_if_interrupted(problem)
        return [*silent.failed, _not_written(f"{silent.day} manifest", problem)]
    return silent.failed + _write_pages(morning.reports, [str(silent.day)])


def _archive(morning, made, zone):
    "Pack old reports, where settings say so, but for days that were made just now; what failed."
    days = morning.settings.archive_reports_days
    if not days or morning.as_of is not None:
        return []
    until = morning.now.astimezone(zone).date() - timedelta(days)
    problems = archive_reports(morning.reports, until, made)
    for problem in problems:
        morning.say(problem)
    return [ReportResult("archive", "failed", problem) for problem in problems]


def _compacted(morning):
    """Make few day files of many, where settings say so, and remove those merged before that nobody
    reads any more; what failed."""
    days = morning.settings.compact_after_days
    if morning.as_of is not None or not (days or (morning.data / RETIRED).exists()):
        return []
    try:
        with morning.open() as store:
            store.remove_retired(morning.now)
            what = plan(store, _today(morning, store) - timedelta(days)) if days else None
            if what and what.packs:
                kept = morning.settings.snapshots_kept
                morning.say(str(compact(store, morning.at, morning.who, what, kept)))
                anchor_trail(store, morning.settings, morning.now)
    except Exception as problem:
        return [_not_written("fewer day files", problem)]
    return []


def _with_drift(morning, store, to, waiting):
    "What waits for each sink, with the alarms about drift that it has not taken and may hear of."
    together, quiet = {}, store.quiet_alarms(_today(morning, store))
    for name, alarms in store.undelivered_drift([s.name for s in to]).items():
        named = zip(alarms.model, alarms.version)
        heard = np.array([not store.not_watched(*one) for one in named], dtype=bool)
        heard &= ~alarms.event_id.isin(quiet).to_numpy(dtype=bool)
        parts = [waiting.get(name), drift_messages(alarms[heard], morning.settings)]
        parts = [frame for frame in parts if frame is not None and len(frame)]
        if parts:
            together[name] = pd.concat(parts, ignore_index=True)
    return together


def _chosen(morning, store, figures, show, models):
    "Which reports are made: of days just computed, and unfinished ones unless days were named."
    if show == "none":
        return []
    chosen = {}
    if models is not None:
        wanted = [store.require_model(m) for m in models] or store.models()
        chosen = {(d, m): at for d, m, at in unfinished(store, morning.reports, wanted)}
    newest = max((f.day for f in figures), default=None)
    shown = [f for f in figures if show == "all" or f.day == newest]
    chosen |= {(f.day, f.model): morning.known_at for f in shown}
    return sorted(DayReports(day, model, at) for (day, model), at in chosen.items())


def _publish(morning, store, chosen, figures, own_runs):
    "Record the reports as begun that are not, and publish a snapshot."
    begun = {(one.day, one.model) for one in figures if one.stored}
    others = [one for one in chosen if (one.day, one.model) not in begun]
    steps = _begun(others, QUESTIONS, morning.at)
    for one in own_runs:
        steps += _begun([DayReports(one.day, one.model, one.as_of)], [one.report.file], morning.at)
    _record_steps(store, steps)
    store.publish(morning.settings.snapshots_kept)


def _anchor(morning, store):
    "Keep length and head of the audit trail outside, as the settings say; what failed."

    def kept():
        anchor_trail(store, morning.settings, morning.now)
        return ()

    return _each_told(morning, "anchor of the audit trail", kept)


def _check_share(morning, store, asked):
    """Compare the bytes of this morning's share of the log, and of those of mornings that are made
    up for, with what was committed; what failed."""
    today = morning.now.astimezone(ZoneInfo(store.timezone)).date()
    mornings = {today} | {day + timedelta(1) for day, _ in asked}

    def checked():
        check_share(store, mornings)
        return ()

    return _each_told(morning, "check of the log's files", checked)


def _said_of_gone(morning, store):
    "Say which day files are gone, as far as that is not recorded: each costs its own day."
    results = []
    for sentence in store.damage():
        morning.say(sentence)
        results.append(ReportResult("day file", "failed", sentence))
    return results


def _said_of_trail(morning, store):
    "Say what speaks against the trail and against what decides, as far as the catalog shows it."
    broken = store.trail_problem()
    found = [f"the audit trail is broken: {broken}"] if broken else []
    results = []
    for problem in found + deciding_findings(store, closely=False):
        sentence = f"{problem}; 'aiops-wb audit verify' tells more."
        morning.say(sentence)
        results.append(ReportResult("audit trail", "failed", sentence))
    return results


def _take_turn(morning, store, turn):
    "The sinks that this run hands on to; none while another process does."
    outbox = Outbox(morning.data)
    try:
        turn.enter_context(outbox.held())
    except Busy as error:
        morning.say(f"cases wait for the next run: {error}.")
        return []
    _record_sent(store, outbox)
    begin_events(store, morning.settings, morning.now)
    return sinks(morning.settings)


def _record_sent(store, outbox):
    "Take what was sent, by this run or one that was stopped, into the catalog."
    store.add_deliveries(outbox.attempts())
    outbox.clear()


@contextmanager
def _handing_on(morning, waiting, to, turn):
    """Send what waits beside other work, which waits for no receiver; the attempts, as a future.
    Whoever's turn it is has it until all is sent; where the work ends early, no more is sent."""
    stopped = Event()

    def going():
        return not stopped.is_set()

    def hand_on():
        with turn:
            attempts = _hand_on(morning, waiting, to, going)
        _send_events(morning, going)  # what fails is said at the end, when the rest goes out
        return attempts

    with ThreadPoolExecutor(1, "aiops-wb-sinks") as beside:
        try:
            sent = beside.submit(hand_on)
            yield sent
            wait([sent])  # here, where who stops the work stops this as well
        except BaseException:
            stopped.set()
            raise


def _hand_on(morning, waiting, to, going=lambda: True):
    "Send what waits, each attempt on the disk before the next one; the attempts."
    return deliver(waiting, to, morning.now, Outbox(morning.data).add, going)


def _send_events(morning, going=lambda: True):
    "Send other systems what happened, as far as it is published; a sentence for each that failed."
    told = morning.data, morning.settings, morning.now, morning.say
    return send_events(*told, going)


def _others_told(morning):
    "Send what happened, after all that the morning did; what failed."
    problems = _send_events(morning)
    for problem in problems:
        morning.say(problem)
    return [ReportResult("events", "failed", problem) for problem in problems]


def _told_of(morning, attempts):
    "Say what became of attempts; returns them."
    if len(attempts):
        morning.say(delivered(attempts))
    return attempts


def delivered(attempts: pd.DataFrame) -> str:
    "What became of handing cases on, in a sentence for each sink."
    parts = []
    for sink, rows in attempts.groupby("sink"):
        refused = rows[rows.state == "failed"]
        part = f"{sink}: {len(rows) - len(refused):,} cases taken"
        if len(refused):
            why = refused.detail.iloc[0]
            part += f", {len(refused):,} not ({why}); they are tried again next time"
        parts.append(part)
    return "; ".join(parts)


def _ended_reports(morning, chosen, results):
    "How the reports of the package ended, for the log."
    of_results = [one for one in chosen for _ in QUESTIONS]
    return [_ended(morning, *pair) for pair in zip(results, of_results)]


def _ended(morning, result, one):
    "How a report ended; `one` tells of which day and model, as of when."
    ended = morning.at + timedelta(microseconds=1)  # after the rows that say begun
    step, took = result.name.rsplit(" ", 1)[1], sum(result.seconds.values())
    of = one.day, one.model, step
    return _Step(*of, result.state, one.as_of, ended, took, result.error)


def _record(morning, steps, attempts):
    "Record what was sent and how reports ended; said when another process is writing."
    if not steps and attempts.empty:
        return
    for pause in [*pauses(morning.settings.morning_retries), None]:
        try:
            with ExitStack() as turn, morning.open() as store:
                _take_turn(morning, store, turn)
                _record_steps(store, steps)
                store.publish(morning.settings.snapshots_kept)
            return
        except Busy as error:
            told = error
        if pause is not None:
            sleep(pause)
    morning.say(f"the reports are made, but not recorded, and will be made again: {told}")


def _said_of_own(morning, own):
    "Say which notebooks of one's own are no reports; those that should run and cannot have failed."
    for sentence in (*own.left_out, *own.wrong):
        morning.say(sentence)
    return [ReportResult("a report of one's own", "failed", sentence) for sentence in own.wrong]


def _own(morning, own_runs, on_done):
    "Run reports of one's own and record how they ended: those of the package are told by now."
    where = morning.data, morning.reports
    try:
        results = make_own_reports(*where, own_runs, morning.settings, on_done)
    except Exception as problem:  # whatever it is, the morning was made
        results, own_runs = [_not_written("reports of one's own", problem)], []
        morning.say(results[0].error)
    steps = [_ended(morning, *pair) for pair in zip(results, own_runs)]
    _record(morning, steps, _NOTHING_SENT)
    return results


_NOTHING_SENT = pd.DataFrame()


def _find_own(morning, store, chosen, newest, show, also):
    "Reports of one's own, and which of them are made; whatever is wrong with them is said of them."
    if show == "none":
        return FoundReports(), []
    try:
        own = own_reports(morning.settings)
        return own, _own_runs(morning, store, own.reports, chosen, newest, also)
    except Exception as problem:
        raise_if_interrupted(problem)
        said = f"reports of one's own could not be looked for: {_reason(problem)}"
        return FoundReports(wrong=(said,)), []


def _own_runs(morning, store, reports, chosen, newest, also):
    """Which reports of one's own are made: with those of the package and, `also`, unfinished ones
    of the newest days and new ones."""
    if not reports:
        return []
    runs = own_unfinished(store, morning.reports, reports, newest, morning.known_at) if also else []
    latest = {day: max(one.as_of for one in of) for day, of in groupby(chosen, lambda one: one.day)}
    for report in reports:
        if report.per == "model":
            runs += [OwnRun(one.day, one.model, report, one.as_of) for one in chosen]
        else:
            runs += [OwnRun(day, "", report, as_of) for day, as_of in latest.items()]
    by_place = {(one.day, one.model, one.report.file): one for one in runs}
    return [by_place[place] for place in sorted(by_place)]


def hand_on(
    data: Path,
    now: datetime,
    settings: Settings,
    who: str,
    say: Callable[[str], None] = logger.info,
) -> bool:
    """Take in, open cases and hand them on, without figures or reports.

    Whether everything was taken.
    """
    say = _harmless(say)
    morning = Morning(data, settings.reports, now, settings, who=who, say=say)
    with ExitStack() as turn:
        with morning.open() as store:
            to = _take_turn(morning, store, turn)
            _take_in(morning, store)
            opened = open_cases(store, now, settings)
            expired = _expire(morning, store, to)
            cases = _undelivered(morning, store, to)
            waiting = _with_drift(morning, store, to, cases)
            store.publish(settings.snapshots_kept)
        say(f"cases: {opened}")
        attempts = _told_of(morning, _hand_on(morning, waiting, to))
    _record(morning, [], attempts)
    untold = _others_told(morning)
    return not (expired or untold or (attempts.state == "failed").any())
