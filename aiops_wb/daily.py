"""One day, end to end: ingest, figures, reports, front page."""

import hashlib
import json
import subprocess
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from importlib.resources import files as package_files
from math import isnan
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from .config import Settings, packages
from .log.catalog import Busy, Reader, StoreError, open_snapshot
from .log.ingest import Ingested, ingest
from .log.spool import time_ordered_id
from .log.store import Store, open_store
from .render.engine import Job, ReportResult, require_reports, run_jobs
from .render.frame import write_whole
from .render.pages import (
    QUESTIONS,
    RENAMED,
    REPORTS,
    folder,
    manifests,
    navigation,
    write_pages,
)
from .watch.alarms import event_rows
from .watch.cases import Opened, Sink, deliver, drift_messages, open_cases, sinks
from .watch.figures import day_figures, drift_figures, unknown_drift
from .watch.recalibrate import recalibrate
from .watch.view import View
from .watch.words import number, percent

__all__ = [
    "PRIVATE",
    "due",
    "unfinished",
    "report_notebooks",
    "Figures",
    "compute",
    "report_jobs",
    "entry",
    "Ran",
    "make_reports",
    "delivered",
    "hand_on",
    "run",
]


def due(reader: Reader, now: datetime, models: Sequence[str] = ()) -> list[tuple[date, str]]:
    "(day, model) pairs whose figures are missing, failed, or older than predictions of that day; oldest first. The running day is not due."
    today, found = now.astimezone(ZoneInfo(reader.timezone)).date(), []
    runs = reader.runs(step="figures").drop_duplicates(["event_date", "model"], keep="last")
    done = {
        (d.date(), m): b
        for d, m, b, s in zip(runs.event_date, runs.model, runs.batch_id, runs.state)
        if s == "ok"
    }
    for model in models or reader.models():
        logged = reader.frame(
            "SELECT event_date, version, max(batch_id) AS batch FROM data_files WHERE kind = 'predictions' AND model = $m GROUP BY ALL",
            {"m": reader.require_model(model)},
        )
        off = [
            v
            for v in logged.version.unique()
            if reader.in_force("monitor", f"{model}/{v}") == "off"
        ]
        newest = logged[~logged.version.isin(off)].groupby("event_date").batch.max()
        found += [
            (d.date(), model)
            for d, batch in newest.items()
            if d.date() < today and done.get((d.date(), model), -1) < batch
        ]
    return sorted(found)


def unfinished(
    reader: Reader, reports: Path, models: Sequence[str] = ()
) -> list[tuple[date, str, datetime]]:
    "(day, model, as_of) whose reports were begun and did not end well, or whose page is gone though it is the newest."
    runs = reader.runs()
    runs = runs.assign(report=runs.step.replace(RENAMED))  # a page lies under the name of its step
    runs = runs[
        runs.model.isin(list(models or reader.models())) & runs.report.isin(list(QUESTIONS))
    ].drop_duplicates(["event_date", "model", "report"], keep="last")
    lost = runs[runs.state != "ok"]
    if len(runs):
        newest = runs[runs.event_date == runs.groupby("model").event_date.transform("max")]
        lost = pd.concat(
            [
                lost,
                newest[
                    [
                        not (Path(reports) / str(d.date()) / folder(m) / f"{s}.html").exists()
                        for d, m, s in zip(newest.event_date, newest.model, newest.step)
                    ]
                ],
            ]
        )
    return sorted(
        {
            (d.date(), m, t.to_pydatetime())
            for d, m, t in zip(lost.event_date, lost.model, lost.as_of)
        }
    )


def report_notebooks() -> dict[str, Path]:
    "The report notebooks in the order of their questions: of the installed package, or of the checkout it is run from."
    package = Path(str(package_files("aiops_wb")))
    folder = next(
        f for f in (package / "reports", package.parent / "nbs" / "reports") if f.is_dir()
    )
    return {name: folder / f"{name}.ipynb" for name in QUESTIONS}


@dataclass(frozen=True)
class Figures:
    "What came of one day and model."

    day: date
    model: str
    state: str  # ok or failed
    error: str | None = None
    stored: bool = True  # whether figures are there; True beside failed: all but the alarms


