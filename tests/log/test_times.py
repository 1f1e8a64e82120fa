from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest

from aiops_wb.log.times import read_times

SEVEN = pd.Timestamp("2026-11-02T07:00:00Z")


def read(*cells, zone=None):
    return read_times(pd.Series(list(cells), dtype=object), zone)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-02T07:00:00Z",
        "2026-11-02t07:00:00z",
        "2026-11-02 07:00:00 UTC",
        "2026-11-02 07:00:00 utc",
        "2026-11-02 08:00:00+01:00",
        "2026-11-02 08:00:00+01",
        "2026-11-02T08:00:00.000000000+0100",
        "2026-11-02T08:00+01:00",
        " 2026-11-02T07:00:00Z ",
        "20261102T070000Z",
        "2026-11-02T07:00:00,0Z",
        "2026-11-02T02:00:00-05:00",
        "2026-11-02T08:00:00,+01:00",
        datetime(2026, 11, 2, 8, tzinfo=ZoneInfo("Europe/Berlin")),
        pd.Timestamp(SEVEN),
    ],
)
def test_an_instant_in_any_spelling(text):
    assert read(text).instants[0] == SEVEN and not read(text).naive[0]


@pytest.mark.parametrize(
    "cell",
    [None, "", "soon", 5, 1772323200, "1772323200", "2026-11-02", float("nan"), "2026-02-30T00:00Z"]
    + ["2026-11-02T25:00:00Z", "2026-11-02T07:00:00-24:00", "2026-11-02Z", "02.11.2026 07:00"]
    + ["2026-11-02T07:00:00 Europe/Berlin", [1], "٢٠٢٦-11-02T07:00:00Z"],
)
def test_what_is_no_instant(cell):
    for zone in (None, "Europe/Berlin"):
        times = read(cell, zone=zone)
        assert pd.isna(times.instants[0]) and not times.naive[0] and not times.skipped[0]


@pytest.mark.parametrize("kind", [str, datetime.fromisoformat, pd.Timestamp])
def test_times_of_no_zone_are_placed_in_the_one_that_is_named(kind):
    told = [
        "2026-07-01T12:00:00",
        "2026-10-25T02:30:00",  # twice
        "2026-03-29T02:30:00",  # never
        "2026-12-01T12:00:00.5",
    ]
    cells = [kind(text) for text in told]
    assert read(*cells).naive.all() and read(*cells).instants.isna().all()
    times = read(*cells, "2026-10-25T02:30:00+01:00", zone="Europe/Berlin")
    assert times.instants.dropna().tolist() == [
        pd.Timestamp("2026-07-01T10:00:00Z"),
        pd.Timestamp("2026-10-25T00:30:00Z"),
        pd.Timestamp("2026-12-01T11:00:00.5Z"),
        pd.Timestamp("2026-10-25T01:30:00Z"),
    ]
    assert times.twice.tolist() == [False, True, False, False, False]
    assert times.skipped.tolist() == [False, False, True, False, False]
    assert not times.naive.any()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_columns_of_times(unit):
    told = pd.Series(pd.to_datetime(["2026-07-01", None, "2026-10-25 02:30"], format="ISO8601"))
    naive = told.astype(f"datetime64[{unit}]")
    assert read_times(naive).naive.tolist() == [True, False, True]
    placed = read_times(naive, "Europe/Berlin")
    assert placed.instants[0] == pd.Timestamp("2026-06-30T22:00Z") and placed.twice.tolist()[2]
    aware = naive.dt.tz_localize("Asia/Tokyo")
    assert read_times(aware).instants[0] == pd.Timestamp("2026-06-30T15:00Z")
    assert read_times(aware).instants.dtype == "datetime64[us, UTC]"


def test_the_years_without_a_clock_change_agree_with_the_standard_library():
    zone = ZoneInfo("America/New_York")
    cells = [f"{year}-06-01T12:00:00" for year in range(1971, 2038)]
    expected = [datetime.fromisoformat(c).replace(tzinfo=zone).astimezone(UTC) for c in cells]
    assert read(*cells, zone="America/New_York").instants.tolist() == expected


def test_instants_of_nanoseconds_in_a_parquet_file_keep_their_zone(tmp_path):
    from aiops_wb.log.formats import read_delivery

    path = tmp_path / "ns.parquet"
    duckdb.sql(
        f"""COPY (SELECT '2026-11-02 08:00:00+01'::TIMESTAMPTZ_NS AS "when",
                         '2026-11-02 08:00:00'::TIMESTAMP_NS AS bare)
            TO '{path}' (FORMAT parquet)"""
    )
    frame, _, _ = read_delivery(path)
    assert read_times(frame["when"]).instants[0] == SEVEN
    assert read_times(frame["bare"]).naive[0]
