"""The promise about tickets through the days.

What stood, what was counted, what the operator's SQL says.
"""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, few

from aiops_wb.config import Settings
from aiops_wb.daily import report_notebooks, run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.duck import statements
from aiops_wb.log.errors import StoreError
from aiops_wb.log.reason_files import OfDay
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.models import kept_reasons
from aiops_wb.render import tables
from aiops_wb.render.tables import coverage_table, operator_tables, promise_table
from aiops_wb.stats.automation import PromiseWatch, certainty
from aiops_wb.stats.conformal import LabelConditional
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.points import Grid
from aiops_wb.watch.calibrate import calibrate_now
from aiops_wb.watch.figures import day_figures, drift_figures
from aiops_wb.watch.headlines import backtest, certainty_headline
from aiops_wb.watch.recalibrate import learnt, recalibrate
from aiops_wb.watch.view import View

FIRST, DELAY = date(2026, 1, 1), 2
SETTINGS = dict(
    label_delay_days=DELAY,
    ticket_days=30,
    calibration_days=10,
    false_ticket_share=0.3,
    false_ticket_confidence=0.8,
)


def night(day):
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=2)


def live(bench, days, bad_from=10_000, seed=0, reports=None, step=1):
    """Log, decide by what stands, label a day later, and run each night (or every `step` nights).

    From day `bad_from` on all events are negative.
    """
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
        at = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(
            np.sort(rng.integers(0, 86_000, 60)), unit="s"
        )
        ids = [f"{day}-{k:03d}" for k in range(60)]
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
        ) as log:
            log.log(
                score,
                at,
                prediction_id=ids,
                entity_id=ids,
                calibration_id=key,
                route=[d.route for d in decided] or None,
                automated=[d.automated for d in decided] or None,
                risk_level=[d.risk_level for d in decided] or None,
            )
        with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
            log.log(ids, label, night(day), predicted_at=at)
        truth += [
            dict(id=k, day=day, points=int(p), label=y, route=d.route if d else None)
            for k, p, y, d in zip(ids, points, label, decided or [None] * 60)
        ]
        if i % step == step - 1 or i == days - 1:
            run(
                bench.data,
                reports or bench.root / "reports",
                night(day),
                settings,
                show="none",
                say=lambda _: None,
            )
    return pd.DataFrame(truth), settings


def life(tmp_path_factory, days, **options):
    bench = Bench(tmp_path_factory.mktemp("life"))
    return bench, *live(bench, days, **options)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "20 nights, with tickets from the twelfth day on; to be read only."
    return life(tmp_path_factory, 20)


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
        headline, promise = certainty_headline(view), promise_table(view).frame
        assert (
            headline.state == "ok"
            and "the mean daily share of false tickets is at most 30% with 80% confidence"
            in headline.says
        )
        mature = outcomes(truth, last - timedelta(DELAY))
        kept = view.tickets.kept
        assert {
            d: (int(t), int(f)) for d, t, f in kept[kept.tickets > 0].itertuples(index=False)
        } == mature
        assert f"over {len(mature)} mature days" in backtest(view)
        assert (
            f"{sum(f for _, f in mature.values()):,} of "
            f"{sum(t for t, _ in mature.values()):,} labelled tickets"
            in promise.iloc[:, 1].str.cat()
        )
    assert (
        truth[truth.day < FIRST + timedelta(5)].route.isna().all()
        or not (truth[truth.day < FIRST + timedelta(5)].route == "ticket").any()
    )


