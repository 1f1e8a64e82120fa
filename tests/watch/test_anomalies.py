"Where and when a week of a log was not as usual."

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.cli.app import main
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.baselines import weeks_needed
from aiops_wb.watch.anomalies import _whole_hours, anomalies

START, WEEKS = date(2025, 9, 15), 26  # a Monday
LAST = START + timedelta(7 * WEEKS - 1)
SITES = tuple("abcd")
SILENT = datetime(2026, 3, 12, 12)  # in the last week, at site b


def made(tenant="default", seed=0, silent="b", quiet=None):
    "Events of four sites, three an hour by day and few by night; one falls silent at the end."
    rng = np.random.default_rng(seed)
    hours = pd.date_range(START, periods=WEEKS * 168, freq="1h")
    usual = np.where((hours.hour >= 8) & (hours.hour < 20), 3.0, 0.4)
    parts = []
    for site in SITES:
        mean = np.where((hours >= SILENT) & (site == silent), 0, usual)
        if quiet:
            mean = np.where(hours.date == quiet, 0, mean)
        n = rng.poisson(mean)
        parts.append(pd.DataFrame({"at": hours.repeat(n), "site": site}))
    frame = pd.concat(parts, ignore_index=True)
    frame["at"] = frame["at"] + pd.to_timedelta(rng.integers(0, 3600, len(frame)), unit="s")
    return frame.assign(tenant=tenant)


def log(bench, frame, version="v1", until=LAST):
    frame = frame[frame["at"].dt.date <= until]
    at = frame["at"].dt.tz_localize("UTC")
    options = {"threshold": 0, "flush_seconds": None, "tenant": frame.tenant.iloc[0]}
    with PredictionLogger(bench.data / "spool", MODEL, version, **options) as logger:
        ids = [f"{version}-{frame.tenant.iloc[0]}-{i}" for i in range(len(frame))]
        logger.log(np.full(len(frame), 0.3), at, prediction_id=ids, site_id=frame.site)
    bench.ingest(datetime(2026, 3, 20, tzinfo=UTC))


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "26 weeks, of which the last has a site that falls silent; to be read."
    bench = Bench(tmp_path_factory.mktemp("lived"))
    log(bench, made(seed=4))
    return bench


def test_a_silent_site_is_named_with_its_hours_and_the_band(lived):
    with lived.store() as store:
        found = anomalies(store, MODEL, LAST)
    worst = found.found[0]
    assert worst.flag.series == "b" and worst.flag.level == "site" and not found.why
    assert {one.flag.series for one in found.found} <= {"b", "all"}
    assert worst.flag.hours < 168 and worst.until > SILENT
    assert worst.first.date() >= SILENT.date() and worst.flag.count < worst.flag.low
    assert found.weeks == WEEKS - 1 and found.series == {"site": 4, "all": 1}
    assert str(worst).startswith("site b, ") and f"usual {worst.flag.low:,.0f} to" in str(worst)
    days = {day for day in (LAST - timedelta(i) for i in range(7)) if found.of_day(day)}
    assert days and min(days) == SILENT.date()
    assert all(one in found.found for one in found.of_day(LAST))


def test_the_weeks_before_had_nothing_and_too_few_of_them_are_said(lived):
    with lived.store() as store:
        before = anomalies(store, MODEL, LAST - timedelta(7))
        assert before.found == () and before.weeks == WEEKS - 2 and not before.why
        early = anomalies(store, MODEL, START + timedelta(7 * 10 - 1))
        assert early.found == early.leaks == () and early.series == {}
        assert f"9 weeks lie before this one, {weeks_needed()} are needed" in early.why
        assert "0 weeks" in anomalies(store, "other", LAST).why
        known_then = anomalies(store, MODEL, LAST, as_of=datetime(2026, 3, 1, tzinfo=UTC))
        assert "0 weeks" in known_then.why  # nothing was in the log then
        limited = anomalies(store, MODEL, LAST, weeks=weeks_needed())
        assert limited.weeks == weeks_needed() and limited.found


def test_a_day_of_the_calendar_is_no_silence_for_its_tenant(tmp_path):
    bench, shut = Bench(tmp_path), date(2026, 3, 11)
    log(bench, made("north", 1, silent=None, quiet=shut))
    log(bench, made("south", 2))
    with bench.store() as store:
        found = anomalies(store, MODEL, LAST)
        names = {one.flag.series for one in found.of_day(shut) if one.flag.level == "site"}
        assert names - {"south/b"} == {f"north/{s}" for s in SITES}
        now = datetime(2026, 3, 1, tzinfo=UTC)
        store.annotate(now, "test", shut, shut, "shut", "told", tenant="north")
        again = anomalies(store, MODEL, LAST)
        named = {one.flag.series for one in again.found if one.flag.level == "site"}
        assert named == {"south/b"}
        assert all(one.flag.hours == 168 for one in again.of_day(shut))


def test_versions_that_are_not_watched_count_for_nothing(tmp_path):
    bench = Bench(tmp_path)
    frame = made(silent=None)
    log(bench, frame)
    more = frame[frame["at"] >= "2026-03-12"]
    log(bench, pd.concat([more] * 3), version="v2")
    with bench.store() as store:
        assert anomalies(store, MODEL, LAST).found
        store.watch(datetime(2026, 3, 1, tzinfo=UTC), "test", MODEL, "v2", False, "a trial")
        assert anomalies(store, MODEL, LAST).found == ()


@pytest.mark.parametrize(
    ("day", "not_there"),
    [(date(2026, 3, 29), {2}), (date(2026, 10, 25), {2}), (date(2026, 7, 1), set())],
)
def test_hours_that_clocks_skip_or_have_twice_are_not_known(day, not_there):
    hours = _whole_hours(day, ZoneInfo("Europe/Berlin"))
    assert set(np.flatnonzero(~hours).tolist()) == not_there


def test_the_command_prints_them_and_says_why_where_it_can_not(lived, tmp_path, capsys):
    bench = lived.copy_to(tmp_path / "again")
    bench.publish()
    data = ["--data", str(bench.data)]
    assert main(["anomalies", *data]) == 0
    first, worst, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{MODEL}, seven days to {LAST}: ")
    assert first.endswith("not as usual, held against 25 weeks.")
    assert worst.startswith("  site b, ") and "usual" in worst
    assert main(["anomalies", *data, "--json", "--model", MODEL]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["weeks"] == 25 and row["unknown"] is None and row["day"] == str(LAST)
    top = row["found"][0]
    assert top["series"] == "b" and top["count"] < top["low"] < top["expected"] < top["high"]
    assert datetime.fromisoformat(top["first"]) + timedelta(hours=top["hours"]) > SILENT
    assert main(["anomalies", *data, "--day", "2026-01-04"]) == 0
    assert "15 weeks lie before this one, 24 are needed" in capsys.readouterr().out
    (bench.data / "aiops.toml").write_text('anomaly_levels = ["all"]\nanomaly_weeks = 24\n')
    assert main(["anomalies", *data, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["series"] == {"all": 1} and row["weeks"] == 24
    (bench.data / "aiops.toml").write_text("anomaly_weeks = 12\n")
    assert main(["anomalies", *data]) == 1
    assert "anomaly_weeks" in capsys.readouterr().err
