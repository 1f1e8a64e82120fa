"""The simulated attendance log: its truth, its features, its labels and its drift, held against
brute force.
"""

import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from conftest import few
from scipy import stats

from aiops_wb.examples.attendance import (
    FEATURES,
    LATE_MINUTES,
    MATCH,
    PATTERNS,
    SHIFTS,
    ZONE,
    World,
    check_ins,
    holiday_calendar,
    sites,
)

SMALL = World(days=75, sites=30, guards_per_site=10, seed=3)
DRIFT = date(2025, 2, 10)


@pytest.fixture(scope="module")
def log():
    return check_ins(SMALL)


@pytest.fixture(scope="module")
def drifted():
    return check_ins(replace(SMALL, drift_on=DRIFT))


def mean_within(values, expected, z=3.5):
    "Whether a mean is within z standard errors of what is expected."
    return abs(np.mean(values) - expected) <= z * np.std(values, ddof=1) / np.sqrt(len(values))


def test_a_seed_makes_one_world(log):
    pd.testing.assert_frame_equal(log, check_ins(SMALL))
    assert not log.probability.head(1000).equals(
        check_ins(replace(SMALL, seed=4)).probability.head(1000)
    )


def test_a_longer_world_begins_with_the_shorter_so_nothing_looks_ahead(log):
    longer = check_ins(replace(SMALL, days=90))
    assert len(longer) > len(log)
    pd.testing.assert_frame_equal(log, longer.head(len(log)))


def test_rows_are_events_in_order(log):
    assert (
        log.event_id.is_unique
        and log.event_id.is_monotonic_increasing
        and log.checked_in_at.is_monotonic_increasing
    )
    assert str(log.checked_in_at.dt.tz) == "UTC" and str(log.known_at.dt.tz) == "UTC"
    assert (
        not log.duplicated(["entity_id", "day"]).any()
        and (log.groupby("entity_id").site_id.nunique() == 1).all()
    )
    assert log.day.min() == SMALL.first and log.day.max() == SMALL.last
    assert len(log) / SMALL.days == pytest.approx(30 * 10 * 5 / 7, rel=0.05)
    assert (
        log[
            [
                "gps_drift_meters",
                "location_consistency_score",
                "face_recognition_confidence",
                "time_since_last_event",
            ]
        ]
        .notna()
        .all()
        .all()
    )
    assert list(log.columns[5:17]) == list(FEATURES)


def test_fraud_is_drawn_from_the_probability(log):
    for _, part in log.groupby(pd.cut(log.probability, [0, 0.01, 0.2, 0.5, 0.8, 1])):
        assert abs((part.fraud - part.probability).sum()) <= 3.5 * np.sqrt(
            (part.probability * (1 - part.probability)).sum()
        )
    assert (
        set(log.pattern[log.fraud == 1]) == set(PATTERNS) - {"replay"}
        and (log.pattern[log.fraud == 0] == "").all()
    )


@pytest.mark.parametrize(
    ("knobs", "width"),
    few(
        [
            ({}, 0.1),
            (
                {"fraud_rate": 0.04, "shifts_per_week": 3, "day_effect": 0.2, "site_effect": 1.5},
                0.1,
            ),
            ({"day_effect": 2.0}, 0.15),
        ],
        ({}, 0.1),
    ),
)
def test_the_rate_comes_out_over_worlds(knobs, width):
    world = World(days=45, sites=150, guards_per_site=10, holidays={}, **knobs)
    rates = np.array([check_ins(replace(world, seed=s)).probability.mean() for s in range(16)])
    # 3 standard errors; days and sites are within
    error = stats.t.ppf(0.9985, len(rates) - 1) * rates.std(ddof=1) / np.sqrt(len(rates))
    assert error < width * world.fraud_rate, "the check would be too weak"
    assert abs(rates.mean() - world.fraud_rate) <= error