@pytest.mark.parametrize("past", ["lived", pytest.param("lived_with_gaps", marks=pytest.mark.slow)])
def test_the_watch_counts_each_mature_day_once_even_when_nights_are_missed_and_repeated(
    bench, past, request
):
    truth, settings = copied(request.getfixturevalue(past), bench)
    last = max(truth.day)
    expected, mature = PromiseWatch(0.3), outcomes(truth, last - timedelta(DELAY))
    assert len(mature) >= 3
    for day, (tickets, false) in mature.items():
        expected = expected.after(day, tickets, false)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
        assert (
            stands.watch.days == expected.days
            and stands.watch.evidence == pytest.approx(expected.evidence)
            and stands.counted == last - timedelta(DELAY)
        )
        view = View(store, MODEL, last, night(last), settings)
        before = len(store.audit())
        assert (
            recalibrate(store, view, night(last), "again") == store.calibration(MODEL, "v1")[0]
            and len(store.audit()) == before
        )
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
        for day, rows in truth[
            (truth.day > last - timedelta(DELAY + 10)) & (truth.day <= last - timedelta(DELAY))
        ].groupby("day"):
            eve = day - timedelta(1)
            seen = {
                d: c
                for d, c in reader.score_counts(MODEL, as_of=night(eve)).items()
                if eve - timedelta(DELAY + 10) < d <= eve - timedelta(DELAY)
            }
            bounds = LabelConditional(total(seen.values())).set_bounds(0.9)
            inside += int(
                np.where(
                    rows.label == 1, rows.points >= bounds.one, rows.points <= bounds.zero
                ).sum()
            )
            known += len(rows)
        assert (
            view.tickets.coverage.overall.n == known
            and view.tickets.coverage.overall.value == pytest.approx(inside / known)
        )
        assert "all" in str(coverage_table(view))


def test_past_figures_do_not_change_with_what_is_known_later(lived):
    bench, truth, settings = lived
    day = FIRST + timedelta(18)
    with open_snapshot(bench.data) as reader:
        view = View(reader, MODEL, day, night(day), settings)
        again = (
            pd.concat([day_figures(view), drift_figures(view)])
            .set_index(["segment", "metric"])
            .value
        )
        stored = (
            reader.metrics(MODEL, day, day, segment=None).set_index(["segment", "metric"]).value
        )
        changed = [
            m
            for m in stored.index
            if not (again[m] == stored[m] or (np.isnan(again[m]) and np.isnan(stored[m])))
        ]
        assert not changed


def test_the_operators_sql_equals_pandas(lived):
    bench, truth, settings = lived
    with open_snapshot(bench.data) as reader:
        now = night(max(truth.day))
        rows = reader.frame("SELECT * FROM noc_fraud_prediction_log")
        stood = reader.calibrations(rows.calibration_id.dropna().unique())
        bounds = np.array(
            [
                stood[k].interval(p) if k in stood else (np.nan, np.nan)
                for k, p in zip(rows.calibration_id, rows.points)
            ]
        )
        assert np.allclose(
            rows[["probability_lower_bound", "probability_upper_bound"]], bounds, equal_nan=True
        )
        answers = {
            name: reader.frame(sql, {"model": MODEL, "now": now, "batch": 10**9})
            for name, sql in statements("operator.sql").items()
        }
        age = now - rows.predicted_at
        day, week = rows[age < timedelta(hours=24)], rows[age < timedelta(days=7)]
        rate = answers["automation_rate"].iloc[0]
        high = day.route.isin(["ticket", "alert"])
        assert (
            rate.predictions == len(day)
            and rate.tickets == (day.route == "ticket").sum()
            and rate.to_a_person == (day.route == "alert").sum()
        )
        assert rate.automated_share_of_high_risk == pytest.approx(
            (day.route == "ticket").sum() / high.sum()
        ) and rate.share_without_a_person == pytest.approx(day.automated.astype(float).mean())
        names, edges = (
            ["0 to 0.01", "0.01 to 0.05", "0.05 to 0.2", "0.2 to 1"],
            [-np.inf, 0.01, 0.05, 0.2, np.inf],
        )
        width = pd.cut(week.probability_interval_width, edges, labels=names, right=False)
        assert (
            dict(
                zip(answers["width_distribution"].width, answers["width_distribution"].predictions)
            )
            == width.value_counts()[lambda n: n > 0].to_dict()
        )
        known = rows[
            (age < timedelta(days=30))
            & rows.route.isin(["ticket", "alert"])
            & rows.actual_fraud_detected.notna()
        ]
        false = (
            known.assign(
                width=pd.cut(known.probability_interval_width, edges, labels=names, right=False),
                wrong=~known.actual_fraud_detected.astype(bool),
            )
            .assign(width=lambda f: f.width.cat.add_categories("unknown").fillna("unknown"))
            .groupby("width", observed=True)
            .wrong.agg(["size", "sum"])
        )
        answer = answers["false_positives_by_width"].set_index("width")
        assert (
            answer.high_risk.to_dict() == false["size"].to_dict()
            and answer.false_positives.to_dict() == false["sum"].to_dict()
        )
        assert len(operator_tables(View(reader, MODEL, max(truth.day), None, settings))) == 3