def compute(
    store: Store,
    day: date,
    model: str,
    now: datetime,
    settings: Settings,
    who: str = "daily",
    as_of: datetime | None = None,
) -> Figures:
    "Recalibrate when the day is the model's newest, then compute and store its figures; what fails is recorded and returned, not raised."
    started, run, as_of = perf_counter(), time_ordered_id(), as_of or now
    error, stored = None, False
    try:
        view = View(store, model, day, as_of, settings)
        done, today = (
            store.runs(model, step="figures"),
            now.astimezone(ZoneInfo(store.timezone)).date(),
        )
        newer = (
            {s for d, s in zip(done.event_date.dt.date, done.state) if day < d <= today}
            if len(done)
            else set()
        )  # a day in the future is a clock gone wrong
        if not newer and as_of >= now:  # looking back changes nothing that decides
            recalibrate(store, view, now, who)
        figures = [day_figures(view)]
        try:
            figures.append(drift_figures(view))
        except Exception as problem:
            error = f"all figures but the alarms are stored, which failed: {_reason(problem)}"
            figures.append(unknown_drift(view))
        frame = pd.concat(figures, ignore_index=True).assign(
            run_id=run, as_of=as_of, event_date=day, model=model, version=view.version
        )
        before = store.metrics(model, day, day, segment=None, tenant=None)
        keys = ["version", "tenant", "segment", "metric"]
        known, fresh = before.set_index(keys), frame.set_index(keys)
        same = (
            fresh.index.isin(known.index).all()
            and (error or len(known) == len(fresh))
            and _same(known.loc[fresh.index], fresh)
        )
        with store.transaction():
            if not same:
                store.add_metrics(frame)
            if (
                "ok" not in newer and as_of >= now and not error
            ):  # mornings whose alarms failed are made up for
                _record_drift(store, view, day, as_of, now)
        stored = True
    except Exception as problem:  # whatever it is, it costs this day of this model and no other
        error = _reason(problem)
    _record_run(store, run, day, model, "figures", error, as_of, now, perf_counter() - started)
    return Figures(day, model, "failed" if error else "ok", error, stored)


def _reason(problem):
    return (
        str(problem)
        if isinstance(problem, StoreError)
        else "".join(traceback.format_exception_only(problem)).strip()
    )


def _record_drift(store, view, day, as_of, now):
    "Append what alarms say of the day, unless it is known already."
    before = store.drift_events(view.model)
    rows = event_rows(view.drift, view.model, view.version, day, before, as_of, now)
    said = before[before.event_date.dt.date == day] if len(before) else before
    key = lambda frame: (
        sorted(zip(frame.event_id, frame.state, frame.severity, frame.kind)) if len(frame) else []
    )
    if key(rows) != key(said):
        gone = (
            said[~said.event_id.isin(rows.event_id if len(rows) else []) & (said.state != "closed")]
            if len(said)
            else said
        )
        withdrawn = (
            gone.assign(
                state="closed",
                text="Withdrawn: with all that is known of this day by now there is no alarm.",
                as_of=as_of,
                recorded_at=now,
                **{c: gone[c].dt.date for c in ("since", "opened_on", "event_date")},
            )
            if len(gone)
            else gone
        )
        store.add_drift_events(
            pd.concat([f for f in (rows, withdrawn) if len(f)], ignore_index=True)
            if len(rows) or len(withdrawn)
            else rows
        )


def _same(a, b):
    a, b = (f[["value", "lower", "upper", "n"]].astype(float).sort_index() for f in (a, b))
    return a.index.equals(b.index) and np.allclose(a, b, rtol=0, atol=0, equal_nan=True)


def _record_run(store, run, day, model, step, error, as_of, now, seconds, state=None):
    store.add_runs(
        pd.DataFrame(
            [
                {
                    "run_id": run,
                    "event_date": day,
                    "model": model,
                    "step": step,
                    "state": state or ("failed" if error else "ok"),
                    "as_of": as_of,
                    "batch_id": store.known_batch(as_of),
                    "started_at": now,
                    "seconds": seconds,
                    "detail": error,
                }
            ]
        )
    )


PRIVATE = {"data", "reports", "webhook_url", "case_file"}
"Settings that are places or secrets: they go into no report and no manifest."