def test_effects_shift_days_and_sites_together():
    plain = lambda world: check_ins(world).assign(
        x=lambda f: np.log(f.probability / (1 - f.probability))
    )
    world = World(
        days=200, sites=10, guards_per_site=4, holidays={}, site_effect=0.0, day_effect=0.8
    )
    # most check-ins are plain, and those of a day are alike
    day = plain(world).groupby("day").x.median()
    low, high = np.sqrt(stats.chi2.ppf([0.001, 0.999], 199) / 199)
    assert low * 0.8 <= day.std() <= high * 0.8
    assert abs(np.corrcoef(day[1:], day[:-1])[0, 1]) <= 3.3 / np.sqrt(200)
    kept = plain(replace(world, day_memory=0.7)).groupby("day").x.median()
    assert np.corrcoef(kept[1:], kept[:-1])[0, 1] == pytest.approx(
        0.7, abs=3.3 * np.sqrt((1 - 0.7**2) / 200)
    )
    # memory does not make days wilder
    error = 3.3 / np.sqrt(2 * 200 * (1 - 0.7**2) / (1 + 0.7**2))
    assert kept.std() == pytest.approx(0.8, rel=error)
    site = (
        plain(replace(world, days=10, sites=200, day_effect=0.0, site_effect=0.4))
        .groupby("site_id")
        .x.median()
    )
    assert low * 0.4 <= site.std() <= high * 0.4
    assert plain(replace(world, day_effect=0.0)).groupby("day").x.median().nunique() == 1


def test_features_do_not_depend_on_the_label(log):
    other = check_ins(replace(SMALL, day_effect=2.0, site_effect=0.0))
    pd.testing.assert_frame_equal(log[list(FEATURES)], other[list(FEATURES)])
    assert (log.fraud != other.fraud).any()


def test_the_calendar_is_local(log):
    local = log.checked_in_at.dt.tz_convert(ZoneInfo(ZONE))
    assert (
        (log.day == local.dt.date).all()
        and (log.hour_of_day == local.dt.hour).all()
        and (log.day_of_week == local.dt.day_of_week).all()
    )
    assert (log.is_weekend == (local.dt.day_of_week >= 5)).all()
    assert set(log.day[log.is_holiday == 1]) == set(holiday_calendar(SMALL.first, SMALL.last))
    assert (
        log.checked_in_at.dt.date != log.day
    ).mean() > 0.2  # mornings are yesterday in UTC: a mix-up would show


def test_a_worlds_own_holidays_are_used_and_thin_the_roster():
    day = date(2025, 1, 15)
    made = check_ins(replace(SMALL, holidays={day: "Founding day", date(2025, 1, 16): ""}))
    assert set(made.day[made.is_holiday == 1]) == {day}
    assert (made.day == day).sum() < 0.8 * (made.day == date(2025, 1, 22)).sum()


def test_time_since_last_event_by_brute_force(log):
    last, checked = {}, 0
    for row in log.itertuples():
        if row.entity_id in last:
            assert row.time_since_last_event == pytest.approx(
                (row.checked_in_at - last[row.entity_id]).total_seconds() / 3600
            )
            checked += 1
        else:
            assert row.checked_in_at - pd.Timedelta(row.time_since_last_event, "h") < pd.Timestamp(
                SMALL.first, tz=ZONE
            )
        last[row.entity_id] = row.checked_in_at
    assert checked > 10_000


def test_what_looks_back_by_brute_force(log):
    minute = (
        log.checked_in_at.dt.tz_convert(ZoneInfo(ZONE)).dt.hour * 60
        + log.checked_in_at.dt.minute
        + log.checked_in_at.dt.second / 60
    )
    since = np.min([(minute - 60 * h) % 1440 for h in SHIFTS], axis=0)
    late = (since > LATE_MINUTES) & (since <= 120)
    assert 0.05 < late.mean() < 0.3
    of = defaultdict(dict)
    for row, was_late in zip(log.itertuples(), late):
        of[row.entity_id][row.day] = (row, was_late)
    mismatches = Counter()
    for row in log[log.day >= SMALL.first + timedelta(36)].iloc[::7].itertuples():
        past = lambda days, until=row.day, mine=of[row.entity_id]: [
            mine[d] for i in range(1, days + 1) if (d := until - timedelta(i)) in mine
        ]
        month, weeks = past(30), past(28)
        assert row.biometric_mismatch_count_30d == sum(
            r.face_recognition_confidence < MATCH for r, _ in month
        )
        assert row.late_arrival_rate == pytest.approx(np.mean([was_late for _, was_late in month]))
        assert row.weekend_work_frequency == pytest.approx(
            np.mean([r.is_weekend for r, _ in weeks])
        )
        counts = np.array([len(past(7, row.day - timedelta(i))) for i in range(29)])
        assert row.check_in_frequency_zscore == pytest.approx(
            (counts[0] - counts[1:].mean()) / max(counts[1:].std(), 0.5)
        )
        mismatches[row.biometric_mismatch_count_30d] += 1
    assert len(mismatches) > 3 and sum(mismatches.values()) > 1000