def test_another_promise_is_watched_anew_and_off_is_off_without_labels(
    bench, four_days, monkeypatch
):
    truth, settings = copied(four_days, bench)
    last = max(truth.day)
    with bench.store() as store:
        other = settings.model_copy(update={"false_ticket_share": 0.5})
        view = View(store, MODEL, last, None, other)
        assert learnt(store, view, store.calibration(MODEL, "v1")[1])[0] == PromiseWatch(0.5)
        monkeypatch.setattr(store, "held_out_counts", lambda *_: {})
        on = certainty(
            {FIRST: ScoreCounts.from_events(np.full(100, 3000), np.ones(100))},
            FIRST,
            method="venn-abers",
        )
        store.add_calibration(night(last), "t", MODEL, "v1", on, "test")
        off = View(store, MODEL, last, None, settings.model_copy(update={"automation": "off"}))
        off.counts_by_day = {last: ScoreCounts.from_events([3000])}
        assert store.calibration(MODEL, "v1")[1].rule.certain(16000)
        recalibrate(store, off, night(last), "t")
        assert not store.calibration(MODEL, "v1")[1].rule.certain(16000)


def test_looking_back_and_future_days_change_nothing_that_decides(bench, four_days):
    truth, settings = copied(four_days, bench)
    last = max(truth.day)
    again = lambda hours, day=last, as_of=None: run(
        bench.data,
        bench.root / "reports",
        night(last) + timedelta(hours=hours),
        settings,
        days=[day],
        as_of=as_of,
        show="none",
        say=lambda _: None,
    )

    def correct(label, hours):
        with OutcomeLogger(bench.data / "spool", "t") as log:
            log.log(
                truth.id[truth.day == last - timedelta(DELAY)],
                np.full(60, label),
                night(last) + timedelta(hours=hours),
            )

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
        assert stands[0] != key and stands[1].calibration.created_at == night(last) + timedelta(
            hours=4
        )


CLEAR_DAYS = {
    FIRST - timedelta(i): ScoreCounts.from_events(
        np.r_[np.full(20, 3000), np.full(20, -3000)], np.r_[np.ones(20), np.zeros(20)]
    )
    for i in range(1, 60)
}


def decide_by_hand(bench, day, score, route, label=None, calibration_id=None, name="e"):
    """Log a day's events (five, at noon), each with a route, and their labels in the night.

    They are ingested in that night.
    """
    ids, at = (
        [f"{name}-{day}-{k}" for k in range(5)],
        pd.Timestamp(day, tz="UTC") + pd.Timedelta("12h"),
    )
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=2197, flush_seconds=None
    ) as log:
        log.log(
            np.full(5, score),
            [at] * 5,
            prediction_id=ids,
            entity_id=ids,
            site_id=["s"] * 5,
            route=[route] * 5,
            automated=[route == "ticket"] * 5,
            calibration_id=calibration_id,
        )
    if label is not None:
        with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
            log.log(ids, np.full(5, label), night(day), predicted_at=[at] * 5)
    bench.ingest(night(day))
    return ids


@pytest.mark.parametrize(
    ("decided", "days"),
    few(
        [
            ({}, 1),
            ({"method": "rows"}, 1),
            ({"method": "labels"}, 0),
            ({"method": "width"}, 0),
            ({"target": 0.2}, 0),
            (None, 0),
        ],
        ({}, 1),
        ({"method": "rows"}, 1),
        (None, 0),
    ),
    ids=str,
)
def test_the_watch_is_not_charged_with_tickets_of_another_rule(bench, decided, days):
    """Five false tickets, decided by a rule that promises this share.

    Or by one that promises another or nothing, or by a calibration of before rules were known
    (None).
    """
    settings = Settings(data=bench.data, label_delay_days=DELAY)
    old = certainty(CLEAR_DAYS, FIRST, **decided or {})
    with bench.store() as store:
        key = store.add_calibration(
            night(FIRST - timedelta(1)),
            "t",
            MODEL,
            "v1",
            old if decided is not None else old.calibration,
            "test",
            FIRST - timedelta(1),
        )
    decide_by_hand(bench, FIRST, 0.95, "ticket", 0, key)
    last = FIRST + timedelta(DELAY)
    decide_by_hand(bench, last, 0.95, "ticket", 0, key)  # not mature yet
    before = certainty(CLEAR_DAYS, FIRST, counted=FIRST - timedelta(1))
    with bench.store() as store:
        watch, _, counted = learnt(store, View(store, MODEL, last, night(last), settings), before)
    assert (
        counted == FIRST
        and watch == (PromiseWatch().after(FIRST, 5, 5) if days else PromiseWatch())
        and watch.days == days
    )


