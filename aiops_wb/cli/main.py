"""The `aiops-wb` command."""

import argparse
import getpass
import math
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from tqdm import tqdm

from .. import __version__
from ..config import Settings, SettingsError, load_settings
from ..log.catalog import StoreError, open_snapshot
from ..log.ingest import COLUMNS, ingest, ingest_file
from ..log.store import open_store

__all__ = ["parser", "main"]


def _date(text):
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2013-04-01") from None


def _instant(text):
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time with an offset such as 2013-04-01T06:00:00+00:00"
        )
    return when


def _days(text):
    if not text.isdigit() or not 1 <= int(text) <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 36500")
    return int(text)


def _pairs(text):
    pairs = [p.partition("=") for p in text.split(",")]
    if not all(k and sep and v for k, sep, v in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of name=value")
    return [(k.strip(), v.strip()) for k, _, v in pairs]


def _points(view, score):
    try:
        return int(view.grid.quantise(score))
    except ValueError as error:
        raise StoreError(f"threshold: {error}") from None


def parser() -> argparse.ArgumentParser:
    "The command's arguments."
    top = argparse.ArgumentParser(
        prog="aiops-wb",
        description="A workbench for people who run a binary risk model in production.",
    )
    top.add_argument("--version", action="version", version=f"aiops_wb {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data", type=Path, help="folder of the log, catalog, spool and models (default: data)"
    )
    common.add_argument(
        "--reports-dir",
        type=Path,
        dest="reports_folder",
        metavar="DIR",
        help="folder of the pages (default: reports)",
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name, text, run, **options):
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            parents=[common],
            **options,
        )
        command.set_defaults(run=run)
        return command

    show = {
        "choices": ("all", "last", "none"),
        "help": "execute the report notebooks of all days, the last one, or none (default: last)",
        "default": "last",
    }
    c = add("ingest", "take the spool, or a file of your own, into the log", _ingest)
    c.add_argument(
        "--file",
        type=Path,
        help="a CSV, JSON-lines or Parquet file (default: everything in the spool)",
    )
    c.add_argument(
        "--kind",
        choices=tuple(COLUMNS),
        default="predictions",
        help="what the file holds (default: predictions)",
    )
    c.add_argument(
        "--map",
        type=_pairs,
        default=[],
        metavar="OURS=THEIRS,...",
        help="columns of the file, such as score=p_fraud,prediction_id=id; other columns become features",
    )
    c.add_argument(
        "--set",
        type=_pairs,
        default=[],
        metavar="COLUMN=VALUE,...",
        help="constant columns, such as model=fraud,version=v1,threshold=0.5",
    )
    c.add_argument(
        "--timezone",
        help="zone whose calendar days are the log's days; fixed when the log is created (default: UTC)",
    )

    c = add("daily", "run one day, or every day that is due, for one model or all", _daily)
    c.add_argument(
        "--date", type=_date, help="the day (default: every day that is due, up to yesterday)"
    )
    c.add_argument("--model", action="append", default=[], help="only this model; may be repeated")
    c.add_argument(
        "--as-of", type=_instant, help="use only what was known at this time (default: all)"
    )
    c.add_argument("--reports", dest="show", **show)

    c = add("backfill", "run many days", _backfill)
    c.add_argument("--from", type=_date, required=True, dest="start", help="first day")
    c.add_argument("--to", type=_date, required=True, dest="end", help="last day")
    c.add_argument("--model", action="append", default=[], help="only this model; may be repeated")
    c.add_argument(
        "--as-of", type=_instant, help="use only what was known at this time (default: all)"
    )
    c.add_argument("--reports", dest="show", **show)

    c = add("train", "train a version on a range of the log's days and register it", _train)
    c.add_argument("--model", required=True, help="the model")
    c.add_argument("--version", required=True, dest="name", help="a name for the new version")
    c.add_argument("--from", type=_date, required=True, dest="start", help="first day")
    c.add_argument("--to", type=_date, required=True, dest="end", help="last day")

    c = add("activate", "make a registered version the one that scores", _activate)
    c.add_argument("--model", required=True, help="the model")
    c.add_argument("--version", required=True, dest="name", help="the version")
    c.add_argument("--why", required=True, help="the reason, for the audit trail")

    c = add("calibrate", "calibrate a version by hand, or list its calibrations", _calibrate)
    c.add_argument("--model", required=True, help="the model")
    c.add_argument(
        "--version", dest="name", metavar="VERSION", help="the version (default: the active one)"
    )
    c.add_argument(
        "--source",
        choices=("prediction_log", "fraud_log", "csv"),
        default="prediction_log",
        help="labelled predictions of the log, only those that became cases, or a file (default: prediction_log)",
    )
    c.add_argument(
        "--file",
        type=Path,
        help="with --source csv: a file with the columns prediction, actual and, for the rule for tickets, day",
    )
    c.add_argument(
        "--days",
        type=_days,
        default=30,
        help="use the last so many days of the log for sets and intervals (default: 30)",
    )
    c.add_argument(
        "--min-samples",
        type=int,
        default=30,
        help="refuse fewer labelled predictions (default: 30)",
    )
    c.add_argument("--list", action="store_true", help="only list the calibrations of the model")

    c = add(
        "cases",
        "take the spool in, open cases from new decisions and hand them on, or list cases",
        _cases,
    )
    c.add_argument("--list", action="store_true", help="only list the cases of the last days")
    c.add_argument(
        "--days",
        type=_days,
        default=7,
        help="with --list: how many days back from the newest (default: 7)",
    )

    c = add("drift", "list alarms about drift", _drift)
    c.add_argument("--model", action="append", default=[], help="only this model; may be repeated")
    c.add_argument(
        "--days", type=_days, default=30, help="how many days back from the newest (default: 30)"
    )
    c.add_argument(
        "--explain",
        action="store_true",
        help="tell the newest days of one model from those of its training, and name the features (needs the extra ml)",
    )
    c.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="FEATURE",
        help="with --explain: leave out a feature, to see what else differs; may be repeated",
    )

    c = add("calendar", "list what is known beforehand about days, or add to it", _calendar)
    group = c.add_mutually_exclusive_group()
    group.add_argument(
        "--add",
        metavar="NAME",
        help="a name for days to annotate, such as 'Easter' or 'new cameras' (with --from, --to and a reason)",
    )
    group.add_argument("--remove", metavar="ID", help="take an entry out (a reason is needed)")
    c.add_argument("--from", type=_date, dest="start", help="first day")
    c.add_argument("--to", type=_date, dest="end", help="last day (default: the first)")
    c.add_argument("--model", help="only for this model (default: every model)")
    c.add_argument(
        "--mute", action="store_true", help="these days raise no alarm and count for none"
    )
    c.add_argument("--why", help="the reason, for the audit trail")

    c = add("sites", "load the table of sites: who is asked about a case", _sites)
    c.add_argument(
        "--file",
        type=Path,
        required=True,
        help="a CSV file with site_id, security_manager, manager, and optionally name and tenant",
    )
    c.add_argument("--why", required=True, help="the reason, for the audit trail")

    c = add("threshold", "show, try, change or roll back a model's threshold", _threshold)
    c.add_argument("--model", required=True, help="the model")
    group = c.add_mutually_exclusive_group()
    group.add_argument(
        "--try",
        type=float,
        dest="candidate",
        metavar="SCORE",
        help="replay the last 30 days with this threshold",
    )
    group.add_argument(
        "--set", type=float, dest="score", metavar="SCORE", help="change it (a reason is needed)"
    )
    group.add_argument(
        "--rollback", action="store_true", help="put back the one before (a reason is needed)"
    )
    c.add_argument("--why", help="the reason, for the audit trail")

    c = add("rollback", "put back the version that was active before", _rollback)
    c.add_argument("--model", required=True, help="the model")
    c.add_argument("--why", required=True, help="the reason, for the audit trail")

    c = add(
        "retrain",
        "train a challenger, compare it with the champion, propose; never activates",
        _retrain,
    )
    c.add_argument("--model", required=True, help="the model")
    c.add_argument("--date", type=_date, help="as on the evening of this day (default: the newest)")
    c.add_argument(
        "--override", metavar="WHY", help="go on although a safeguard stops it, for this reason"
    )
    c.add_argument(
        "--flag", choices=("on", "off"), help="only switch retraining on or off for this model"
    )
    c.add_argument("--why", help="the reason for --flag, for the audit trail")

    add("status", "what is logged, what is active, what is due", _status)
    add("audit", "list the audit trail and verify its chain", _audit)

    c = add("demo", "replay a log with its models and make their reports", _demo)
    c.add_argument(
        "--case",
        choices=("flights", "attendance"),
        default="flights",
        help="real flights with two models, or simulated attendance of guards with known truth (default: flights)",
    )
    c.add_argument(
        "--until",
        type=_date,
        help="last replayed day (default: flights 2013-06-30, attendance 2025-07-14)",
    )
    c.add_argument(
        "--report-days",
        type=int,
        default=7,
        help="make reports of this many last days (default: 7)",
    )
    return top


