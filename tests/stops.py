"""Stop a command before its n-th rename, fsync, removal or statement, or kill it at any moment; run
it again; compare with a calm run, and the calm run with a count of the delivered files themselves.

    python tests/stops.py NAME[:KILLS][,NAME[:KILLS]...] [STOPS]

A process that has only imported forks for each trial, so that a trial costs the command and not its
imports. It prints a line for each name, a JSON object: the number of places, those that were tried,
the kills that met the command at work, and what differed, or how the trials themselves failed.
Without a number of stops every place is tried. A further command is a line in `COMMANDS`.
"""

import gc
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

import duckdb
import pandas as pd
from conftest import MODEL, Bench, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.cli.app import COMMANDS as GROUPS
from aiops_wb.log.acts import hand_in
from aiops_wb.log.backup_files import backups, read_manifest, verify_backup
from aiops_wb.log.promises import Promise
from aiops_wb.log.pseudonyms import made_key
from aiops_wb.log.refused_events import RefusedEvent, write_refused
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.log.tokens import make_token
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.selective import exploration
from aiops_wb.watch.cases import case_id

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
STOPPED = 77
WRITES = re.compile(
    r"\s*(?!CREATE TEMP)(BEGIN|COMMIT|INSERT|CREATE|COPY|ATTACH|UPDATE|DELETE|DROP)"
)


@dataclass(frozen=True)
class Command:
    "A command, what is there before, and whether its work is done once however often it is given."

    arguments: tuple[str, ...]
    before: Callable[[Bench], None] = lambda bench: None
    settings: str = ""
    again: bool = False  # given twice, it leaves a further trace: a file of one's own is duplicates


def logged(bench, days=3, per_day=30):
    "A log with labels, in the spool."
    frame = events(days=days, per_day=per_day, start=date(2026, 3, 20) - timedelta(days))
    bench.log(frame, route="ticket", automated=True)
    bench.label(frame)


def refused(bench):
    "Rows, and two files of events that could not be taken, one of them in both."
    logged(bench, days=1, per_day=10)
    for raw in ("nonsense", "other"):
        more = RefusedEvent("ev 2", "no event", "nonsense")
        write_refused(bench.data / "spool", [RefusedEvent("ev 1", "no event", raw), more])


def undecided(bench):
    "Predictions without a route, one threshold changed while they were made, a site with its own."
    frame = events(days=3, per_day=30, start=date(2026, 3, 17))
    changes = ((17, None, 300), (18, "north", 900), (19, None, -300))
    with bench.store() as store:
        for day, site, points in changes:
            at, scope = datetime(2026, 3, day, 12, tzinfo=UTC), ("default", site)
            store.set_own_threshold(at, "test", MODEL, "v1", scope, points, "a trial")
    bench.log(frame)
    bench.label(frame)


def explored(bench):
    "The same where half of what lies below is reviewed by chance, and a service that explores."
    undecided(bench)
    plan = exploration(ScoreCounts.from_events(range(-4000, 4000)), 300, 0.5)
    with bench.store() as store:
        store.explore(datetime(2026, 3, 18, tzinfo=UTC), "test", MODEL, plan, "a trial")
    with PredictionLogger(bench.data / "spool", "other", "v1", threshold=0) as log:
        log.log(0.2, datetime(2026, 3, 18, tzinfo=UTC), route="alert", propensity=0.1)


def taken_in(bench, **size):
    logged(bench, **size)
    bench.ingest(NOW)


def in_pieces(bench):
    "Days whose predictions and labels came in several batches, some of them corrected."
    frame = events(days=2, per_day=12, start=date(2026, 3, 17))
    for hour in range(3):
        some = frame[hour::3]
        bench.log(some)
        bench.label(some[: 4 + hour])
        bench.label(frame[:hour], label=1 - frame.label[:hour])
        bench.ingest(NOW - timedelta(hours=5 - hour))
    bench.publish()


def landed(bench):
    "Files that a job wrote, in two deliveries, one of which holds something that is logged."
    in_pieces(bench)
    for version, name in (("v1", "one"), ("v2", "two")):
        frame = events(days=2, per_day=12, start=date(2026, 3, 17), seed=9, version=f"n{version}")
        known = events(days=2, per_day=12, start=date(2026, 3, 17)).head(2)
        bench.log(frame if version == "v2" else pd.concat([frame, known]), version=version)
        place = bench.data / "landing" / name / "predictions"
        place.mkdir(parents=True)
        for path in (bench.data / "spool" / "predictions").glob("*.parquet"):
            path.rename(place / path.name)


