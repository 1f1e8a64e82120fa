"""Whatever can be asked as of a time answers, ever after, what it answered then."""

import inspect
import re
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from recorded import hold

from aiops_wb.config import Settings
from aiops_wb.log.ab import AbTest
from aiops_wb.log.acts import Act
from aiops_wb.log.catalog import Reader
from aiops_wb.log.compaction import compact, plan
from aiops_wb.log.holidays import Declared
from aiops_wb.log.ingest import ingest
from aiops_wb.log.promises import Promise, Unit
from aiops_wb.log.shadow import Pair
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.taken_acts import TakenAct
from aiops_wb.stats.ab import Arm, Plan
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.selective import exploration
from aiops_wb.watch.cases import open_cases

BEFORE, EARLIER, LATER = (datetime(2026, 3, day, 2, tzinfo=UTC) for day in (1, 6, 9))
DAY, OWN, PAIR = date(2026, 3, 2), ("default", "north"), Pair(MODEL, "v1", "v2")
DECIDED = [EARLIER.date() + timedelta(1), LATER.date() + timedelta(1)]
MOMENT = timedelta(microseconds=1)
CARD = {"bins": {"x": {"cuts": [0.0]}}}

ASKED = {  # what a question is about, by the name of its parameter
    "model": MODEL,
    "version": "v1",
    "start": DAY,
    "end": DAY + timedelta(9),
    "first": DAY,
    "last": DAY + timedelta(9),
    "until": DAY + timedelta(9),
    "day": DAY,
    "now": datetime(2026, 3, 5, tzinfo=UTC),
    "days": [DAY, DAY + timedelta(1)],
    "pair": PAIR,
    "scope": OWN,
    "what": "threshold",
    "subject": f"{MODEL}/v1",
    "new": "100",
    "severity": "high",
    "prediction_id": f"v1-{DAY}-00000",
    "ids": [f"v1-{DAY}-{i:05d}" for i in range(5)],
    "case": "T-1",
}
PLAN = Plan("t0", 0.5, Arm("v1", 100), Arm("v1", 900), 2, 60, "outcome", None)
TEST = AbTest(PLAN, BEFORE, "ana", "why", None, None)
OF_ITS_OWN = {  # where a name means another thing, or the default asks for less than there is
    "ab_entities": {"model": "other", "test": TEST},
    "ab_test": {"model": "other"},
    "ab_tests": {"model": "other"},
    "same_events": {"a": MODEL, "b": "other"},
    "alike_cases": {"ids": None},
    "handled_cases": {"ids": None},
    "last_sent": {"ids": ["T-1"]},
    "arrivals": {"days": 30},
    "calibration": {"day": None},
    "course": {"metrics": ["auc0", "auc1"]},
    "decided_with": {"days": DECIDED},
    "last_loaded": {"kind": "predictions"},
    "set_bounds_by_day": {"days": DECIDED},
    "shadow_since": {"version": "v2"},
}
FOR_GOOD = {"explores", "first_figures_at", "said_by"}
"The first word stands: what is written later changes nothing."


BY_BATCH = {"feature_kinds"}
"What was fixed before any batch counts as known from the beginning."


def known_as_of():
    "Every question of a catalog that can be asked as of a time, with the names of the rest."
    for name, function in inspect.getmembers(Reader, inspect.isfunction):
        asked = inspect.signature(function).parameters
        if "as_of" in asked and not name.startswith("_"):
            given = ASKED | OF_ITS_OWN.get(name, {})
            rest = [p for p in asked.values() if p.name not in ("self", "as_of")]
            needed = [p.name for p in rest if p.default is p.empty or p.name in given]
            yield name, {p: given[p] for p in needed}


QUESTIONS = dict(known_as_of())
OF_NOW = {  # None, for all that is known, where that can be asked
    name: None
    for name in QUESTIONS
    if inspect.signature(getattr(Reader, name)).parameters["as_of"].default is None
}


def ask(store, name, as_of):
    "An answer, as text with all fields in it; a refusal is one too."
    try:
        return plain(getattr(store, name)(**QUESTIONS[name], as_of=as_of))
    except Exception as refused:
        return f"{type(refused).__name__}: {refused}"


def plain(answer):
    "An answer as text, with all that it holds."
    return repr(_plain(answer))


