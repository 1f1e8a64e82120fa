"""At which age labels became known, by the ingester: against the rows, and after an upgrade."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.stats.arrival import BAND_POINTS
from aiops_wb.stats.points import Grid

START = date(2026, 3, 10)
DAYS = 6


def night(day):
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=3)


def band_of(frame):
    return np.searchsorted(BAND_POINTS, Grid().quantise(frame.score), side="right")


def told(frame, ages, label, sign=1):
    "(day, band, age, label) -> how many labels of a frame became known at their age."
    rows = zip(frame.day, band_of(frame).tolist(), ages, label)
    return Counter({key: sign * n for key, n in Counter(rows).items()})


def live(bench):
    "Six days as they come, labels one and three nights later, and some of those taken back."
    frame, expected = events(days=DAYS, per_day=60, start=START), Counter()
    for day in sorted(set(frame.day)):
        bench.log(frame[frame.day == day])
        for back, part in ((1, 0), (3, 1)):
            old = frame[(frame.day == day - timedelta(back)) & (frame.index % 3 == part)]
            if len(old):
                bench.label(old, at=night(day).isoformat(), hint=back == 1)
                expected.update(told(old, [back + 1] * len(old), old.label))
        corrected = frame[(frame.day == day - timedelta(4)) & (frame.index % 3 == 1)].head(5)
        if len(corrected):
            bench.label(corrected, at=night(day).isoformat(), label=1 - corrected.label)
            expected.update(told(corrected, [5] * 5, corrected.label, -1))
            expected.update(told(corrected, [5] * 5, 1 - corrected.label))
        bench.ingest(night(day))
    return frame, expected


def history(bench):
    "Ten earlier days that are loaded at once, with labels that were observed long before that."
    frame = events(days=10, per_day=60, seed=1, start=START - timedelta(10), version="old")
    bench.log(frame, version="old")
    ages = np.random.default_rng(0).integers(0, 7, len(frame))
    known, expected = frame.index % 4 > 0, Counter()
    for age in range(7):
        for day in sorted(set(frame.day)):
            part = frame[known & (ages == age) & (frame.day == day)]
            if len(part):
                bench.label(part, at=f"{day + timedelta(age)}T23:00:00Z")
                expected.update(told(part, [age] * len(part), part.label))
    bench.ingest(night(START + timedelta(DAYS - 1)))
    return frame, expected


def found(reader):
    days, table = reader.arrivals(MODEL, START + timedelta(DAYS))
    places = np.argwhere(table.labels)
    counts = {(days[d], b, a, y): int(table.labels[d, b, a, y]) for d, b, a, y in places.tolist()}
    return counts, dict(zip(days, table.events.tolist())), dict(zip(days, table.followed.tolist()))


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Six days as they came and ten earlier ones; to be read only."
    bench = Bench(tmp_path_factory.mktemp("both"))
    (now, of_now), (before, of_then) = live(bench), history(bench)
    return bench, [now, before], of_now, of_then


@pytest.fixture
def both(logged, tmp_path):
    "The same, to write to."
    return logged[0].copy_to(tmp_path), *logged[1:]


def test_arrivals_equal_the_rows(both):
    bench, frames, of_now, of_then = both
    with bench.store() as store:
        counts, known, followed = found(store)
    expected = {key: n for part in (of_now, of_then) for key, n in part.items() if n}
    assert counts == expected and len(counts) > 100
    for frame in frames:
        for day, rows in frame.groupby("day"):
            assert known[day] == np.bincount(band_of(rows), minlength=3).tolist()
            assert followed[day] == (START + timedelta(DAYS) - day).days


def test_what_was_known_at_a_time_stays(both):
    bench, *_ = both
    with bench.store() as store:
        first = store.arrivals(MODEL, START + timedelta(DAYS), night(START + timedelta(2)))
        assert first[0] == [START + timedelta(i) for i in range(3)]
        assert first[1].labels.sum() == 40 and first[1].followed.tolist() == [3, 2, 1]


def made_before(bench):
    "The log as a version without these counts left it."
    with bench.store() as store:
        for table in (
            "arrival_counts",
            "hour_counts",
            "fixed_cuts",
            "shadow_days",
            "shadow_counts",
            "promises",
            "promise_units",
            "promise_looks",
            "acts",
            "contribution_days",
            "file_shapes",
        ):
            store.con.execute(f"DROP TABLE {table}")
        for column in ("known_at", "only_model"):
            store.con.execute(f"ALTER TABLE batches DROP COLUMN {column}")
        store.con.execute("DELETE FROM migrations WHERE version >= 8")
        store.con.execute("DELETE FROM workbench WHERE key IN ('arrivals', 'hours')")


def test_a_log_that_was_made_before_is_counted_when_it_is_opened(both):
    bench, *_ = both
    with bench.store() as store:
        counted = found(store)
    made_before(bench)
    with bench.store() as store:
        assert found(store) == counted
        store.publish()
    with bench.store() as store, open_snapshot(bench.data) as reader:
        assert found(store) == counted == found(reader)


def test_a_file_that_is_gone_keeps_no_log_from_being_opened(both, caplog):
    bench, *_ = both
    made_before(bench)
    next(
        (bench.data / "log" / "predictions" / f"event_date={START - timedelta(10)}").iterdir()
    ).unlink()
    with bench.store() as store:
        assert sum(map(sum, found(store)[1].values())) == 960
    assert "as old as their batch" in caplog.text
    with bench.store():
        pass


def test_a_log_without_anything_has_no_arrivals(tmp_path):
    with Bench(tmp_path).store() as store:
        days, table = store.arrivals(MODEL, START)
    assert days == [] and table.events.shape == (0, 3) and table.labels.sum() == 0
