"""The promise about tickets through the days: what stood, what was counted, what the operator's SQL says."""
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.automation import RiskMonitor, certainty
from aiops_wb.catalog import open_snapshot, statements
from aiops_wb.config import Settings
from aiops_wb.conformal import LabelConditional
from aiops_wb.counts import ScoreCounts, total
from aiops_wb.daily import run
from aiops_wb.monitor import View, backtest, conformal_headline, learnt, recalibrate
from aiops_wb.points import Grid
from aiops_wb.spool import OutcomeLogger, PredictionLogger
from aiops_wb.tables import coverage_table, operator_tables, promise_table

FIRST, DELAY = date(2026, 1, 1), 2
SETTINGS = dict(label_delay_days=DELAY, ticket_days=30, calibration_days=10, false_ticket_share=0.3, false_ticket_confidence=0.8)


def night(day):
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=2)


def live(bench, days, bad_from=10_000, seed=0, reports=None, step=1):
    "Log, decide by what stands, label a day later, and run each night (or every `step` nights); from day `bad_from` on all events are negative."
    rng, settings, truth = np.random.default_rng(seed), Settings(data=bench.data, **SETTINGS), []
    for i in range(days):
        day = FIRST + timedelta(i)
        score = np.clip(rng.beta(0.6, 1.4, 60), 1e-4, 1 - 1e-4)
        label = (rng.random(60) < score**0.5).astype(int) * (i < bad_from)
        points, key = Grid().quantise(score), None
        with bench.store() as store:
            found = store.calibration(MODEL, "v1")
        decided = []
        if found:
            key = found[0]
            decided = [found[1].decide(int(p)) for p in points]
        at = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(np.sort(rng.integers(0, 86_000, 60)), unit="s")
        ids = [f"{day}-{k:03d}" for k in range(60)]
        with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None) as log:
            log.log(score, at, prediction_id=ids, entity_id=ids, calibration_id=key, route=[d.route for d in decided] or None, automated=[d.automated for d in decided] or None, risk_level=[d.risk_level for d in decided] or None)
        with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
            log.log(ids, label, night(day), predicted_at=at)
        truth += [dict(id=k, day=day, points=int(p), label=y, route=d.route if d else None) for k, p, y, d in zip(ids, points, label, decided or [None] * 60)]
        if i % step == step - 1 or i == days - 1:
            run(bench.data, reports or bench.root / "reports", night(day), settings, show="none", say=lambda _: None)
    return pd.DataFrame(truth), settings


def life(tmp_path_factory, days, **options):
    bench = Bench(tmp_path_factory.mktemp("life"))
    return bench, *live(bench, days, **options)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "24 nights, with tickets from the twelfth day on; to be read only."
    return life(tmp_path_factory, 24)


@pytest.fixture(scope="module")
def lived_with_gaps(tmp_path_factory):
    "Every fifth of 20 nights, with tickets from the sixteenth day on; to be read only."
    return life(tmp_path_factory, 20, step=5)


@pytest.fixture(scope="module")
def four_days(tmp_path_factory):
    return life(tmp_path_factory, 4)


def copied(past, bench):
    "A past that a test may go on from: its truth and settings; the log lies in `bench`."
    lived, truth, settings = past
    shutil.copytree(lived.root, bench.root, dirs_exist_ok=True)
    return truth, settings.model_copy(update={"data": bench.data})


def outcomes(truth, through):
    tickets = truth[(truth.route == "ticket") & (truth.day <= through)]
    return {d: (len(r), int((r.label == 0).sum())) for d, r in tickets.groupby("day")}


def test_tickets_start_once_days_suffice_and_the_page_says_what_is_promised(lived):
    bench, truth, settings = lived
    last = max(truth.day)
    with open_snapshot(bench.data) as reader:
        view = View(reader, MODEL, last, None, settings)
        headline, promise = conformal_headline(view), promise_table(view).frame
        assert headline.state == "ok" and "the mean daily share of false tickets is at most 30% with 80% confidence" in headline.says
        mature = outcomes(truth, last - timedelta(DELAY))
        kept = view.kept()
        assert {d: (int(t), int(f)) for d, t, f in kept[kept.tickets > 0].itertuples(index=False)} == mature
        assert f"over {len(mature)} mature days" in backtest(view)
        assert f"{sum(f for _, f in mature.values()):,} of {sum(t for t, _ in mature.values()):,} labelled tickets" in promise.iloc[:, 1].str.cat()
    assert truth[truth.day < FIRST + timedelta(5)].route.isna().all() or not (truth[truth.day < FIRST + timedelta(5)].route == "ticket").any()