@pytest.mark.parametrize("later", [2.0, -3.0])
def test_labels_arrive_late_and_as_asked(later):
    world = World(
        days=30,
        sites=100,
        fraud_rate=0.03,
        label_delay_days=6.5,
        positives_later=later,
        unlabelled_share=0.25,
        holidays={},
    )
    log = check_ins(world)
    known = log[log.label.notna()]
    assert (log.label.isna() == log.known_at.isna()).all() and (known.label == known.fraud).all()
    days = (known.known_at - known.checked_in_at).dt.total_seconds() / 86_400
    assert days.between(1, 20).all() and days.max() > 19
    assert mean_within(days[known.fraud == 0], 6.5) and mean_within(
        days[known.fraud == 1], 6.5 + later
    )
    for truth in (0, 1):
        assert mean_within(log.label.isna()[log.fraud == truth].astype(float), 0.25)
    assert check_ins(replace(world, unlabelled_share=0.0)).label.notna().all()


def test_nothing_differs_before_the_drift(log, drifted):
    before = log[log.day < DRIFT]
    assert len(before) > 5000
    pd.testing.assert_frame_equal(before, drifted[drifted.day < DRIFT])


def test_the_drift_begins_on_its_day_at_a_third_of_the_sites(log, drifted):
    both = log.merge(drifted, on=["entity_id", "site_id", "day"], suffixes=("", "_new"))
    assert len(both) == len(log) == len(drifted)
    both["fall"] = both.face_recognition_confidence - both.face_recognition_confidence_new
    fall = both[both.day == DRIFT].groupby("site_id").fall.median()
    assert (fall > 0.01).sum() == 10 and (fall[fall <= 0.01] == 0).all()
    later = both[both.day > DRIFT].groupby("site_id").fall.median()
    assert set(later.index[later > 0.01]) == set(fall.index[fall > 0.01])
    replay = drifted[drifted.pattern == "replay"]
    assert replay.day.min() >= DRIFT and replay.day.min() <= DRIFT + timedelta(7)


def test_the_drift_hides_fraud_and_adds_none(log, drifted):
    both = log.merge(drifted, on=["entity_id", "site_id", "day"], suffixes=("", "_new"))
    assert (both.fraud == both.fraud_new).all() and both.probability.equals(
        both.probability_new.rename("probability")
    )
    now = drifted[(drifted.day >= DRIFT) & (drifted.fraud == 1)]
    replay, old = now[now.pattern == "replay"], now[now.pattern != "replay"]
    assert 0.3 < len(replay) / len(now) < 0.65
    assert (
        replay.gps_drift_meters.median()
        < drifted.gps_drift_meters.median()
        < old.gps_drift_meters.median()
    )
    assert (
        replay.location_consistency_score.median()
        > drifted.location_consistency_score.median()
        > old.location_consistency_score.median()
    )


@pytest.mark.parametrize(
    ("pattern", "feature", "sign"),
    [
        ("gps_spoofing", "gps_drift_meters", 1),
        ("gps_spoofing", "location_consistency_score", -1),
        ("buddy_punching", "face_recognition_confidence", -1),
        ("buddy_punching", "biometric_mismatch_count_30d", 1),
        ("ghost_shift", "check_in_frequency_zscore", 1),
        ("ghost_shift", "time_since_last_event", -1),
        ("lateness_cover", "late_arrival_rate", 1),
        ("lateness_cover", "gps_drift_meters", 1),
    ],
)
def test_a_pattern_leaves_its_traces_and_they_overlap(pattern, feature, sign):
    made = check_ins(World(days=60, sites=60, fraud_rate=0.03, holidays={}))
    honest, cheated = made[feature][made.fraud == 0], made[feature][made.pattern == pattern]
    tested = stats.mannwhitneyu(cheated, honest, alternative="greater" if sign > 0 else "less")
    assert tested.pvalue < 0.001
    assert cheated.min() < honest.max() and honest.min() < cheated.max()