def test_a_calibration_from_a_file_does_not_stand_in_the_past(bench):
    days = [FIRST + timedelta(i) for i in range(4)]
    for day in days:
        decide_by_hand(bench, day, 0.95, "alert")
    (bench.root / "c.csv").write_text("prediction,actual\n" + "0.9,1\n0.1,0\n" * 30)
    (bench.root / "dated.csv").write_text(
        "prediction,actual,day\n" + f"0.9,1,{days[0]}\n0.1,0,{days[0]}\n" * 30
    )
    now, settings = night(days[2]), Settings(data=bench.data)
    for name in ("c.csv", "dated.csv"):
        with bench.store() as store:
            key = calibrate_now(
                store, now, "t", MODEL, "v1", "csv", settings, file=bench.root / name
            ).calibration_id
            views = [View(store, MODEL, day, settings=settings) for day in days]
            assert [v.tickets.stands and v.tickets.stands[0] for v in views] == [
                None,
                None,
                None,
                key,
            ]
            assert (
                list(store.decided_with(MODEL, "v1", days)) == days[3:]
                and list(store.set_bounds_by_day(MODEL, "v1", days)) == days[3:]
            )
            assert store.calibration(MODEL, "v1")[0] == key


def test_days_of_a_file_are_days_of_the_workbenchs_zone(bench):
    "At 20:00 UTC it is the next morning in Auckland: that day is no day ahead, the one after is."
    with bench.store("Pacific/Auckland"):
        pass
    decide_by_hand(bench, FIRST, 0.95, "alert")
    now = datetime.combine(FIRST + timedelta(5), datetime.min.time(), UTC) + timedelta(hours=20)
    for ahead in (1, 2):
        day = FIRST + timedelta(5 + ahead)
        (bench.root / "c.csv").write_text(
            "prediction,actual,day\n" + f"0.9,1,{day}\n0.1,0,{day}\n" * 30
        )
        with bench.store() as store:
            made = lambda: calibrate_now(
                store,
                now,
                "t",
                MODEL,
                "v1",
                "csv",
                Settings(data=bench.data),
                file=bench.root / "c.csv",
            )
            if ahead == 1:
                assert made().calibration_id
            else:
                with pytest.raises(StoreError, match="lies ahead"):
                    made()


def test_the_operators_tables_are_as_of_their_batch(bench):
    "What was logged and labelled later is in no table as of before, though it happened before."
    with OutcomeLogger(bench.data / "spool", "t") as log:
        log.log("labelled-first", 0, night(FIRST))
    decide_by_hand(bench, FIRST, 0.95, "ticket", 0)
    ids = decide_by_hand(bench, FIRST, 0.9, "alert", name="unlabelled")
    then, settings = night(FIRST) + timedelta(hours=1), Settings(data=bench.data)
    shown = lambda as_of: View(store, MODEL, FIRST, as_of, settings)
    bench.publish()
    with open_snapshot(bench.data) as store:
        before = [t.frame.to_dict("records") for t in operator_tables(shown(then))]
    with OutcomeLogger(bench.data / "spool", "t") as log:
        log.log(ids, np.zeros(5), then)
    bench.ingest(then + timedelta(hours=1))
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log(
            0.9,
            pd.Timestamp(FIRST, tz="UTC") + pd.Timedelta("12h"),
            prediction_id="labelled-first",
            route="alert",
            automated=False,
        )
    bench.ingest(then + timedelta(hours=2))
    bench.publish()
    with open_snapshot(bench.data) as store:
        assert [t.frame.to_dict("records") for t in operator_tables(shown(then))] == before
        assert [before[0][0][c] for c in ("predictions", "tickets", "to a person")] == [
            "10",
            "5",
            "5",
        ] and [before[2][0][c] for c in ("high risk", "false positives")] == ["5", "5"]
        rate, _, false = (t.frame.iloc[0] for t in operator_tables(shown(None)))
        assert (
            rate["predictions"],
            rate["to a person"],
            false["high risk"],
            false["false positives"],
        ) == ("11", "6", "11", "11")