@pytest.mark.parametrize("past", ["lived", "lived_with_gaps"])
def test_the_watch_counts_each_mature_day_once_even_when_nights_are_missed_and_repeated(bench, past, request):
    truth, settings = copied(request.getfixturevalue(past), bench)
    last = max(truth.day)
    expected, mature = RiskMonitor(0.3), outcomes(truth, last - timedelta(DELAY))
    assert len(mature) >= 3
    for day, (tickets, false) in mature.items():
        expected = expected.after(day, tickets, false)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
        assert stands.watch.days == expected.days and stands.watch.evidence == pytest.approx(expected.evidence) and stands.counted == last - timedelta(DELAY)
        view = View(store, MODEL, last, night(last), settings)
        before = len(store.audit())
        assert recalibrate(store, view, night(last), "again") == store.calibration(MODEL, "v1")[0] and len(store.audit()) == before
        assert learnt(store, view, stands)[0] == stands.watch


@pytest.mark.slow
def test_a_broken_promise_stops_tickets_until_somebody_calibrates(bench):
    truth, settings = live(bench, 36, bad_from=24)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
    routes = truth[truth.points >= 405].groupby("day").route.agg(lambda r: (r == "ticket").mean())
    assert routes[FIRST + timedelta(23)] > 0 and routes[max(truth.day)] == 0
    if not stands.watch.broken_on:  # the rule itself stopped in time
        assert stands.rule.threshold is None
    else:
        assert "the promise broke" in stands.rule.reason


def test_coverage_judges_each_day_by_what_stood_then(lived):
    bench, truth, settings = lived
    last = max(truth.day)
    with open_snapshot(bench.data) as reader:
        view = View(reader, MODEL, last, None, settings)
        inside = known = 0
        for day, rows in truth[(truth.day > last - timedelta(DELAY + 10)) & (truth.day <= last - timedelta(DELAY))].groupby("day"):
            seen = {d: c for d, c in reader.score_counts(MODEL, as_of=night(day - timedelta(1))).items() if day - timedelta(11) < d < day}
            cuts = LabelConditional(total(seen.values())).cuts(0.9)
            inside += int(np.where(rows.label == 1, rows.points >= cuts.one, rows.points <= cuts.zero).sum())
            known += len(rows)
        assert view.coverage.overall.n == known and view.coverage.overall.value == pytest.approx(inside / known)
        assert "all" in str(coverage_table(view))


def test_past_figures_do_not_change_with_what_is_known_later(lived):
    bench, truth, settings = lived
    day = FIRST + timedelta(18)
    with open_snapshot(bench.data) as reader:
        again = View(reader, MODEL, day, night(day), settings).figures().set_index(["segment", "metric"]).value
        stored = reader.metrics(MODEL, day, day, segment=None).set_index(["segment", "metric"]).value
        changed = [m for m in stored.index if not (again[m] == stored[m] or (np.isnan(again[m]) and np.isnan(stored[m])))]
        assert not changed


def test_the_operators_sql_equals_pandas(lived):
    bench, truth, settings = lived
    with open_snapshot(bench.data) as reader:
        now = night(max(truth.day))
        rows = reader.frame("SELECT * FROM noc_fraud_prediction_log")
        stood = reader.calibrations(rows.calibration_id.dropna().unique())
        bounds = np.array([stood[k].interval(p) if k in stood else (np.nan, np.nan) for k, p in zip(rows.calibration_id, rows.points)])
        assert np.allclose(rows[["probability_lower_bound", "probability_upper_bound"]], bounds, equal_nan=True)
        answers = {name: reader.frame(sql, {"model": MODEL, "now": now, "batch": 10**9}) for name, sql in statements("operator.sql").items()}
        age = now - rows.predicted_at
        day, week = rows[age < timedelta(hours=24)], rows[age < timedelta(days=7)]
        rate = answers["automation_rate"].iloc[0]
        high = day.route.isin(["ticket", "alert"])
        assert rate.predictions == len(day) and rate.tickets == (day.route == "ticket").sum() and rate.to_a_person == (day.route == "alert").sum()
        assert rate.automated_share_of_high_risk == pytest.approx((day.route == "ticket").sum() / high.sum()) and rate.share_without_a_person == pytest.approx(day.automated.astype(float).mean())
        names, edges = ["0 to 0.01", "0.01 to 0.05", "0.05 to 0.2", "0.2 to 1"], [-np.inf, 0.01, 0.05, 0.2, np.inf]
        width = pd.cut(week.probability_interval_width, edges, labels=names, right=False)
        assert dict(zip(answers["width_distribution"].width, answers["width_distribution"].predictions)) == width.value_counts()[lambda n: n > 0].to_dict()
        known = rows[(age < timedelta(days=30)) & rows.route.isin(["ticket", "alert"]) & rows.actual_fraud_detected.notna()]
        false = known.assign(width=pd.cut(known.probability_interval_width, edges, labels=names, right=False), wrong=~known.actual_fraud_detected.astype(bool)).groupby("width", observed=True).wrong.agg(["size", "sum"])
        answer = answers["false_positives_by_width"].set_index("width")
        assert answer.high_risk.to_dict() == false["size"].to_dict() and answer.false_positives.to_dict() == false["sum"].to_dict()
        assert len(operator_tables(View(reader, MODEL, max(truth.day), None, settings))) == 3