def miscounted(bench):
    "A log of whose counts some are lost, in two batches."
    in_pieces(bench)
    with bench.store() as store:
        store.con.execute("DELETE FROM score_counts WHERE points < 0 AND batch_id IN (1, 4)")
        store.con.execute("DELETE FROM hour_counts WHERE batch_id = 3")
        store.publish()


def with_older_catalog(bench):
    "A log whose catalog was put back as it was a day before, and files that were set aside."
    taken_in(bench, days=2)
    shutil.copy(bench.data / "catalog.duckdb", bench.root / "older")
    frame = events(days=1, per_day=30, start=date(2026, 3, 20) - timedelta(1), seed=9, version="v2")
    bench.log(frame, version="v2")
    bench.label(frame)
    bench.ingest(NOW)
    (bench.root / "older").replace(bench.data / "catalog.duckdb")


def with_broken_trail(bench):
    "A log with a change in its trail that was edited since."
    taken_in(bench)
    with bench.store() as store:
        store.record(NOW - timedelta(1), "test", "watch", f"{MODEL}/v1", "off", "a trial")
        store.con.execute("UPDATE audit SET why = 'never said'")
        store.publish()


def with_backup(bench):
    "A log of which a backup was made, and what came behind it."
    taken_in(bench, days=2)
    frame = events(days=1, per_day=5, start=date(2026, 3, 19), seed=3, version="w")
    bench.log(frame, version="w")  # waits in the spool while the backup is made
    give(bench, ("backup", "kept"))
    bench.label(frame)
    bench.ingest(NOW)
    bench.publish()


def with_figures(bench):
    taken_in(bench)
    give(bench, ("daily", "--reports", "none"))


def long_log(bench):
    taken_in(bench, days=18, per_day=60)


def published(bench):
    long_log(bench)
    bench.publish()


def with_version(bench):
    long_log(bench)
    give(bench, TRAIN)


def with_challenger(bench):
    "A champion, a tenant with a threshold of its own, and a version in its shadow."
    with_version(bench)
    give(bench, [word.replace("v2", "v3") for word in TRAIN])
    give(bench, PROMOTE)
    with bench.store() as store:
        store.set_own_threshold(NOW, "test", MODEL, "v2", ("default", None), 300, "a trial")
    give(bench, SHADOW)


def with_two_champions(bench):
    "A champion, and one before whose threshold was changed since."
    with_challenger(bench)
    give(bench, [word.replace("v2", "v3") for word in PROMOTE])
    with bench.store() as store:
        store.set_threshold(NOW, "test", MODEL, "v2", 900, "another trial")


def with_mistake(bench):
    "A version that took over today and calls everybody; the one before would call nobody."
    with_two_champions(bench)
    today = events(days=1, per_day=3_000, start=NOW.date())
    today = today[today["at"] < NOW - timedelta(minutes=1)].assign(x=-3.0, score=0.99)
    bench.log(today, version="v3")
    bench.ingest(NOW - timedelta(seconds=1))
    bench.publish()


def with_folder(bench):
    with_version(bench)
    give(bench, ("models", "export", *PROMOTE[2:6], "--to", "out"))


def with_champion(bench):
    "A champion that learned from days before those that it is compared on."
    taken_in(bench, days=70)
    give(bench, [*TRAIN[:-3], "2026-01-09", "--to", "2026-02-12"])
    give(bench, PROMOTE)


def four_weeks(bench):
    taken_in(bench, days=30, per_day=5)


def with_threshold(bench):
    taken_in(bench)
    give(bench, ("thresholds", "set", "0.7", "--model", MODEL, "--why", "first"))


def with_champion_only(bench):
    with_version(bench)
    give(bench, PROMOTE)


def with_arms(bench):
    "A champion, and a threshold that is tried beside its own."
    (bench.root / "aiops.toml").write_text("ab_tests = true\n")
    with_champion_only(bench)
    give(bench, ARMS)


def with_proposal(bench):
    "A threshold that is proposed, and a place outside for what the trail is."
    (bench.root / "aiops.toml").write_text('audit_anchor = "outside/anchor.jsonl"\n')
    taken_in(bench)
    give(
        bench,
        ("thresholds", "propose", "0.7", "--model", MODEL, "--site", "north", "--why", "calls"),
    )