def _settings(args) -> Settings:
    return load_settings(
        data=args.data, reports=args.reports_folder, timezone=getattr(args, "timezone", None)
    )


def _now():
    return datetime.now(UTC)


def _who():
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _ingest(args):
    settings, zone = _settings(args), None
    if "timezone" in settings.model_fields_set:
        zone = settings.timezone
    with open_store(settings.data, _who(), zone) as store:
        if args.file:
            taken = ingest_file(
                store, _now(), _who(), args.file, args.kind, dict(args.map), dict(args.set)
            )
        else:
            taken = ingest(store, _now(), _who())
        if taken.quarantined:
            for source, line, reason in store.con.execute(
                "SELECT source, line, reason FROM quarantine WHERE batch_id = (SELECT max(batch_id) FROM quarantine) ORDER BY line LIMIT 5"
            ).fetchall():
                print(f"  {source}, line {line}: {reason}")
        store.publish(settings.snapshots_kept)
    print(taken)
    return 1 if taken.refused or (args.file and not taken.loaded and taken.quarantined) else 0


class _Bar:
    "A progress bar on a terminal, a line for each step in a log."

    def __init__(self, what):
        self.what, self.bar = what, None

    def expect(self, steps):
        if steps and sys.stderr.isatty():
            self.bar = tqdm(total=steps, desc=self.what, unit="report")

    def done(self, outcome):
        if self.bar is not None:
            self.bar.update()
            if self.bar.n >= self.bar.total:
                self.bar.close()
        elif outcome.state == "failed" or not sys.stderr.isatty():
            print(f"{outcome.name}: {outcome.state}", flush=True)
        if outcome.state == "failed":
            tqdm.write(
                f"{outcome.name} failed: {(outcome.error or '').strip().splitlines()[-1]}",
                file=sys.stderr,
            )