def test_another_promise_is_watched_anew_and_off_is_off_without_labels(bench, four_days, monkeypatch):
    truth, settings = copied(four_days, bench)
    last = max(truth.day)
    with bench.store() as store:
        other = settings.model_copy(update={"false_ticket_share": 0.5})
        view = View(store, MODEL, last, None, other)
        assert learnt(store, view, store.calibration(MODEL, "v1")[1])[0] == RiskMonitor(0.5)
        monkeypatch.setattr(store, "held_out_counts", lambda *_: {})
        on = certainty({FIRST: ScoreCounts.from_events(np.full(100, 3000), np.ones(100))}, FIRST, policy="venn-abers")
        store.add_calibration(night(last), "t", MODEL, "v1", on, "test")
        off = View(store, MODEL, last, None, settings.model_copy(update={"automation": "off"}))
        off.counts_by_day = {last: ScoreCounts.from_events([3000])}
        assert store.calibration(MODEL, "v1")[1].rule.certain(16000)
        recalibrate(store, off, night(last), "t")
        assert not store.calibration(MODEL, "v1")[1].rule.certain(16000)


def test_looking_back_and_future_days_change_nothing_that_decides(bench, four_days):
    truth, settings = copied(four_days, bench)
    last = max(truth.day)
    again = lambda hours, day=last, as_of=None: run(bench.data, bench.root / "reports", night(last) + timedelta(hours=hours), settings, days=[day], as_of=as_of, show="none", say=lambda _: None)
    def correct(label, hours):
        with OutcomeLogger(bench.data / "spool", "t") as log:
            log.log(truth.id[truth.day == last], np.full(60, label), night(last) + timedelta(hours=hours))
    correct(1, 1)
    again(1)
    with bench.store() as store:
        key = store.calibration(MODEL, "v1")[0]
    again(2, as_of=night(last))
    with bench.store() as store:
        assert store.calibration(MODEL, "v1")[0] == key
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log(0.5, "2027-01-01T00:00:00Z")
    again(3, day=date(2027, 1, 1))
    correct(0, 4)
    again(4)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")
        assert stands[0] != key and stands[1].calibration.created_at == night(last) + timedelta(hours=4)


@pytest.mark.parametrize("policy", ["control", *(pytest.param(p, marks=pytest.mark.slow) for p in ("labels", "width", "venn-abers", "rows", "days-t"))])
def test_every_policy_lives_through_days(bench, policy, monkeypatch):
    monkeypatch.setitem(SETTINGS, "automation", policy)
    truth, settings = live(bench, 7)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
        view = View(store, MODEL, max(truth.day), None, settings)
        assert stands.rule.method == policy and conformal_headline(view).says and len(promise_table(view).frame) > 5
        if policy == "control":
            assert stands.control.days == 5 and stands.rule.certain(16000) == (stands.control.level < 1)


@pytest.mark.slow
def test_the_attendance_story_runs_and_opens_cases_at_sites(tmp_path):
    from aiops_wb.demo import STORIES, demo

    settings = Settings(data=tmp_path / "data", automation="venn-abers")
    outcomes = demo(tmp_path / "data", tmp_path / "reports", settings, story=STORIES["attendance"], until=date(2025, 4, 3), report_days=1, rounds=100, say=lambda _: None)
    assert [o.state for o in outcomes] == ["ok"] * 6, [o.error for o in outcomes if o.error]
    with open_snapshot(tmp_path / "data") as log:
        cases = log.cases()
        assert len(cases) > 10 and (cases.role == "site security manager").any() and cases.text.str.contains("Main reasons of the model").all()
        assert set(cases.kind) <= {"ticket", "alert"} and log.verify_audit() > 0
