"Events by hour and series, against pandas on the same rows."

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

START, ZONE = date(2026, 3, 27), "America/New_York"
NAMES = ["event_date", "version", "tenant", "series", "hour", "n"]


def by_hand(frame, level, zone=ZONE):
    "The same counts by pandas."
    at = pd.to_datetime(frame["at"]).dt.tz_convert(zone)
    series = "" if level == "all" else frame.site
    keys = pd.DataFrame(
        {"event_date": at.dt.date, "version": frame.version, "series": series, "hour": at.dt.hour}
    )
    counted = keys.assign(tenant="default", n=1).groupby(NAMES[:-1], as_index=False).n.sum()
    return counted.sort_values(NAMES[:-1])[NAMES].reset_index(drop=True)


def told(frame):
    "Counts as plain columns."
    frame = frame.astype({"hour": int, "n": int})
    return frame.assign(event_date=pd.to_datetime(frame.event_date).dt.date)


@pytest.fixture
def logged(bench):
    "Events of a week of two versions, in a zone whose clocks go forward in it; in two batches."
    with bench.store(ZONE):
        pass
    parts = [
        events(days=6, start=START, version=v, seed=i).assign(version=v)
        for i, v in enumerate(("v1", "v2"))
    ]
    for part, now in zip(
        parts, (datetime(2026, 4, 10, tzinfo=UTC), datetime(2026, 4, 12, tzinfo=UTC))
    ):
        bench.log(part, version=part.version.iloc[0])
        bench.ingest(now)
    return bench, parts


@pytest.mark.parametrize("level", ["site", "entity", "all"])
def test_hours_of_each_series_equal_pandas_on_the_same_rows(logged, level):
    bench, parts = logged
    every = date(2026, 1, 1), date(2026, 12, 31)
    with bench.store() as store:
        found = store.series_hours(MODEL, *every, level)
        pd.testing.assert_frame_equal(
            told(found), by_hand(pd.concat(parts), level), check_dtype=False
        )
        then = store.series_hours(MODEL, *every, level, as_of=datetime(2026, 4, 11, tzinfo=UTC))
        pd.testing.assert_frame_equal(told(then), by_hand(parts[0], level), check_dtype=False)
        assert store.series_hours("other", *every, level).columns.tolist() == NAMES


def test_days_add_up_sites_add_up_to_all_and_hours_are_those_of_the_log(logged):
    bench, _ = logged
    first, last = date(2026, 3, 27), date(2026, 4, 1)
    with bench.store() as store:
        whole = store.series_hours(MODEL, first, last)
        days = [store.series_hours(MODEL, d, d) for d in pd.date_range(first, last).date]
        pd.testing.assert_frame_equal(pd.concat(days, ignore_index=True), whole)
        together = whole.groupby(["event_date", "version", "hour"], as_index=False).n.sum()
        hours = store.hours(MODEL, first, last)
        pd.testing.assert_frame_equal(
            together.sort_values(list(hours.columns[:3]), ignore_index=True),
            hours,
            check_dtype=False,
        )


def test_events_without_a_series_are_in_none_and_merged_files_hold_what_was_known(bench):
    frame = events(days=2, start=START).assign(version="v1")
    frame["site"] = np.where(frame.index % 4 == 0, None, frame.site)
    bench.log(frame)
    bench.ingest()
    with bench.store() as store:
        ends = START - timedelta(1), START + timedelta(2)
        assert store.series_hours(MODEL, *ends).n.sum() == frame.site.notna().sum()
        assert store.series_hours(MODEL, *ends, "all").n.sum() == len(frame)
