"""Which days of a shadow are due: those of which something became known since they were kept."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
from conftest import MODEL, events

from aiops_wb.log.ingest import ingest
from aiops_wb.log.shadow import Pair

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)
NIGHT, HOUR = datetime(2026, 3, 3, 2, tzinfo=UTC), timedelta(hours=1)
PAIR = Pair(MODEL, "v1", "v2")


def test_a_day_is_due_until_it_is_kept_with_what_became_known_of_it(bench):
    bench.log(events(days=2, per_day=4, start=FIRST))
    with bench.store() as store:
        ingest(store, NIGHT, "test")
        names = store._column("SELECT column_name FROM (DESCRIBE shadow_days)")
        told = {"event_date", "known_at", *PAIR._fields}
        sums = pd.DataFrame([{n: 0 for n in names if n not in told} | {"segment": ""}])

        def due(at):
            return store.days_to_shadow(PAIR, FIRST, SECOND, at)

        assert due(NIGHT - HOUR) == [] and due(NIGHT) == [FIRST, SECOND]
        store.add_shadow(PAIR, FIRST, NIGHT - HOUR, sums, {})  # of less
        assert due(NIGHT) == [FIRST, SECOND]
        store.add_shadow(PAIR, FIRST, NIGHT + 2 * HOUR, sums, {})
        assert due(NIGHT + HOUR) == [FIRST, SECOND] and due(NIGHT + 2 * HOUR) == [SECOND]