def test_the_report_shows_events_of_high_risk_below_the_threshold(bench):
    decide_by_hand(bench, FIRST, 0.7, "alert")  # the threshold is at 0.9
    decide_by_hand(bench, FIRST, 0.95, "ticket", name="t")
    decide_by_hand(bench, FIRST, 0.5, "monitor", name="m")
    cells = json.loads((report_notebooks()["certainty"]).read_text())["cells"]
    with bench.store() as store:
        view = View(store, MODEL, FIRST, None, Settings(data=bench.data))
        assert len(view.tickets.alerts()) == 5
        *before, last = cells[-1]["source"]
        names = {"view": view, "tables": tables, "OfDay": OfDay, "kept_reasons": kept_reasons}
        exec("".join(before), names)
        shown = eval(last, names).frame
    assert (
        shown.route.tolist() == ["ticket"] * 5 + ["to a person"] * 5
        and shown.score.tolist() == ["0.950"] * 5 + ["0.700"] * 5
    )


def test_without_a_calibration_the_headline_says_who_opened_tickets(bench):
    settings = Settings(data=bench.data)
    decide_by_hand(bench, FIRST, 0.95, "alert")
    decide_by_hand(bench, FIRST + timedelta(1), 0.95, "ticket")
    with PredictionLogger(
        bench.data / "spool", "linear", "v1", threshold=0, grid=Grid("linear")
    ) as log:
        log.log(5.0, pd.Timestamp(FIRST, tz="UTC"))
    bench.ingest(night(FIRST + timedelta(1)))
    with bench.store() as store:
        quiet, opened, linear = (
            certainty_headline(View(store, *which, None, settings))
            for which in ((MODEL, FIRST), (MODEL, FIRST + timedelta(1)), ("linear", FIRST))
        )
    assert (
        quiet.state == opened.state == "look"
        and "so no ticket was opened" in quiet.says
        and "the 5 tickets are the scoring service's own decision" in opened.says
    )
    assert "30 labelled events" in quiet.advice and "no probabilities" in linear.advice


@pytest.mark.parametrize(
    "method",
    [
        "control",
        *(
            pytest.param(p, marks=pytest.mark.slow)
            for p in ("labels", "width", "venn-abers", "rows", "days-t")
        ),
    ],
)
def test_every_policy_lives_through_days(bench, method, monkeypatch):
    monkeypatch.setitem(SETTINGS, "automation", method)
    truth, settings = live(bench, 5)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
        view = View(store, MODEL, max(truth.day), None, settings)
        assert (
            stands.rule.method == method
            and certainty_headline(view).says
            and len(promise_table(view).frame) > 5
        )
        if method == "control":
            assert stands.control.days == 3 and stands.rule.certain(16000) == (
                stands.control.level < 1
            )


@pytest.mark.slow
def test_the_attendance_story_runs_and_opens_cases_at_sites(tmp_path):
    from aiops_wb.examples.demo import demo
    from aiops_wb.examples.stories import STORIES

    settings = Settings(data=tmp_path / "data", automation="venn-abers")
    outcomes = demo(
        tmp_path / "data",
        tmp_path / "reports",
        settings,
        story=STORIES["attendance"],
        until=date(2025, 4, 3),
        report_days=1,
        rounds=100,
        say=lambda _: None,
    )
    assert [o.state for o in outcomes] == ["ok"] * 6, [o.error for o in outcomes if o.error]
    with open_snapshot(tmp_path / "data") as log:
        cases = log.cases()
        assert (
            len(cases) > 10
            and (cases.role == "site security manager").any()
            and cases.text.str.contains("Main reasons of the model").all()
        )
        assert set(cases.kind) <= {"ticket", "alert"} and log.verify_audit() > 0
