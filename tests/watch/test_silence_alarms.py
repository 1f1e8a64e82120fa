"""Alarms about events that did not come: recorded, handed on, shown, closed."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import Settings
from aiops_wb.daily import compute, run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.render import tables
from aiops_wb.watch.headlines import drift_headline, silence_note
from aiops_wb.watch.silence import silences
from aiops_wb.watch.silence_rows import record_silence
from aiops_wb.watch.view import View

START = date(2026, 1, 5)  # a Monday
LIVE = START + timedelta(28)  # the first day after what is logged
COUNTED = ["2026-02-02 opened", "2026-02-05 ongoing", "2026-02-08 closed"]


def morning_of(day):
    "The morning after a day."
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=6)


def go(bench, day, show="none", **options):
    settings = Settings(data=bench.data, case_file=bench.root / "cases.jsonl")
    options = {"say": lambda _: None, "show": show} | options
    return run(bench.data, bench.root / "reports", morning_of(day), settings, **options)


def told(bench, columns=("event_date", "state")):
    with open_snapshot(bench.data) as log:
        rows = log.drift_events(MODEL)
        rows = rows[rows.stream == "silence"]
    return [" ".join(str(row[c])[:10] for c in columns) for _, row in rows.iterrows()]


def sent(bench):
    path = bench.root / "cases.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [one for one in map(json.loads, lines) if one["kind"] == "drift"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "Four weeks of 40 events a day with their mornings behind them; to be copied."
    bench = Bench(tmp_path_factory.mktemp("lived"))
    bench.log(events(days=28, per_day=40, start=START))
    go(bench, LIVE - timedelta(1))
    return bench


@pytest.fixture
def alive(lived, tmp_path):
    shutil.copytree(lived.root, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)


def test_the_first_morning_after_a_day_without_predictions_raises_an_alarm(alive):
    assert told(alive) == [] and sent(alive) == []
    said = []
    assert go(alive, LIVE, say=said.append).exit_code == 0
    assert told(alive, ("event_date", "state", "severity", "since")) == [
        "2026-02-02 opened critical 2026-02-02"
    ]
    assert any("No prediction came on 2 February 2026" in line for line in said)
    (message,) = sent(alive)
    assert message["risk_level"] == "CRITICAL" and message["version"] == "v1"
    assert "by weekday: 40 were expected on a Monday" in message["text"]


def test_mornings_that_say_the_same_say_it_once(alive):
    go(alive, LIVE)
    go(alive, LIVE)
    for day in (LIVE + timedelta(3), LIVE + timedelta(3)):
        go(alive, day)
    assert told(alive) == COUNTED[:2] and len(sent(alive)) == 1


def test_a_first_morning_after_some_days_raises_it_for_the_day_that_began_it(alive):
    go(alive, LIVE + timedelta(3))
    assert told(alive) == COUNTED[:2]
    (message,) = sent(alive)
    assert "from 2 February to 5 February 2026 (4 days)" in message["text"]


def test_events_that_come_again_close_it_and_their_page_says_so(alive):
    go(alive, LIVE + timedelta(3))
    alive.log(events(days=1, per_day=40, start=LIVE + timedelta(6)))
    go(alive, LIVE + timedelta(6))
    assert told(alive) == COUNTED
    with open_snapshot(alive.data) as log:
        assert "came again as usual on 2026-02-08" in log.drift_events(MODEL).text.iloc[-1]
        view = View(log, MODEL, LIVE + timedelta(6))
        says = drift_headline(view)
        assert says.state == "look" and "there were none since 2 February" in says.says
        assert "silence" in str(tables.alarm_table(view)._repr_html_())
        assert drift_headline(View(log, MODEL, LIVE - timedelta(1))).state == "ok"


def test_a_month_cut_out_of_a_log_is_an_alarm_of_its_first_day_when_it_comes_as_history(alive):
    back = LIVE + timedelta(28)
    alive.log(events(days=1, per_day=40, start=back))
    ran = go(alive, back)
    assert [f.day for f in ran.figures] == [back]
    assert told(alive) == ["2026-02-02 opened", "2026-03-02 closed"]
    assert sent(alive) == []  # it is over


def test_a_replay_day_by_day_raises_it_once_and_none_at_its_end(bench):
    settings = Settings(data=bench.data)
    bench.log(events(days=20, per_day=40, start=START))
    bench.log(events(days=3, per_day=40, start=START + timedelta(25), seed=1))
    bench.ingest(morning_of(START + timedelta(27)))
    with bench.store() as store:
        for day in store.days(MODEL):
            assert compute(store, day, MODEL, datetime(2026, 3, 20, tzinfo=UTC), settings).stored
        store.publish(2)
    assert told(bench) == ["2026-01-25 opened", "2026-01-30 closed"]


def test_predictions_that_come_late_withdraw_it(alive):
    go(alive, LIVE + timedelta(1))
    assert told(alive) == ["2026-02-02 opened", "2026-02-03 ongoing"]
    alive.log(events(days=2, per_day=40, start=LIVE))
    go(alive, LIVE + timedelta(1))
    with open_snapshot(alive.data) as log:
        last = log.drift_events(MODEL).iloc[-1]
    assert last.state == "closed" and last.text.startswith("Withdrawn: with all that is known")


def test_some_of_it_that_comes_late_leaves_the_rest_open(alive):
    go(alive, LIVE + timedelta(3))
    alive.log(events(days=1, per_day=40, start=LIVE + timedelta(1)))
    go(alive, LIVE + timedelta(3))
    with open_snapshot(alive.data) as log:
        last = log.drift_events(MODEL).groupby("event_id").tail(1)
    assert sorted(zip(last.opened_on.dt.date, last.state)) == [
        (LIVE, "closed"),
        (LIVE + timedelta(2), "ongoing"),
    ]


def test_a_holiday_of_the_calendar_is_no_silence(alive):
    now = morning_of(LIVE - timedelta(1))
    with alive.store() as store:
        store.annotate(now, "ana", LIVE, LIVE, "Candlemas", "planned")
        week = (LIVE + timedelta(1), LIVE + timedelta(3))
        store.annotate(now, "ana", *week, "works", "planned", mutes=True)
        store.annotate(now, "ana", LIVE, LIVE + timedelta(60), "new cameras", "told, no more")
    go(alive, LIVE + timedelta(3))
    assert told(alive) == []
    go(alive, LIVE + timedelta(4))
    assert told(alive) == ["2026-02-06 opened"]
    with alive.store() as store:
        store.annotate(
            now, "ana", LIVE + timedelta(4), LIVE + timedelta(4), "bridge day", "forgotten"
        )
    go(alive, LIVE + timedelta(4))
    with open_snapshot(alive.data) as log:
        assert log.drift_events(MODEL).iloc[-1].state == "closed"


def test_a_version_that_is_switched_off_is_not_missed(alive):
    go(alive, LIVE)
    with alive.store() as store:
        store.record(morning_of(LIVE), "ana", "watch", f"{MODEL}/v1", "off", "retired")
    go(alive, LIVE + timedelta(1))
    with open_snapshot(alive.data) as log:
        last = log.drift_events(MODEL).iloc[-1]
        assert silences(log, MODEL, LIVE) is None
    assert last.state == "closed" and "no version of the model is watched" in last.text


@pytest.mark.parametrize("gap", [500, 1000], ids=["between", "beyond"])
def test_a_log_that_ended_years_ago_says_what_it_said_then(bench, gap):
    "And a version that is not watched any more makes nothing of it forgotten."
    bench.log(events(days=20, per_day=8, start=START))
    bench.log(events(days=3, per_day=4, start=START + timedelta(gap), version="v2"), version="v2")
    bench.ingest(morning_of(START + timedelta(gap + 3)))
    with bench.store() as store:
        store.record(morning_of(LIVE), "ana", "watch", f"{MODEL}/v2", "off", "a trial")
        found = silences(store, MODEL, START + timedelta(gap + 10))
        (alarm,) = found.alarms
        soon = silences(store, MODEL, START + timedelta(30)).alarms[0]
    assert found.version == "v1" and alarm.closed_on is None
    assert (alarm.since, alarm.told[0]) == (soon.since, soon.told[0])
    assert alarm.since == START + timedelta(20)
    assert f"from {alarm.since:%-d %B %Y} to " in alarm.told[-1][2]  # a day of another year
    assert found.volumes.by_day.sum() == 160


def test_another_version_or_tenant_that_scores_is_no_silence(alive):
    frame = events(days=2, per_day=40, start=LIVE)
    with PredictionLogger(
        alive.data / "spool", MODEL, "v2", threshold=0, tenant="other", flush_seconds=None
    ) as log:
        log.log(frame.score, frame["at"], prediction_id=frame.id)
    go(alive, LIVE + timedelta(1))
    assert told(alive) == []


@pytest.mark.slow
def test_a_few_events_a_day_are_missed_by_what_was_expected_since_the_last(bench):
    bench.log(events(days=42, per_day=3, start=START))
    end = START + timedelta(42)
    go(bench, end + timedelta(2))
    assert told(bench) == []
    go(bench, end + timedelta(3))
    assert told(bench, ("event_date", "state", "since")) == ["2026-02-19 opened 2026-02-16"]
    assert "by what was expected since the last event: 12" in sent(bench)[0]["text"]


def without_hours(frame, day, first, end):
    hour = frame["at"].dt.tz_convert("America/New_York").dt.hour
    local = frame["at"].dt.tz_convert("America/New_York").dt.date
    return frame[~((local == day) & hour.between(first, end - 1))]


def test_hours_that_always_had_some_are_missed_in_the_zone_of_the_log(bench):
    "Eleven weeks with 30 events each hour; clocks go forward on Sunday, 8 March."
    first, weeks = datetime(2026, 1, 4, 5, tzinfo=UTC), 11
    at = pd.date_range(first, periods=weeks * 7 * 24 * 30, freq="2min")
    frame = pd.DataFrame({"at": at, "score": 0.3}).assign(id=[f"e{i}" for i in range(len(at))])
    gap = date(2026, 3, 18)
    frame = without_hours(frame, gap, 9, 12)
    with bench.store("America/New_York"):
        pass
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as log:
        log.log(frame.score, frame["at"], prediction_id=frame.id)
    bench.ingest(morning_of(gap))
    settings = Settings(data=bench.data)
    with bench.store() as store:
        for day in (date(2026, 3, 8), gap, gap + timedelta(1)):
            assert compute(store, day, MODEL, morning_of(gap), settings).state == "ok"
        said = len(store.frame("FROM drift_events"))
        for day in (gap, gap + timedelta(1)):  # asked of an earlier day, it knows the later one
            record_silence(store, MODEL, day, morning_of(gap), morning_of(gap))
        assert len(store.frame("FROM drift_events")) == said
        store.publish(2)
        rows = store.hours(MODEL, date(2026, 3, 8), date(2026, 3, 8))
        assert 2 not in set(rows.hour) and len(rows) == 23
        view = View(store, MODEL, gap)
        assert drift_headline(view).state == "look"
        assert "between 09:00 and 12:00, by hour of the week: 90" in drift_headline(view).says
        assert "165 are busy enough" in silence_note(view).advice
    assert told(bench, ("event_date", "state", "severity")) == [
        "2026-03-18 opened high",
        "2026-03-19 closed high",
    ]


def test_hours_of_a_log_made_before_are_counted_when_it_is_opened(alive):
    with alive.store() as store:
        before = store.hours(MODEL)
        batches = store.frame("SELECT DISTINCT batch_id FROM hour_counts")
        store.con.execute("DELETE FROM hour_counts")
        store.con.execute("DELETE FROM workbench WHERE key = 'hours'")
    with alive.store() as store:
        pd.testing.assert_frame_equal(store.hours(MODEL), before)
        assert before.n.sum() == 28 * 40
        pd.testing.assert_frame_equal(
            store.frame("SELECT DISTINCT batch_id FROM hour_counts"), batches
        )


def test_hours_equal_the_rows(alive):
    with open_snapshot(alive.data) as log:
        rows = log.rows(MODEL, START, LIVE, columns="predicted_at")
        at = pd.to_datetime(rows.predicted_at, utc=True)
        oracle = at.groupby([at.dt.date, at.dt.hour]).size()
        found = log.hours(MODEL).set_index([log.hours(MODEL).event_date.dt.date, "hour"]).n
    assert found.to_dict() == oracle.to_dict()


def test_the_page_of_a_silent_day_and_the_index_say_it(alive):
    go(alive, LIVE, show="last")
    reports = alive.root / "reports"
    manifest = json.loads((reports / "2026-02-02" / "manifest.json").read_text())
    assert manifest["models"][MODEL]["state"] == "silent"
    day, index = ((reports / p).read_text() for p in ("2026-02-02/index.html", "index.html"))
    for page in (day, index):
        assert "No prediction came on 2 February 2026" in page and "40 were expected" in page
    assert "no predictions on this day" in index
