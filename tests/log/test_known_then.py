"""What a log knew at times in the past is what it would have said then."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from conftest import MODEL, events

from aiops_wb.log.ingest import ingest
from aiops_wb.log.known_then import KnownThen

FIRST, DAYS = date(2026, 3, 1), 5
LAST = FIRST + timedelta(DAYS - 1)
NIGHTS = [datetime(2026, 3, day, 2, tzinfo=UTC) for day in (4, 6, 9)]


def test_labels_arrived_as_a_reader_says(bench):
    frame = events(days=DAYS, per_day=12, start=FIRST)
    with bench.store("UTC") as store:
        for night, labels in zip(NIGHTS, (frame[:20], frame[10:40], frame[40:])):
            bench.log(frame[frame["at"] < night])
            bench.label(labels, at=f"{night}")
            ingest(store, night, "test")
        then = KnownThen(store, MODEL, LAST)
        for night in NIGHTS:
            for until in (LAST - timedelta(1), LAST):
                for days in (1, 2, 365):
                    asked = MODEL, until, night + timedelta(hours=1), days
                    (known, found), (same, told) = then.arrivals(*asked), store.arrivals(*asked)
                    assert known == same and (known or night == NIGHTS[0])
                    for one, other in zip(vars(found).values(), vars(told).values()):
                        assert np.array_equal(one, other)