def report_jobs(
    data: Path, reports: Path, day: date, model: str, as_of: datetime, settings: Settings
) -> list[Job]:
    "The six report jobs of one day and model."
    notebooks = report_notebooks()
    differs = {
        k: v
        for k, v in settings.model_dump(mode="json", exclude=PRIVATE).items()
        if v != Settings.model_fields[k].get_default()
    }
    parameters = {
        "data": str(Path(data).resolve()),
        "model": model,
        "day": str(day),
        "as_of": as_of.isoformat(),
        "settings": differs,
    }
    return [
        Job(
            f"{day} {model} {name}",
            notebook,
            Path(reports) / str(day) / folder(model) / f"{name}.html",
            parameters,
            f"{model}, {day}: {REPORTS[name].title}",
            navigation(model, str(day), list(notebooks), name),
            settings.engine,
        )
        for name, notebook in notebooks.items()
    ]


def _git():
    try:
        return subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def entry(reader: Reader, day: date, model: str, as_of: datetime, settings: Settings) -> dict:
    "A model's part of the manifest, before its reports have run."
    try:
        view = View(reader, model, day, as_of, settings)
    except StoreError as error:
        return {"state": "failed", "error": str(error), "reports": {}}
    counts = view.counts_by_day
    digest = hashlib.sha256()
    for d in sorted(counts):
        digest.update(f"{d} {counts[d].grid.name}".encode())
        for column in (counts[d].points, *counts[d].columns):
            digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    others = (
        sum(c.total[0] for c in reader.score_counts(model, day, day, as_of=as_of).values())
        - view.window(1).total[0]
    )
    week, routes, span = view.quality.week, view.tickets.decisions, f"{settings.recent_days} days"
    try:
        drift = view.drift.severity
    except Exception:  # its reason stands with the figures of the day and in the drift report
        drift = "failed"
    figures = {
        "predictions": f"{view.quality.today['predictions'].value:,.0f}",
        "above the threshold": f"{view.quality.today['alerts'].value:,.0f}",
        "tickets": f"{routes['ticket']:,}",
        "to a person": f"{routes['alert']:,}",
        f"precision, {span}": number(week["precision"].value, 2),
        f"recall, {span}": number(week["recall"].value, 2),
        f"PR-AUC, {span}": number(week["pr_auc"].value, 2),
        f"labelled, {span}": percent(week["labelled_share"].value),
        "drift": drift,
        "latency p95": "-" if isnan(view.latency.mean) else f"{view.latency.quantile(0.95):.0f} ms",
    }
    return {
        "state": "ok",
        "version": view.version,
        "threshold": number(view.probability(view.threshold)),
        "threshold_points": view.threshold,
        "window": f"{min(counts)} to {max(counts)}, {sum(c.total[0] for c in counts.values()):,} predictions"
        + (f"; not shown: {others:,} predictions of this day by other versions" if others else ""),
        "counts_sha256": digest.hexdigest(),
        "figures": figures,
        "line": f"{figures['above the threshold']} alerts, PR-AUC {number(week['pr_auc'].value, 2)}, drift {drift}",
        "reports": {},
    }


def _write_manifest(reader, reports, day, as_of, settings, models):
    path = Path(reports) / str(day) / "manifest.json"
    before = manifests(reports).get(str(day), {}).get("models", {})
    audit = reader.audit()
    document = {
        "day": str(day),
        "as_of": as_of.isoformat(),
        "timezone": reader.timezone,
        "batch": reader.known_batch(as_of),
        "audit_rows": len(audit),
        "audit_head": audit.hash.iloc[-1] if len(audit) else "",
        "git": _git(),
        "packages": packages(),
        "settings": settings.model_dump(mode="json", exclude=PRIVATE),
        "models": before | models,
    }
    write_whole(path, json.dumps(document, indent=1))


@dataclass(frozen=True)
class Ran:
    "What a run did: ingested rows, cases, figures by day and model, reports."

    ingested: Ingested = field(default_factory=Ingested)
    figures: list[Figures] = field(default_factory=list)
    reports: list[ReportResult] = field(default_factory=list)
    handed_on: str = "ok"  # failed when cases could not be opened, or a sink did not take one

    @property
    def states(self) -> list[str]:
        "ok or failed, of every step; a day whose alarms failed is both."
        steps = [
            *(s.state for s in (*self.figures, *self.reports)),
            *("ok" for f in self.figures if f.stored and f.state == "failed"),
        ]
        return [self.handed_on, *steps] if self.handed_on == "failed" else steps

    @property
    def exit_code(self) -> int:
        "0 when nothing failed, 3 when something did, 4 when everything did."
        failed = self.states.count("failed")
        return 0 if not failed else 4 if failed == len(self.states) else 3