def with_cases(bench):
    taken_in(bench)
    give(bench, ("cases", "send"))
    made_key(bench.data)  # what the trail calls cases by is the same wherever a command stops


def with_somebody(bench):
    "Cases, labels, a waiting file and a key; every second event is of one entity."
    with_cases(bench)
    logged(bench, days=1, per_day=4)
    some = events(days=1, per_day=6, start=date(2026, 3, 18), seed=2, version="k")
    bench.log(some, version="k", event_key="event of " + some.id)
    with OutcomeLogger(bench.data / "spool", "test") as log:
        log.log(event_key="event of " + some.id, label=some.label, observed_at=NOW - timedelta(1))
    (bench.data / "rejected").mkdir(exist_ok=True)
    (bench.data / "rejected" / "odd.csv").write_text("who\nnorth\nsouth\n")


def with_one_case(bench):
    frame = events(days=1, per_day=1, start=date(2026, 3, 19)).assign(id=["one"], score=0.9)
    bench.log(frame, route="ticket", automated=True)
    give(bench, ("cases", "send"))
    made_key(bench.data)


def with_acts(bench):
    "Acts of every kind that wait, one that is refused, one that is none, and a token."
    with_cases(bench)
    with bench.store() as store:
        one, two = store.cases().case_id[:2]
    why, spool = {"why": "a trial"}, bench.data / "spool"
    threshold = {"model": MODEL, "score": 0.7} | why
    acts = (
        ("propose", threshold),
        ("propose", threshold | {"score": 0.8, "site": "north"}),
        ("approve", {"proposal": "P-1"} | why),
        ("reject", {"proposal": "P-2"} | why),
        ("set", threshold | {"score": 0.6, "if_in_force": 847}),
        ("set", threshold | {"score": 0.9, "if_in_force": 847}),
        ("rollback", {"model": MODEL} | why),
        ("acknowledge", {"ids": [one, two]} | why),
        ("close", {"ids": [one]} | why),
        ("mute", {"ids": [two], "until": "2026-04-01"} | why),
        ("assign", {"ids": [one], "to": "ben"} | why),
        ("comment", {"ids": [two], "text": "a trial"}),
    )
    for number, (kind, what) in enumerate(acts):
        hand_in(spool, kind, what, "ana", NOW, str(number) if number < 3 else None)
    (spool / "acts" / "torn.json").write_text('{"id": "')
    make_token(bench.data, "ben", ["propose"], "ana", NOW)