def test_a_tenants_table_lies_over_the_countrys():
    first, last = date(2025, 1, 1), date(2025, 5, 1)
    public = holiday_calendar(first, last)
    assert public[date(2025, 5, 1)] and public[first]
    own = {
        first: "",
        date(2025, 5, 1): "Renamed",
        date(2025, 2, 14): "Added",
        date(2026, 1, 1): "Outside",
    }
    mine = holiday_calendar(first, last, own=own)
    assert (
        first not in mine
        and mine[date(2025, 5, 1)] == "Renamed"
        and mine[date(2025, 2, 14)] == "Added"
        and date(2026, 1, 1) not in mine
    )
    assert {d: n for d, n in mine.items() if d not in own} == {
        d: n for d, n in public.items() if d not in own
    }
    assert list(mine) == sorted(mine)
    assert date(2025, 10, 3) in holiday_calendar(first, date(2025, 12, 31), country="DE")
    assert min(holiday_calendar(date(2024, 12, 30), date(2026, 1, 2))).year == 2025 and date(
        2026, 1, 1
    ) in holiday_calendar(date(2024, 12, 30), date(2026, 1, 2))


def test_holidays_refuse_what_they_cannot_use(monkeypatch):
    with pytest.raises(ValueError, match="country 'XX' has no holiday calendar"):
        holiday_calendar(date(2025, 1, 1), date(2025, 2, 1), country="XX")
    with pytest.raises(ValueError, match="own holiday '2025-01-01' is not allowed"):
        holiday_calendar(date(2025, 1, 1), date(2025, 2, 1), own={"2025-01-01": "x"})
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'aiops_wb\[calendar\]'"):
        holiday_calendar(date(2025, 1, 1), date(2025, 2, 1))
    # a world with its own table does without
    assert len(check_ins(World(days=1, holidays={})))


@pytest.mark.parametrize(
    "knobs",
    [
        {"first": "2025-01-01"},
        {"first": pd.Timestamp("2025-01-01")},
        {"days": 0},
        {"days": 1.5},
        {"days": None},
        {"sites": 0},
        {"guards_per_site": -1},
        {"shifts_per_week": 7},
        {"shifts_per_week": 0},
        {"fraud_rate": 0.0},
        {"fraud_rate": 0.06},
        {"fraud_rate": float("nan")},
        {"day_effect": -0.1},
        {"day_effect": "big"},
        {"day_memory": 1.0},
        {"site_effect": 2.1},
        {"label_delay_days": 1.0},
        {"label_delay_days": 20},
        {"positives_later": -5.0},
        {"positives_later": 14.0},
        {"unlabelled_share": 1.0},
        {"seed": -1},
        {"seed": True},
        {"drift_on": date(2024, 12, 31)},
        {"drift_on": date(2026, 1, 1)},
        {"drift_on": "2025-03-01"},
        {"drift_on": pd.Timestamp("2025-03-01")},
    ],
    ids=str,
)
def test_a_world_refuses_impossible_knobs(knobs):
    name = next(iter(knobs))
    with pytest.raises(ValueError, match=rf"^{name} .* is not allowed: use .*\.$"):
        World(**knobs)


@pytest.mark.parametrize("seed", range(4))
def test_the_smallest_worlds(seed):
    world = World(days=1, sites=1, guards_per_site=1, shifts_per_week=1, holidays={}, seed=seed)
    log = check_ins(world)
    assert len(log) <= 1 and set(FEATURES) < set(log.columns) and len(sites(world)) == 1


def test_sites_cover_the_log_and_some_lack_people(log):
    table = sites(SMALL)
    assert set(table.site_id) == set(log.site_id) and table.name.is_unique
    pd.testing.assert_frame_equal(table, sites(SMALL))
    large = sites(World())
    lacks = large[["security_manager", "manager"]].isna()
    assert (
        lacks.security_manager.sum() == 36
        and lacks.manager.sum() == 6
        and lacks.security_manager[lacks.manager].all()
    )
