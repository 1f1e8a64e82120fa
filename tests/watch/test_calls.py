"What calls somebody beside the threshold that a page names."

from datetime import UTC, date, datetime, timedelta

from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.watch.headlines import certainty_headline, reasons_headline
from aiops_wb.watch.view import View


def test_a_page_says_why_other_events_are_called_than_its_threshold_names(bench):
    "It was changed at noon of the second day; a site has its own since the third ends."
    with bench.store() as store:
        store.record(
            datetime(2026, 3, 2, 12, tzinfo=UTC), "t", "threshold", f"{MODEL}/v1", "800", "x"
        )
        at, north = datetime(2026, 3, 4, tzinfo=UTC), ("default", "north")
        store.set_own_threshold(at, "t", MODEL, "v1", north, 3000, "x")
    bench.log(events(days=4, per_day=60))
    bench.ingest()
    with bench.store() as store:
        days = [date(2026, 3, 1) + timedelta(i) for i in range(4)]
        views = [View(store, MODEL, day, None, Settings()) for day in days]
        _, changed, quiet, own = [certainty_headline(view).says for view in views]
    assert "were called: it was changed on this day." in changed
    assert "were called" not in quiet
    assert "were called: tenants or sites have their own." in own


def test_a_day_without_alerts_has_their_columns(bench):
    "A page reads them: it failed on the first quiet day."
    frame = events(days=2, per_day=30)
    bench.log(frame.assign(score=0.1 + 0.8 * (frame.index == 0)), threshold=1000)
    bench.ingest()
    with bench.store() as store:
        some, none = (
            View(store, MODEL, date(2026, 3, day), None, Settings()).tickets.alerts()
            for day in (1, 2)
        )
    assert (len(some), len(none)) == (1, 0) and list(none)[-4:] == list(some)[-4:]
    assert reasons_headline(none, 0, 0, none.probability).says == "No alert fired on this day."