def make_reports(
    data: Path,
    reports: Path,
    pairs: Iterable[tuple[date, str, datetime]],
    settings: Settings,
    on_done: Callable[[ReportResult], None] = lambda _: None,
) -> list[ReportResult]:
    "Run the reports of (day, model, as_of), write manifests and pages, and record the runs."
    pairs = sorted(pairs)
    jobs = [
        job
        for day, model, as_of in pairs
        for job in report_jobs(data, reports, day, model, as_of, settings)
    ]
    outcomes = run_jobs(jobs, settings.jobs, settings.report_timeout, on_done)
    by_name = {o.name: o for o in outcomes}
    with open_snapshot(data) as reader:
        for day in sorted({d for d, *_ in pairs}):
            models, newest = {}, None
            for _, model, as_of in (p for p in pairs if p[0] == day):
                newest = max(as_of, newest or as_of)
                models[model] = entry(reader, day, model, as_of, settings)
                for name in report_notebooks():
                    o = by_name[f"{day} {model} {name}"]
                    models[model]["reports"][name] = {
                        k: v for k, v in asdict(o).items() if k not in ("picture", "name")
                    }
                    if o.picture:
                        write_whole(
                            Path(reports) / str(day) / folder(model) / f"{name}.svg", o.picture
                        )
            _write_manifest(reader, reports, day, newest, settings, models)
    write_pages(reports, [str(d) for d, *_ in pairs])
    return outcomes


def _find_cases(store, now, settings, to: Sequence[Sink], say):
    "Open new cases and say which wait for each sink; a failure is said and costs the day nothing else."
    try:
        found = open_cases(store, now, settings)
    except Exception as problem:  # the figures do not depend on it
        say(f"cases could not be opened: {problem}")
        return "failed", {}
    if found != Opened():
        say(f"cases: {found}")
    return ("failed" if _expired(store, to, now, settings, say) else "ok"), store.undelivered(
        [s.name for s in to], now - timedelta(hours=settings.case_max_age_hours)
    )


def _with_drift(store, waiting, to, settings):
    "What waits for each sink, with the alarms about drift that it has not taken."
    alarms = store.undelivered_drift([s.name for s in to])
    both = {
        name: [
            f
            for f in (waiting.get(name), drift_messages(alarms[name], settings))
            if f is not None and len(f)
        ]
        for name in alarms
    }
    return {name: pd.concat(frames, ignore_index=True) for name, frames in both.items() if frames}


def _expired(store, to, now, settings, say):
    "Say once how many cases a sink refused until they were too old."
    n = store.expire([s.name for s in to], now - timedelta(hours=settings.case_max_age_hours), now)
    if n:
        say(
            f"{n:,} cases were refused by {' or '.join(s.name for s in to)} until they were older than {settings.case_max_age_hours:g} hours; they are not sent any more: 'aiops-wb cases --list' shows them"
        )
    return n


def delivered(attempts: pd.DataFrame) -> str:
    "What became of handing cases on, in a sentence for each sink."
    parts = []
    for sink, rows in attempts.groupby("sink"):
        failed = rows[rows.state == "failed"]
        parts.append(
            f"{sink}: {len(rows) - len(failed):,} cases taken"
            + (
                f", {len(failed):,} not ({failed.detail.iloc[0]}); they are tried again next time"
                if len(failed)
                else ""
            )
        )
    return "; ".join(parts)