def damaged(bench):
    "A log among files of which one is no Parquet, one no table, one has bad rows, one is open."
    logged(bench, days=2)
    spool = bench.data / "spool" / "predictions"
    (spool / "0.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    (spool / "1.csv").write_bytes(b"no,table\n1,2\n")
    rows = [f"bad{i},2026-03-18T00:00:00Z,{'0.5' if i else 'many'},late,v1\n" for i in range(3)]
    (spool / "2.csv").write_text("prediction_id,predicted_at,score,model,version\n" + "".join(rows))
    (bench.data / "spool" / "outcomes" / "3.jsonl").write_text("[1]\n{}\n")
    log = PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    for i in range(3):
        log.log(0.5, "2026-03-18T00:00:00Z", prediction_id=f"left{i}", features={"x": 1.0})
    log.secure()  # and the process that makes this dies without more


def spelt_otherwise(bench):
    "Labels that came before predictions which spell their ids otherwise."
    at = "2026-03-18T00:00:00Z"
    labels = "".join(f"{i}.0,{i % 2},{at}\n" for i in range(10, 30))
    (bench.root / "labels.csv").write_text("prediction_id,label,observed_at\n" + labels)
    give(bench, ("ingest", "--kind", "outcomes", "--file", "labels.csv"))
    spool = bench.data / "spool" / "predictions"
    spool.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{i},{at},0.{i},late,v1\n" for i in range(10, 30))
    (spool / "p.csv").write_text("prediction_id,predicted_at,score,model,version\n" + rows)
    late = "".join(f"{i}.0,{i % 2},{at}\n" for i in range(30, 33))
    (bench.data / "spool" / "outcomes").mkdir(parents=True, exist_ok=True)
    (bench.data / "spool" / "outcomes" / "l.csv").write_text(
        "prediction_id,label,observed_at\n" + late
    )


def of_events(bench):
    "Labels of events of which some predictions are there, some come with them and some never do."
    at = "2026-03-18T00:00:00Z"

    def predict(model, keys):
        with PredictionLogger(bench.data / "spool", model, "v1", threshold=0) as log:
            ids = [f"{model}-{key}" for key in keys]
            log.log([0.5] * len(keys), [at] * len(keys), prediction_id=ids, event_key=keys)

    def tell(keys, label, at=at):
        with OutcomeLogger(bench.data / "spool", "test") as log:
            log.log(event_key=keys, label=[label] * len(keys), observed_at=at)

    keys = [f"k{i:02d}" for i in range(30)]
    predict("late", keys[:20])
    tell(keys[15:], 1)
    bench.ingest(NOW - timedelta(1))
    predict("early", keys[10:25])  # some of these events have a label
    tell(keys[:5] + keys[16:18], 0, "2026-03-19T00:00:00Z")


def of_ones_own(bench, model="late", prefix="own"):
    "A file of somebody's own, of several days."
    rows = [
        f"{prefix}{i},2026-03-1{i % 7}T00:00:00Z,0.{i + 10},{i % 9 or 'none'}" for i in range(60)
    ]
    (bench.root / "own.csv").write_text("id,when,p,amount\n" + "\n".join(rows) + "\n")


def of_elsewhere(bench):
    "Scores and labels of several days in one file."
    rows = [
        f"h{i},2026-03-1{i % 7}T08:00:00Z,0.{i + 10},{i % 2},2026-03-1{i % 7 + 2}T09:00:00Z"
        for i in range(60)
    ]
    (bench.root / "past.csv").write_text("id,predicted_at,p,y,seen\n" + "\n".join(rows) + "\n")


def with_unreadable(bench):
    "A feature that is fixed, and a later file with values that do not fit it."
    of_ones_own(bench)
    give(bench, OWN)
    give(bench, ("features", "set", MODEL, "amount", "number", "--why", "it is"))
    rows = [f"odd{i},2026-03-18T00:00:00Z,0.5,A{i}" for i in range(20)]
    (bench.root / "own.csv").write_text("id,when,p,amount\n" + "\n".join(rows) + "\n")
    give(bench, OWN)


def with_promises(bench):
    "Bounds on a threshold that come due: one by day that needs no label, and one by week."
    taken_in(bench, days=12)
    about = {"threshold": 500, "says": "a trial", "starts": date(2026, 3, 8)}
    with bench.store() as store:
        for kind, unit in (("alerts", "day"), ("fdr", "week")):
            bound = Promise(MODEL, "v1", kind, 9.0 if unit == "day" else 0.4, 0.9, unit, **about)
            store.issue_promise(datetime(2026, 3, 8, tzinfo=UTC), bound)


def with_sites(bench):
    (bench.root / "sites.csv").write_text("site_id,manager\nnorth,M. One\nsouth,N. Two\n")
    taken_in(bench)


def to_be_read(bench):
    "A log for commands that write nothing to it."
    taken_in(bench)
    bench.publish()


def with_own_reports(bench):
    "A log, and notebooks of its owner for each model and for a day."
    taken_in(bench)
    for name, declared in (("each", "model = ''\nday = ''"), ("whole", "day = ''")):
        cell = {"cell_type": "code", "outputs": [], "execution_count": None}
        told = cell | {"source": declared, "metadata": {"tags": ["parameters"]}}
        shown = cell | {"source": "print(day)", "metadata": {}}
        kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": ""}}
        notebook = {"cells": [told, shown], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
        place = bench.root / "ours" / f"{name}.ipynb"
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(notebook))


TRAIN = ["models", "train", "--model", MODEL, "--version", "v2"]
TRAIN += ["--from", "2026-03-02", "--to", "2026-03-19"]
PROMOTE = ("models", "promote", "--model", MODEL, "--version", "v2", "--why", "better")
ARMS = ("ab", "start", MODEL, "--threshold", "0.9", "--miss-cost", "5", "--mature-days", "1")
ARMS += ("--why", "fewer calls")
SHADOW = ("models", "shadow", MODEL, "v3", "on", "--why", "a trial")
OWN = ("ingest", "--file", "own.csv", "--map", "prediction_id=id,predicted_at=when,score=p")
OWN += ("--set", f"model={MODEL},version=v1,threshold=0.5")
PAST = ("history", "import", "--predictions", "past.csv", "--outcomes", "past.csv")
PAST += ("--map", "prediction_id=id,score=p,label=y,observed_at=seen", "--set", "version=v1")
PAST += ("--model", MODEL)
REFERENCE = ("reference", "set", "--model", MODEL, "--from", "2026-02-18", "--to", "2026-03-19")
REFERENCE += ("--why", "a new season")
ADOPT = ("models", "adopt", "--model", MODEL, "--version", "v1")
ADOPT += ("--from", "2026-02-18", "--to", "2026-03-19")
ONE_CASE = case_id("ticket", "one")
ACKNOWLEDGE = ("cases", "acknowledge", ONE_CASE)
TUNED = "tune_max_fdr = 0.9\ntune_min_days = 14\ntune_min_labelled = 500\n"
OURS = 'reports_folder = "ours"\n'
TO_FILE = 'case_file = "cases.jsonl"\n'
COMMANDS = {
    "ingest": Command(("ingest",), logged),
    "damaged": Command(("ingest",), damaged),
    "refused": Command(("ingest",), refused),
    "undecided": Command(("ingest",), undecided),
    "explored": Command(("daily", "--reports", "none"), explored, TO_FILE + "explore = 0.2\n"),
    "spelling": Command(("ingest",), spelt_otherwise),
    "events": Command(("ingest",), of_events),
    "file": Command(OWN, of_ones_own, again=True),
    "history": Command(PAST, of_elsewhere),
    "features": Command(
        ("features", "set", MODEL, "amount", "text", "--why", "codes"), with_unreadable
    ),
    "putback": Command(
        ("features", "rollback", MODEL, "amount", "--why", "texts"), with_unreadable
    ),
    "forget": Command(("forget", "--entity", "north", "--why", "asked to"), with_somebody, TO_FILE),
    "retention": Command(
        ("retention", "--days", "2", "--why", "as agreed"), with_somebody, TO_FILE
    ),
    "compact": Command(("compact", "--before", "2026-03-20"), in_pieces),
    "register": Command(("register-files", "--new"), landed),
    "recount": Command(
        ("backfill", "--recount", "--from", "2026-03-17", "--to", "2026-03-18")
        + ("--reports", "none"),
        miscounted,
    ),
    "daily": Command(("daily", "--reports", "none"), logged, TO_FILE),
    "promises": Command(("daily", "--reports", "none"), with_promises),
    "followed": Command(("daily", "--reports", "none"), with_challenger),
    "reports": Command(("daily",), taken_in, TO_FILE),
    "own": Command(("daily",), with_own_reports, OURS),
    "new": Command(("reports", "new", "worth-it"), to_be_read, OURS),
    "train": Command(tuple(TRAIN), long_log),
    "promote": Command(tuple(w.replace("v2", "v3") for w in PROMOTE), with_challenger),
    "back": Command(("models", "rollback", "--model", MODEL, "--why", "no"), with_two_champions),
    "guard": Command(("models", "guard", MODEL, "--act"), with_mistake, "retrain_enabled = true\n"),
    "shadow": Command((*SHADOW[:4], "off", "--why", "no better"), with_challenger),
    "import": Command(
        ("models", "import", "out", "--model", MODEL, "--version", "v4"), with_folder
    ),
    "watch": Command(("models", "watch", f"{MODEL}/v1", "off", "--why", "retired"), taken_in),
    "dial": Command(("models", "dial", MODEL, "off", "--why", "a trial"), taken_in),
    "arms": Command(ARMS, with_champion_only, "ab_tests = true\n"),
    "disarmed": Command(("ab", "stop", MODEL, "--why", "enough"), with_arms),
    "set": Command(("thresholds", "set", "0.6", "--model", MODEL, "--why", "fewer"), taken_in),
    "rollback": Command(
        ("thresholds", "rollback", "--model", MODEL, "--why", "too few"), with_threshold
    ),
    "propose": Command(
        ("thresholds", "propose", "0.6", "--model", MODEL, "--why", "fewer"), taken_in
    ),
    "approve": Command(("thresholds", "approve", "P-1", "--why", "fewer"), with_proposal),
    "reject": Command(("thresholds", "reject", "P-1", "--why", "more"), with_proposal),
    "tune": Command(("thresholds", "tune", "--model", MODEL), published, TUNED),
    "tuned": Command(("daily", "--reports", "none"), long_log, f'{TUNED}tune = "apply"\n'),
    "reference": Command(REFERENCE, four_weeks),
    "adopt": Command(ADOPT, four_weeks),
    "never": Command(("labels", "never", "20%", "--model", MODEL, "--why", "cancelled"), taken_in),
    "calibrate": Command(("calibrations", "make", "--model", MODEL, "--version", "v1"), taken_in),
    "send": Command(("cases", "send"), logged, TO_FILE),
    "acts": Command(("acts", "take"), with_acts),
    "acknowledge": Command(
        (*ACKNOWLEDGE, "--mute-until", "2026-04-01", "--why", "mine"), with_one_case
    ),
    "close": Command(("cases", "close", ONE_CASE, "--why", "done"), with_one_case),
    "assign": Command(("cases", "assign", ONE_CASE, "--to", "ben", "--why", "x"), with_one_case),
    "comment": Command(("cases", "comment", ONE_CASE, "--text", "seen"), with_one_case),
    "sites": Command(("sites", "load", "sites.csv", "--why", "new"), with_sites),
    "repair": Command(("repair",), with_older_catalog),
    "accept": Command(("audit", "accept", "--why", "an edit was undone"), with_broken_trail),
    "backup": Command(("backup", "kept"), taken_in),
    "backed": Command(("backup", "kept"), with_backup),
    "restore": Command(("restore", "kept", "--replace", "--why", "a trial"), with_backup),
    "calendar": Command(
        ("calendar", "add", "Easter", "--from", "2026-03-18", "--why", "holiday"), taken_in
    ),
    "holidays": Command(
        ("calendar", "holidays", "--country", "VN", "--years", "2026", "--why", "theirs"), taken_in
    ),
    "retrain": Command(
        ("retrain", "--model", MODEL, "--override", "a test", "--date", "2026-03-19"), with_champion
    ),
}


def give(bench, arguments):
    "Give a command in this process, its folders those of the bench, its clock that of the test."
    calls.Call.now = lambda self: NOW
    os.chdir(bench.root)
    folders = ["--data", "data", "--reports-dir", "reports", "-q"]
    if (bench.root / "aiops.toml").exists():
        folders += ["--config", "aiops.toml"]
    return main([*arguments, *folders])


def count_down(number, seen):
    "End this process before the place of that number; each place is told to `seen`."
    left = [number]

    def place(what):
        seen(what)
        left[0] -= 1
        if left[0] == 0:
            os._exit(STOPPED)

    def stopping(name, what=None):
        real = getattr(os, name)

        def act(*arguments, **options):
            place(name)
            return real(*arguments, **options)

        setattr(os, name, act)

    for name in ("rename", "replace", "fsync", "unlink", "symlink"):
        stopping(name)
    execute = duckdb.DuckDBPyConnection.execute

    def executed(self, query, *arguments, **options):
        if isinstance(query, str) and WRITES.match(query):
            place(" ".join(query.split())[:60])
        return execute(self, query, *arguments, **options)

    duckdb.DuckDBPyConnection.execute = executed


def forked(work, kill_after=None) -> tuple[int, object]:
    """The exit code of some work in a process of its own, and what it returned; killed after some
    seconds, with whatever it started."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        code = 70
        try:
            os.setpgid(0, 0)
            os.close(read)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            result = work()
            with os.fdopen(write, "w") as out:
                json.dump(result, out, default=str)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    if kill_after is not None:
        time.sleep(kill_after)
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(process, signal.SIGKILL)
    with os.fdopen(read) as told:
        text = told.read()
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, json.loads(text) if text and code == 0 else None


TOLD = {  # what is not the same twice (numbers of files), and what is said more than once
    "data_files": "SELECT * EXCLUDE (bytes, sha256) REPLACE (path[:-14] AS path) FROM data_files",
    "file_shapes": "SELECT * EXCLUDE (bytes) REPLACE (path[:-14] AS path) FROM file_shapes",
    "workbench": "SELECT * FROM workbench WHERE key <> 'labels matched to batch'",
    "runs": "SELECT DISTINCT event_date, model, step, state FROM runs WHERE state <> 'begun'",
    "metrics": "SELECT DISTINCT * EXCLUDE (run_id) FROM metrics",
    "deliveries": "SELECT DISTINCT key, sink, state, level FROM deliveries",
}


def state(bench):
    "All that is there in the end: the catalog, what is published, the log, the spool, the cases."
    with open_store(bench.data, "test") as store:
        tables = store._column("SELECT table_name FROM information_schema.tables ORDER BY ALL")
        catalog = {
            table: sorted(map(str, store._rows(TOLD.get(table, f'SELECT * FROM "{table}"'))))
            for table in tables
        }
        named = sorted(store._column("SELECT DISTINCT path FROM data_files"))
        waiting = sorted(file.path for file in store.waiting_files())
        assert not [file for file in store.day_files() if store.changed(file) or not file.sha256]
        store.verify_audit()
        champions = {model: store.active_version(model) for model in store.models()}
        for model in champions:
            for version in store.versions(model).version:
                store.require_whole(model, version)
    files = sorted(str(p.relative_to(bench.data)) for p in (bench.data / "log").rglob("*.parquet"))
    assert files == sorted([*named, *waiting]), (files, named, waiting)
    published = duckdb.connect(str((bench.data / "aiops.duckdb").resolve()), read_only=True)
    sizes = {
        table: published.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0]
        for table in ("batches", "models", "audit", "score_counts", "cases", "calendar", "sites")
    }
    log = published.execute(
        "SELECT prediction_id, points, actual_fraud_detected "
        "FROM noc_fraud_prediction_log ORDER BY ALL"
    ).fetchall()
    production = published.execute("SELECT * FROM production ORDER BY ALL").fetchall()
    open_spans = published.execute("SELECT model, version FROM production WHERE until IS NULL")
    deciding = {model: version for model, version in champions.items() if version}
    assert sorted(open_spans.fetchall()) == sorted(deciding.items()), (production, champions)
    cases = bench.root / "cases.jsonl"
    keys = [json.loads(line)["idempotency_key"] for line in open(cases)] if cases.exists() else []
    return {
        **catalog,
        "rows": counted(bench.data / "log", {bench.data / path for path in waiting}),
        "waiting": waiting,
        "published": sizes,
        "log": log,
        "production": list(map(str, production)),
        "spool": [  # but for acts that are kept until a further snapshot
            str(p)
            for p in (bench.data / "spool").rglob("*")
            if p.is_file() and p.suffix != ".taken"
        ],
        "outbox": [str(p) for p in (bench.data / "outbox").glob("*.jsonl")],
        "cases that were sent": sorted(keys),
        "folders": sorted(p.name for p in bench.root.iterdir() if p.is_dir()),
        "notebooks": sorted((p.name, p.stat().st_size) for p in bench.root.glob("ours/*")),
        "unfinished": [p.name for p in bench.root.glob("kept/.*")],
        "damaged": [
            wrong
            for folder in backups(bench.root / "kept")
            if (wrong := verify_backup(folder, read_manifest(folder)))
        ],
        "files of versions": sorted(
            str(p.relative_to(bench.data)) for p in (bench.data / "models").rglob("*.ubj")
        ),
    }


def counted(folder, without=()):
    """Ids, scores and labels of each row of Parquet files, but of some: read off the files
    themselves."""
    found = {"predictions": [], "outcomes": []}
    for kind, value in (("predictions", "score"), ("outcomes", "label")):
        for path in {*(folder / kind).rglob("*.parquet")} - {*without}:
            query = f"SELECT prediction_id, {value} FROM read_parquet(?)"
            found[kind] += duckdb.execute(query, [str(path)]).fetchall()
    labels = dict(found["outcomes"])
    return [[one, score, labels.get(one)] for one, score in sorted(found["predictions"])]


def tried(command, base, folder, number=0, kill_after=None, again=False):
    "How it ends after a stop before a place, or a kill: the exit code, the places, the state."
    bench = Bench(folder)
    shutil.copytree(base.root, folder, symlinks=True)

    def stopped():
        log = os.open(folder / "places", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        count_down(number, lambda what: os.write(log, f"{what}\n".encode()))
        return give(bench, command.arguments)

    def ending(go_on):
        if go_on:
            give(bench, command.arguments)
        return state(bench)

    code, _ = forked(
        lambda: give(bench, command.arguments) if kill_after else stopped(), kill_after
    )
    ended, found = forked(lambda: ending(code != 0 or again))
    places = [] if kill_after else (folder / "places").read_text().splitlines()
    shutil.rmtree(folder)
    return code, places, found if ended == 0 else {"no state": ended}


def differing(calm, found):
    "What is otherwise than in each of the calm runs: the difference from the first."
    wrong = [{k: (one[k], found.get(k)) for k in one if found.get(k) != one[k]} for one in calm]
    return wrong[0] if all(wrong) else {}


def trials(name, stops=None, kills=0):
    "Stops of a command, at all places unless told how many, and kills: what differed where."
    command, root = COMMANDS[name], Path(tempfile.mkdtemp(prefix="stops-"))
    try:
        base = Bench(root / "base")
        base.root.mkdir()
        if command.settings:
            (base.root / "aiops.toml").write_text(command.settings)
        assert forked(lambda: command.before(base))[0] == 0
        began = time.monotonic()
        code, places, calm = tried(command, base, root / "trial")
        took = time.monotonic() - began
        assert code == 0 and "no state" not in calm, code
        ends = [calm]
        if command.again:
            ends.append(tried(command, base, root / "trial", again=True)[2])
        if command.before is logged:
            _, delivered = forked(lambda: counted(base.data / "spool"))
            assert len(delivered) > 50 and calm["rows"] == delivered
        differences, dice, met = {}, random.Random(name), 0
        numbers = dice.sample(range(1, len(places) + 1), stops or len(places))
        for number in numbers:
            code, reached, found = tried(command, base, root / "trial", number)
            assert code == STOPPED, (number, code, reached)
            if wrong := differing(ends, found):
                differences[f"{number} {reached[-1]}"] = wrong
        for kill in range(kills or 0):
            after = dice.uniform(0, took)
            code, _, found = tried(command, base, root / "trial", kill_after=after)
            met += code != 0
            if wrong := differing(ends, found):
                differences[f"kill {kill} after {after:.3f} s"] = wrong
        return {
            "places": len(places),
            "tried": len(numbers),
            "kills": met,
            "differences": differences,
        }
    finally:
        shutil.rmtree(root)


LOGGED = 60


def logging_events(root, told):
    "Log events one by one and tell which are safe; some are made safe, some are in segments."
    log = PredictionLogger(root / "data" / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    for i in range(LOGGED):
        log.log(0.5, "2026-03-18T00:00:00Z", prediction_id=f"{i:03d}", features={"x": float(i)})
        if i % 6 == 5:
            log.flush() if i % 4 == 1 else log.secure()
            os.write(told, b"%d\n" % (i + 1))
    log.close()


def logger_trials(stops=None, kills=0):
    "A logger that is stopped or killed, then an ingest: no row is lost that was safe, none double."
    root = Path(tempfile.mkdtemp(prefix="stops-"))
    began, took = time.monotonic(), 0.0

    def tried(number=0, kill_after=None):
        bench = Bench(root / "trial")
        bench.root.mkdir()
        told, places = bench.root / "safe", bench.root / "places"

        def work():
            safe, seen = (
                os.open(p, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for p in (told, places)
            )
            count_down(number, lambda what: os.write(seen, f"{what}\n".encode()))
            logging_events(bench.root, safe)

        code, _ = forked(work, kill_after)
        assert code in (0, STOPPED, -signal.SIGKILL), code
        for _ in range(2):  # the second finds nothing
            assert forked(lambda: give(bench, ("ingest",)))[0] == 0
        ids = [row[0] for row in forked(lambda: counted(bench.data / "log"))[1]]
        safe = int(told.read_text().split()[-1]) if told.exists() and told.stat().st_size else 0
        reached = places.read_text().splitlines() if places.exists() else []
        shutil.rmtree(bench.root)
        right = ids == [f"{i:03d}" for i in range(len(ids))] and len(ids) >= safe
        return reached, {} if right else {"safe": safe, "found": ids}

    try:
        places, wrong = tried()
        took = time.monotonic() - began
        assert not wrong, wrong
        dice, differences = random.Random(0), {}
        for number in dice.sample(range(1, len(places) + 1), stops or len(places)):
            reached, wrong = tried(number)
            differences |= {f"{number} {reached[-1]}": wrong} if wrong else {}
        for kill in range(kills or 0):
            _, wrong = tried(kill_after=dice.uniform(0, took / 3))
            differences |= {f"kill {kill}": wrong} if wrong else {}
        tries = stops or len(places)
        return {
            "places": len(places),
            "tried": tries,
            "kills": kills or 0,
            "differences": differences,
        }
    finally:
        shutil.rmtree(root)


def load():
    "Import what commands import when they are called; none of it is garbage in any fork."
    for module, _ in GROUPS.values():
        import_module(f"aiops_wb.cli.{module}")
    gc.freeze()


if __name__ == "__main__":
    load()
    names, *stops = sys.argv[1:]
    stops = int(stops[0]) if stops else None
    for name, _, kills in (word.partition(":") for word in names.split(",")):
        asked = stops, int(kills or 0)
        try:
            told = logger_trials(*asked) if name == "logger" else trials(name, *asked)
        except Exception:
            told = {"failed": traceback.format_exc()}
        print(json.dumps(told), flush=True)
