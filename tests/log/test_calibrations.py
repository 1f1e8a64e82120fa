from datetime import UTC, date, datetime, timedelta

import numpy as np
from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.conformal import Calibration
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.watch.view import View

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_calibrations_in_force_as_of(bench):
    with bench.store() as store:
        first, second = (
            Calibration({0.9: 0.1, 0.95: 0.2, 0.99: float("inf")}, 50),
            Calibration({0.9: 0.3, 0.95: 0.4, 0.99: 0.5}, 60),
        )
        store.add_calibration(NOW, "d", "m", "v1", first, "daily")
        store.add_calibration(NOW + timedelta(1), "d", "m", "v1", second, "daily")
        assert (
            store.calibration("m", "v1", NOW)[1].calibration == first
            and store.calibration("m", "v1")[1].calibration == second
        )
        assert store.frame("SELECT q90, q95, q99 FROM calibrations ORDER BY created_at").iloc[
            0
        ].tolist()[:2] == [0.1, 0.2]
        assert store.calibration("m", "v2") is None


def test_a_day_was_decided_with_what_its_rows_say_or_what_was_known_by_its_end(bench):
    """The first calibration is known in the night of 1 March; nights are missed; one made on 4
    March holds that day; the last rests on days up to 3 March, but is known on 5 March only."""
    at = lambda day, hour=2: datetime(2026, 3, day, hour, tzinfo=UTC)
    made = lambda points: certainty(
        {
            date(2026, 2, 1): ScoreCounts.from_events(
                np.r_[np.full(50, points), np.full(50, -points)], np.r_[np.ones(50), np.zeros(50)]
            )
        },
        date(2026, 2, 1),
    )
    with bench.store() as store:
        first = store.add_calibration(
            at(2), "daily", MODEL, "v1", made(1000), "daily", date(2026, 3, 1)
        )
        store.add_calibration(
            at(4, 23), "ana", MODEL, "v1", made(2000), "by hand", date(2026, 3, 4)
        )
        second = store.add_calibration(
            at(5), "daily", MODEL, "v1", made(3000), "daily", date(2026, 3, 3)
        )
    frame = events(days=6).groupby("day").head(3)
    for day, keys in (
        (1, [None] * 3),
        (2, [None] * 3),
        (3, [None] * 3),
        (4, [None] * 3),
        (5, [None] * 3),
        (6, [first, first, second]),
    ):
        bench.log(frame[frame.day == date(2026, 3, day)], calibration_id=keys)
    bench.ingest()
    days, expected = (
        sorted(set(frame.day)),
        {
            date(2026, 3, d): key
            for d, key in ((2, first), (3, first), (4, first), (5, second), (6, first))
        },
    )
    with bench.store() as store:
        assert store.decided_with(MODEL, "v1", days) == expected
        assert store.set_bounds_by_day(MODEL, "v1", days) == {
            d: store.calibrations([key])[key].set_bounds[0.9] for d, key in expected.items()
        }
        assert len(set(store.set_bounds_by_day(MODEL, "v1", days).values())) == 2
        assert store.decided_with(MODEL, "v1", days[:5], at(4)) == {
            d: first for d in days[1:5]
        }  # as known before the second


def test_a_day_is_not_held_by_a_calibration_that_rests_on_it(bench):
    bench.log(events(days=3, per_day=5))  # whose rows name none
    bench.ingest(NOW)
    with bench.store() as store:
        kept = [
            store.add_calibration(
                NOW, "d", MODEL, "v1", Calibration({0.9: q, 0.95: q, 0.99: q}, 50), "daily", day
            )
            for q, day in ((0.1, date(2026, 3, 2)), (0.2, date(2026, 3, 3)))
        ]
        view = View(store, MODEL, date(2026, 3, 3), None, Settings(data=bench.data))
        assert view.tickets.stands[0] == kept[0]