def hand_on(
    data: Path, now: datetime, settings: Settings, who: str, say: Callable[[str], None] = print
) -> bool:
    "Ingest, open cases and hand them on, without figures or reports; whether everything was taken."
    to = sinks(settings)
    with open_store(
        data, who, settings.timezone if "timezone" in settings.model_fields_set else None
    ) as store:
        say(f"ingested: {ingest(store, now, who)}")
        found, lost = open_cases(store, now, settings), _expired(store, to, now, settings, say)
        waiting = _with_drift(
            store,
            store.undelivered(
                [s.name for s in to], now - timedelta(hours=settings.case_max_age_hours)
            ),
            to,
            settings,
        )
        store.publish(settings.snapshots_kept)
    say(f"cases: {found}")
    attempts = deliver(waiting, to, now)
    if attempts.empty:
        return not lost
    say(delivered(attempts))
    with open_store(data, who) as store:
        store.add_deliveries(attempts)
        store.publish(settings.snapshots_kept)
    return not lost and not (attempts.state == "failed").any()


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
    say: Callable[[str], None] = print,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    expect: Callable[[int], None] = lambda _: None,
) -> Ran:
    """Ingest, compute the figures of days (None: all that are due), publish, and run reports ('all' days, the 'last' one, 'none').

    Raises Busy or StoreError when nothing could be started; failures of single days or reports are in the result.
    """
    if show not in ("all", "last", "none"):
        raise StoreError(f"reports {show!r} is not one of all, last, none.")
    if show != "none":
        require_reports()
    to = sinks(settings)
    with open_store(
        data, who, settings.timezone if "timezone" in settings.model_fields_set else None
    ) as store:
        taken = ingest(store, now, who)
        say(f"ingested: {taken}")
        handed_on, waiting = _find_cases(store, now, settings, to, say)
        if not store.models():
            raise StoreError(
                "the log is empty: log some predictions, or take in a file with 'aiops-wb ingest --file'."
            )
        wanted = [store.require_model(m) for m in models] or store.models()
        pairs = due(store, now, wanted) if days is None else [(d, m) for d in days for m in wanted]
        logged = {(d, m) for m in wanted for d in store.days(m, as_of)}
        absent = [p for p in pairs if p not in logged]
        if pairs and len(absent) == len(pairs):
            raise StoreError(
                f"no predictions on {pairs[0][0]}"
                + (f" to {pairs[-1][0]}" if pairs[-1][0] != pairs[0][0] else "")
                + f" for {', '.join(wanted)}: "
                + "; ".join(
                    f"{m} has {d[0]} to {d[-1]}" if (d := store.days(m)) else f"{m} has none"
                    for m in wanted
                )
                + "."
            )
        figures = []
        for day, model in (p for p in pairs if p in logged):
            figures.append(compute(store, day, model, now, settings, who, as_of))
            say(
                f"{day} {model}: figures {figures[-1].state}"
                + (f" - {figures[-1].error}" if figures[-1].error else "")
            )
        waiting = _with_drift(store, waiting, to, settings)
        newest = max((f.day for f in figures), default=None)
        chosen = {
            (f.day, f.model): as_of or now
            for f in figures
            if show == "all" or (show == "last" and f.day == newest)
        }
        if days is None and show != "none":
            chosen = {(d, m): at for d, m, at in unfinished(store, reports, wanted)} | chosen
        chosen = sorted((d, m, at) for (d, m), at in chosen.items())
        if not pairs and not chosen:
            say("nothing is due: every day up to yesterday has its figures.")
        for day, model, at in chosen:
            for name in QUESTIONS:
                _record_run(store, time_ordered_id(), day, model, name, None, at, now, 0.0, "begun")
        store.publish(settings.snapshots_kept)
    attempts = deliver(waiting, to, now)
    if len(attempts):
        handed_on = "failed" if (attempts.state == "failed").any() else handed_on
        say(delivered(attempts))
    expect(len(chosen) * len(QUESTIONS))
    outcomes = make_reports(data, reports, chosen, settings, on_done) if chosen else []
    if outcomes or len(attempts):
        try:
            with open_store(data, who) as store:
                store.add_deliveries(attempts)
                for o, (day, model, at) in zip(outcomes, [p for p in chosen for _ in QUESTIONS]):
                    _record_run(
                        store,
                        time_ordered_id(),
                        day,
                        model,
                        o.name.rsplit(" ", 1)[1],
                        o.error,
                        at,
                        now + timedelta(microseconds=1),
                        sum(o.seconds.values()),
                    )
                store.publish(settings.snapshots_kept)
        except Busy as error:
            say(
                f"the reports are made and cases sent, but not recorded, and both will be done again: {error}"
            )
    if not outcomes:
        write_pages(reports, [])
    return Ran(taken, figures, outcomes, handed_on)