def _progress(items, what):
    "The items, with a bar on a terminal and a line for each tenth of them in a log."
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, unit="day")
        return
    for number, item in enumerate(items, 1):
        yield item
        if number == len(items) or number % max(1, len(items) // 10) == 0:
            print(f"{what}: {number} of {len(items)}", flush=True)


def _run_days(args, days):
    from aiops_wb.daily import run

    settings, bar = _settings(args), _Bar("reports")
    ran = run(
        settings.data,
        settings.reports,
        _now(),
        settings,
        days=days,
        models=args.model,
        as_of=args.as_of,
        show=args.show,
        who=_who(),
        on_done=bar.done,
        expect=bar.expect,
    )
    failed = ran.states.count("failed")
    print(
        f"{len(ran.figures)} days and models, {len(ran.reports)} reports, {failed} failed; open {settings.reports / 'index.html'}"
    )
    return 1 if ran.ingested.refused and not failed else ran.exit_code


def _daily(args):
    return _run_days(args, [args.date] if args.date else None)


def _backfill(args):
    if args.end < args.start:
        raise StoreError(f"--to {args.end} lies before --from {args.start}.")
    return _run_days(
        args, [args.start + timedelta(i) for i in range((args.end - args.start).days + 1)]
    )


def _calibrate(args):
    import pandas as pd

    from aiops_wb.watch.calibrate import calibrate_now

    settings = _settings(args)
    if args.list:
        with open_snapshot(settings.data) as reader:
            found = reader.calibration_list(reader.require_model(args.model), args.name)
            for c in found.itertuples():
                at = (
                    "none automated"
                    if pd.isna(c.ticket_threshold)
                    else f"tickets from {1 / (1 + math.exp(-c.ticket_threshold / 1000)):.3f}"
                )
                print(
                    f"{c.calibration_id}  {c.created_at:%Y-%m-%d %H:%M}Z  {c.n:,} labelled events, q90 {'-' if pd.isna(c.q90) else format(c.q90, '.3f')}, {'reference only' if pd.isna(c.rule) else c.rule}, {at} ({c.why})"
                )
            print(f"{len(found)} calibrations")
        return 0
    with open_store(settings.data, _who()) as store:
        version = args.name or store.active_version(store.require_model(args.model))
        if version is None:
            raise StoreError(f"{args.model} has no active version: name one with --version.")
        done = calibrate_now(
            store,
            _now(),
            _who(),
            args.model,
            version,
            args.source,
            settings,
            file=args.file,
            days=args.days,
            min_samples=args.min_samples,
        )
        store.publish(settings.snapshots_kept)
    s = done.summary
    print(
        f"{done.calibration_id}: {s['n']:,} labelled predictions, mean prediction {s['mean_prediction']:.3f}, mean outcome {s['positive_rate']:.3f} (positive rate {s['positive_rate']:.1%}), standard deviation {s['sd_prediction']:.3f}, mean error {s['mean_error']:.3f}"
    )
    print(done.rule)
    if done.note:
        print(f"note: {done.note}")
    return 0


def _printable(text):
    "Text from a log without what steers a terminal."
    return "".join(c if c.isprintable() else " " for c in text)


def _cases(args):
    settings = _settings(args)
    if args.list:
        with open_snapshot(settings.data) as reader:
            found = reader.cases()
            newest = found.event_date.max() if len(found) else None
            shown = (
                found[
                    (found.state != "joined") & (found.event_date > newest - timedelta(args.days))
                ]
                if len(found)
                else found
            )
            for c in shown.itertuples():
                print(
                    f"{c.case_id}  {c.predicted_at:%Y-%m-%d %H:%M}Z  {_printable(c.title)}  -> {_printable(c.assignee) if c.assignee else 'unassigned'}"
                    + (", too old to be sent" if c.state == "late" else "")
                )
            print(f"{len(shown)} cases" if len(found) else "no case was opened yet")
        return 0
    from aiops_wb.daily import hand_on

    return 0 if hand_on(settings.data, _now(), settings, _who()) else 3


def _explain_drift(reader, args):
    from aiops_wb.models.domain import explain_drift

    if len(args.model) != 1:
        raise StoreError("--explain is about one model: name it with --model.")
    model = reader.require_model(args.model[0])
    version, days = reader.active_version(model), reader.days(model)
    if version is None:
        raise StoreError(
            f"{model} has no active version that was trained here: there are no training days to compare with."
        )
    found = explain_drift(reader, model, version, days[-1], without=args.without)
    print(
        f"{found.n_recent:,} events of the 7 days to {days[-1]} told from {found.n_reference:,} of training: {found.says}; 0.5 is not at all"
    )
    for name, push in [p for p in found.features.items() if p[1] >= 0.005][:5]:
        print(f"  {name}: mean contribution {push:.2f} log-odds")
    if len(found.features) > 1:
        print(
            "to see what else differs, leave out the first: "
            + " ".join(
                f"--without {shlex.quote(name)}"
                for name in (*args.without, next(iter(found.features)))
            )
        )
    return 0


def _drift(args):
    settings = _settings(args)
    with open_snapshot(settings.data) as reader:
        if args.explain:
            return _explain_drift(reader, args)
        if args.without:
            raise StoreError("--without belongs to --explain.")
        parts = [
            reader.drift_events(reader.require_model(m)) for m in args.model or reader.models()
        ]
        found = [e for part in parts for e in part.itertuples() if e.state != "ongoing"]
        newest = max((e.event_date for e in found), default=None)
        shown = [e for e in found if e.event_date > newest - timedelta(args.days)]
        for e in sorted(shown, key=lambda e: (e.event_date, e.event_id)):
            print(
                f"{e.event_id}  {e.event_date:%Y-%m-%d}  {e.state:6}  {_printable(e.title)}. {_printable(e.text)}"
                + (" (muted)" if e.muted else "")
            )
        still = sum(
            int((part.groupby("event_id").tail(1).state != "closed").sum())
            for part in parts
            if len(part)
        )
        print(
            f"{still} alarms are open"
            if any(len(p) for p in parts)
            else "no alarm was raised yet by a daily run (days that are filled in after later ones raise none)"
        )
    return 0


def _calendar(args):
    settings = _settings(args)
    if args.add is None and args.remove is None:
        with open_snapshot(settings.data) as reader:
            entries = reader.calendar(args.model)
            for e in entries.itertuples():
                print(
                    f"{e.entry_id}  {e.first:%Y-%m-%d} to {e.last:%Y-%m-%d}  {_printable(e.name)}"
                    + (f" ({e.model})" if isinstance(e.model, str) else "")
                    + (", muted" if e.mutes else "")
                )
            print(f"{len(entries)} entries")
        return 0
    if not args.why:
        raise StoreError("a change of the calendar needs a reason: add --why.")
    if args.add is not None and args.start is None:
        raise StoreError("which days: give --from, and --to where there are more than one.")
    with open_store(settings.data, _who()) as store:
        if args.remove is not None:
            store.strike(_now(), _who(), args.remove, args.why)
            print(f"{args.remove} is taken out")
        else:
            key = store.annotate(
                _now(),
                _who(),
                args.start,
                args.end or args.start,
                args.add,
                args.why,
                args.model,
                args.mute,
            )
            print(
                f"{key}: {args.add}, {args.start} to {args.end or args.start}"
                + (", muted" if args.mute else "")
            )
        store.publish(settings.snapshots_kept)
    return 0


def _sites(args):
    from aiops_wb.watch.calibrate import read_table

    settings, table = (
        _settings(args),
        read_table(args.file, "site_id, security_manager and manager"),
    )
    with open_store(settings.data, _who()) as store:
        changed = store.set_sites(_now(), _who(), table, args.why)
        store.publish(settings.snapshots_kept)
    print(f"{changed} of {len(table)} sites are new or changed")
    return 0


def _train(args):
    from aiops_wb.models.registry import register, train

    settings = _settings(args)
    with open_store(settings.data, _who()) as store:
        rows = store.rows(
            store.require_model(args.model), args.start, args.end, where="label IS NOT NULL"
        )
        trained, held_out = train(rows, args.model, args.name)
        register(store, trained, held_out, _now(), _who(), **settings.certainty)
        store.publish(settings.snapshots_kept)
    figures = {
        k: round(trained.state["metrics"][k], 3)
        for k in ("roc_auc", "pr_auc", "precision", "recall")
        if trained.state["metrics"].get(k) is not None
    }
    print(
        f"{args.model} {args.name} is registered, not active; held-out days from {trained.state['held_out_from']}: {figures}"
    )
    return 0


def _activate(args):
    settings = _settings(args)
    with open_store(settings.data, _who()) as store:
        store.activate(_now(), _who(), args.model, args.name, args.why)
        store.publish(settings.snapshots_kept)
    print(f"{args.model} {args.name} is active")
    return 0


def _rollback(args):
    settings = _settings(args)
    with open_store(settings.data, _who()) as store:
        back = store.roll_back(_now(), _who(), "model", args.model, args.why)
        store.publish(settings.snapshots_kept)
    print(f"{args.model} {back} is active again")
    return 0


def _newest_view(reader, settings, model):
    from aiops_wb.watch.view import View

    days = reader.days(reader.require_model(model))
    if not days:
        raise StoreError(f"{model} has no predictions yet.")
    today = _now().date()
    return View(
        reader, model, max((d for d in days if d <= today), default=days[-1]), None, settings
    )


def _threshold(args):
    settings = _settings(args)
    if (args.score is not None or args.rollback) and not args.why:
        raise StoreError("a change of a threshold needs --why.")
    if args.score is None and not args.rollback:
        with open_snapshot(settings.data) as reader:
            view = _newest_view(reader, settings, args.model)
            print(
                f"{args.model} {view.version}: threshold {view.probability(view.threshold):.3f} ({view.threshold} points)"
            )
            if args.candidate is not None:
                result = view.replay.simulate(_points(view, args.candidate))
                for name, (candidate, current, difference) in result.table.items():
                    print(f"  {name:15} {candidate:12.3f} {current:12.3f} {difference:+12.3f}")
                print(result.recommendation)
        return 0
    with open_store(settings.data, _who()) as store:
        view = _newest_view(store, settings, args.model)
        if args.rollback:
            store.roll_back(_now(), _who(), "threshold", f"{args.model}/{view.version}", args.why)
        else:
            points = _points(view, args.score)
            store.set_threshold(
                _now(),
                _who(),
                args.model,
                view.version,
                points,
                args.why,
                {"replay": view.replay.simulate(points).table},
                logged=view.threshold,
            )
        now_at = store.threshold(args.model, view.version)
        store.publish(settings.snapshots_kept)
        print(
            f"{args.model} {view.version}: threshold is now {view.probability(now_at):.3f} ({now_at} points)"
        )
    return 0


def _retrain(args):
    from aiops_wb.models.challenge import challenge, check

    settings = _settings(args)
    with open_store(settings.data, _who()) as store:
        store.require_model(args.model)
        if args.flag:
            if not args.why:
                raise StoreError("switching retraining on or off needs --why.")
            with store.transaction():
                store.record(_now(), _who(), "retrain", args.model, args.flag, args.why)
            store.publish(settings.snapshots_kept)
            print(f"retraining of {args.model} is {args.flag}")
            return 0
        view = _newest_view(store, settings, args.model)
        checks = check(
            store,
            args.model,
            args.date or view.day,
            _now(),
            view.severity,
            enabled=settings.retrain_enabled,
            cooldown_days=settings.retrain_cooldown_days,
            min_labelled=settings.retrain_min_labelled,
        )
        for c in checks:
            print(f"{'pass' if c.passed else 'STOP'}  {c.name}: {c.reason}")
        if not all(c.passed for c in checks) and not args.override:
            raise StoreError(
                "a safeguard stops the retraining; --override WHY goes on for a stated reason."
            )
        result = challenge(
            store,
            args.model,
            args.date or view.day,
            _now(),
            _who(),
            why=args.override or "safeguards passed",
            options=settings.certainty,
        )
        store.publish(settings.snapshots_kept)
    print(f"{result.challenger}: {result.verdict.reason}")
    print(
        f"proposed, not active: 'aiops-wb activate --model {args.model} --version {result.challenger} --why ...' switches it on"
        if result.verdict.propose
        else "not proposed: keep the champion"
    )
    return 0


def _status(args):
    from aiops_wb.daily import due

    settings = _settings(args)
    with open_snapshot(settings.data) as reader:
        waiting = due(reader, _now())
        for model in reader.models():
            days, version = reader.days(model), reader.active_version(model)
            span = f"{days[0]} to {days[-1]} ({len(days)} days)" if days else "nothing logged"
            print(
                f"{model}: {span}, active version {version or '-'}, {sum(m == model for _, m in waiting)} days due"
            )
        quarantined = reader.frame("SELECT count(*) AS n FROM quarantine").n[0]
        print(
            f"batch {reader.known_batch()}, days of {reader.timezone}, {quarantined} rows in quarantine"
        )
    return 0


def _audit(args):
    with open_snapshot(_settings(args).data) as reader:
        for row in reader.audit().itertuples():
            print(
                f"{row.seq:5} {row.changed_at:%Y-%m-%d %H:%M}Z {row.who}: {row.what} of {row.subject}: {row.old or '-'} -> {row.new or '-'} ({row.why})"
            )
        print(f"{reader.verify_audit()} rows, chain intact")
    return 0


def _demo(args):
    from aiops_wb.examples.demo import STORIES, demo

    settings, bar = _settings(args), _Bar("reports")
    outcomes = demo(
        settings.data,
        settings.reports,
        settings,
        story=STORIES[args.case],
        until=args.until,
        report_days=args.report_days,
        progress=_progress,
        on_done=bar.done,
        expect=bar.expect,
    )
    failed = [o for o in outcomes if o.state == "failed"]
    print(
        f"{len(outcomes)} reports, {len(failed)} failed.\nOpen {(settings.reports / 'index.html').resolve()}\nThe log: duckdb -readonly {(settings.data / 'aiops.duckdb').absolute()}"
    )
    return 0 if not failed else 4 if len(failed) == len(outcomes) else 3


def main(argv: Sequence[str] | None = None) -> int:
    "Run the command; returns the exit code."
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except (StoreError, SettingsError) as error:
        message = str(error)
    except ModuleNotFoundError as error:
        message = (
            f"{error}"
            if "aiops_wb[" in str(error)
            else f"{error.name} is not installed: this command needs the extras, pip install 'aiops_wb[ml,lab]'."
        )
    except duckdb.Error as error:
        message = f"the database says: {str(error).splitlines()[0]}"
    except OSError as error:
        message = f"{error.filename or 'the disk'}: {error.strerror or error}."
    except KeyboardInterrupt:
        message = "interrupted; run it again to go on."
    print(f"aiops-wb: {message}", file=sys.stderr)
    return 1