def _plain(answer):
    if isinstance(answer, pd.DataFrame):
        return answer.to_dict("split") | {"types": answer.dtypes.to_dict()}
    if is_dataclass(answer) and not isinstance(answer, type):
        return {f.name: _plain(getattr(answer, f.name)) for f in fields(answer)}
    if isinstance(answer, dict):
        told = {str(key): _plain(value) for key, value in answer.items()}
        return dict(sorted(told.items()))
    if isinstance(answer, (list, tuple)):
        return [_plain(one) for one in answer]
    return answer.tolist() if isinstance(answer, np.ndarray) else answer


def certain(points):
    labels = np.r_[np.ones(50), np.zeros(50)]
    counts = ScoreCounts.from_events(np.r_[np.full(50, points), np.full(50, -points)], labels)
    return certainty({DAY - timedelta(9): counts}, DAY - timedelta(9))


def logged(bench, store, now, nth):
    """Predictions of two days, some of high risk, some reviewed by chance, and labels of half of
    them; then more, by two versions, of another site and tenant, and labels corrected."""
    n = 20 * (2 + nth)
    called = {"risk_level": ["HIGH"] * 4 + ["LOW"] * (n - 4), "automated": [True, False] * (n // 2)}
    called |= {"propensity": [0.5, None] * (n // 2), "route": ["ticket", "alert"] * (n // 2)}
    for version in ("v1", "v2") if nth else ("v1",):
        some = events(2 + nth, 20, seed=nth, start=DAY, version=version)
        if nth:
            some = some.assign(id=some.id + "-1", site="east")
        with PredictionLogger(
            bench.data / "spool", MODEL, version, threshold=0, tenant=("default", "two")[nth]
        ) as log:
            told = {"prediction_id": some.id, "site_id": some.site, "entity_id": some.site}
            told["event_key"] = "of " + some.id
            log.log(some.score, some["at"], **told, features=some[["x"]], latency_ms=2.0, **called)
        bench.label(some[::2], now - timedelta(hours=1))
    if nth:
        some = events(2, 20, start=DAY)
        bench.label(some[:4], now - timedelta(hours=1), label=1 - some.label[:4])
    with PredictionLogger(bench.data / "spool", "other", "v1", threshold=0) as log:
        same = events(2, 20, start=DAY)[5 * nth : 5 * nth + 5]  # events that another scores, too
        told = {"event_key": "of " + same.id, "entity_id": same.site, "arm": "t0/A"}
        log.log(same.score, same["at"], **told)
    ingest(store, now, "ana")
    open_cases(store, now, Settings(case_max_age_hours=10_000))


def registered(store):
    "Three versions that could score."
    for version in ("v1", "v2", "v3"):
        store.add_version(BEFORE, "ana", MODEL, version, Grid(), "p", CARD, 100)
        bins = {"event_date": BEFORE.date(), "feature": "x", "bin": [1, 2], "n": 9}
        store.add_reference(MODEL, version, pd.DataFrame(bins))
        store.add_held_out(MODEL, version, {BEFORE.date(): ScoreCounts.from_events([1, 2])})


def said(store, now, nth):
    "What people say of versions, thresholds and the rest, each another word at each time."
    who, why = ("ana", "ben")[nth], f"reason {nth}"
    if not nth:
        store.promote(BEFORE, who, MODEL, "v3", why)
        store.promote(now, who, MODEL, "v1", why)
        store.shadow(now, who, MODEL, "v2", why)
    else:
        store.promote(now, who, MODEL, "v2", why)
        store.add_version(now, who, MODEL, "v4", Grid(), "p", {}, 100)
        store.fix_features(now, who, MODEL, {"y": "number"}, why)
    store.record(now, who, "model", "other", "v1", why)
    store.record(now, who, "threshold", "other/v1", "100", why)
    if nth:
        store.end_ab(now, who, "other", why)
    store.begin_ab(now, who, "other", replace(PLAN, test=f"t{nth}"), why)
    store.set_threshold(now, who, MODEL, "v1", 300 + nth, why)
    store.set_own_threshold(now, who, MODEL, "v1", OWN, 500 + nth, why)
    store.turn_dial(now, who, MODEL, bool(nth), why)
    counts = ScoreCounts.from_events(np.arange(-6_000, 3_000, 7))
    store.explore(now, who, MODEL, None if nth else exploration(counts, 405, 0.1), why)
    store.declare_never(now, who, MODEL, 0.1 + nth / 10, why)
    store.stop_retraining(now, who, why)
    store.let_retrain(now, who, MODEL, not nth, why)
    store.let_retrain(now, who, MODEL, bool(nth), why, "default")
    store.approve_retraining(now, who, MODEL, DAY, "high", why)
    store.set_reference(now, who, MODEL, "v1", DAY, DAY + timedelta(nth), why)
    store.watch(now, who, MODEL, "v1", bool(nth), why)
    store.name_feature(now, who, MODEL, "x", f"name {nth}", "km", why)
    store.annotate(now, who, DAY, DAY, f"entry {nth}", why, MODEL)
    until = DAY + timedelta(nth)
    store.enter_holidays(now, who, Declared("VN"), {until: "a feast"}, until, why)
    store.propose_threshold(now, who, MODEL, "v1", OWN, 600 + nth, 500 + nth, why)
    store.acknowledge(now, who, [*store.handled_cases().case_id[nth : nth + 3], "D-1"], why)
    store.assign_cases(now, who, [store.handled_cases().case_id[nth]], f"somebody {nth}", why)
    store.record(now, who, "case comment", "T-1", "said", why)
    sent = {"case_id": "T-1", "sink": "file", "state": ("failed", "delivered")[nth], "detail": why}
    store.add_deliveries(pd.DataFrame([sent | {"attempted_at": now, "key": f"k{nth}"}]))
    store.add_calibration(now, who, MODEL, "v1", certain(1000 + nth), why)


def computed(store, now, nth):
    "What mornings and others keep: figures, alarms, shadow, contributions, promises, acts."
    day, batch = DAY + timedelta(nth), store.known_batch()
    told = {"model": MODEL, "event_date": DAY, "as_of": now, "run_id": f"r{nth}"}
    one = told | {"version": "v1", "tenant": "", "segment": "", "metric": f"auc{nth}", "n": 9}
    store.add_metrics(pd.DataFrame([one | {"value": nth / 10, "lower": 0.0, "upper": 1.0}]))
    run = told | {"step": "figures", "state": "ok", "batch_id": batch, "started_at": now}
    store.add_runs(pd.DataFrame([run | {"seconds": 1.0, "detail": None}]))
    kept = dict.fromkeys(SUMS, nth + 1) | {"segment": "", "n": 9, "reasons_changed": 0}
    counts = ScoreCounts.from_events(np.array([-500, 700, 900]), np.array([0, 1, nth]))
    for of_day in (DAY, day):
        sums = pd.DataFrame([kept])
        store.add_shadow(PAIR, of_day, now + of_day.day * MOMENT, sums, {"v1": counts})
    pushed = {"event_date": DAY, "feature": "x", "n": 9, "total": nth, "squares": 9.0}
    store.add_contributions(MODEL, "v1", pd.DataFrame([pushed | {"batch_id": batch}]), now)
    promise = Promise(MODEL, "v1", "fpr", 0.1 + nth / 10, 0.9, "day", DAY, "a bound", 500)
    key = store.issue_promise(now, promise)
    unit = Unit(key, day, day, "kept", 0.1, 0.0, 9, nth)
    store.add_promise_units(now, MODEL, [unit], day)
    act = Act(f"act-{nth}", "set", {"model": MODEL}, "ana", now)
    store.add_act(TakenAct(act, "done", "so it is", MODEL, now), batch)
    wrong = {"model": MODEL, "version": "v1", "tenant": "default", "feature": "x", "raw": "?"}
    wrong |= {"prediction_id": ASKED["prediction_id"], "event_date": DAY}
    store.add_unreadable(batch, pd.DataFrame([wrong]))


SUMS = [
    "champion_calls",
    "challenger_calls",
    "both_call",
    "n_labelled",
    "n_positive",
    "champion_false",
    "challenger_false",
    "champion_missed",
    "challenger_missed",
    "champion_loss",
    "challenger_loss",
    "reasons",
]


def alarmed(store, now, nth):
    told = {"event_id": "D-1", "model": MODEL, "version": "v1", "stream": "x", "muted": False}
    told |= {"state": "opened", "kind": "covariate", "severity": ("low", "high")[nth], "text": "x"}
    told |= {"log10_evidence": 1.0, "effect": 0.2, "lower": 0.1, "unit": "points", "title": "y"}
    told |= {"since": DAY, "opened_on": DAY, "event_date": DAY + timedelta(nth)}
    store.add_drift_events(pd.DataFrame([told | {"as_of": now, "recorded_at": now}]))


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    "A log that was written twice, and what each question was answered before, between and after."
    bench, answers = Bench(tmp_path_factory.mktemp("twice")), {}
    with bench.store() as store:
        answers[BEFORE - MOMENT] = {name: ask(store, name, None) for name in QUESTIONS}
        registered(store)
        for nth, now in enumerate((EARLIER, LATER)):
            logged(bench, store, now, nth)
            alarmed(store, now, nth)
            said(store, now, nth)
            computed(store, now, nth)
            # what is kept of a day of shadow is known some moments later
            then = now + timedelta(minutes=1)
            answers[then] = {n: ask(store, n, OF_NOW.get(n, then)) for n in QUESTIONS}
        yield store, answers


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_as_of_a_time_is_that_of_then(twice, name):
    store, answers = twice
    for then, given in list(answers.items())[name in BY_BATCH :]:
        assert ask(store, name, then) == given[name], f"{name} as of {then}"
    before, earlier, later = (given[name] for given in answers.values())
    assert before != earlier, "nothing is asked for"
    assert (earlier == later) == (name in FOR_GOOD)


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_what_it_was(twice, name):
    told = "\n".join(given[name] for given in twice[1].values())
    hold(__file__, name, masked(told, twice[0]))


def masked(text, store):
    "A text without what is drawn anew in each log: names of files, hashes under its key."
    text = re.sub(r"[0-9a-f]{24,64}", "HASH", text.replace(str(store.root), "DATA"))
    text = re.sub(r"\bA-[0-9a-f]{12}\b", "CASE", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"[\w.=/-]+\.(parquet|part)'(, \d+)?", "FILE'", text)
    return re.sub(r"(?<=[{,(\[]) ?'", "\n'", text)


DRAWN = {"bytes", "content", "name", "path", "sha256"}
"Columns that are otherwise in each log: names that are drawn, sizes of packed files."


def tables(store):
    shown = """
        SELECT table_name FROM duckdb_tables()
        WHERE NOT temporary AND database_name = current_database() ORDER BY 1"""
    return store._column(shown)


def test_what_is_kept_is_what_it_was(twice):
    "Every table: of few rows all of them, of many their number and what a column adds up to."
    store, told = twice[0], []
    for table in tables(store):
        columns = [name for name, *_ in store._rows(f"DESCRIBE {table}") if name not in DRAWN]
        rows = store._rows(f"SELECT count(*) FROM {table}")[0][0]
        told.append(f"{table} {rows} {columns}")
        if rows <= 40:
            kept = store._rows(f"SELECT {', '.join(columns)} FROM {table}")
            told += sorted(masked(str(row), store) for row in kept)
            continue
        for name in columns:
            what = f"count(DISTINCT {name}), count({name}), min({name}), max({name})"
            said = store._rows(f"SELECT {what} FROM {table}")
            told.append(masked(f"{name} {said}", store))
    hold(__file__, "tables", "\n".join(told))


def test_an_answer_is_the_same_when_day_files_were_merged(twice):
    "The last test of this log: it is another one afterwards."
    store, answers = twice
    asked = {(then, n): ask(store, n, then) for then in answers for n in QUESTIONS}
    what = plan(store, DAY + timedelta(99))
    assert {file.kind for file in what.files} == {"predictions", "outcomes"}
    batches = store._rows(
        "SELECT kind, event_date, batch_id, sum(rows) FROM data_files GROUP BY 1, 2, 3"
    )
    compact(store, LATER + timedelta(1), "ana", what)
    assert {(then, n): ask(store, n, then) for then, n in asked} == asked
    told = store._rows(
        "SELECT kind, event_date, batch_id, sum(rows) FROM data_files GROUP BY 1, 2, 3"
    )
    assert sorted(map(str, told)) == sorted(map(str, batches))
