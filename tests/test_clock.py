"""A clock that was ahead for a morning: the mornings after it see all that is committed."""

from datetime import UTC, date, datetime, timedelta

from conftest import MODEL, Bench, events

from aiops_wb.config import Settings
from aiops_wb.daily import run

FIRST, DAYS = date(2026, 3, 1), 3
TOLD = ["predictions", "labelled_share", "accuracy", "brier", "alerts"]
KEYS = ["event_date", "tenant", "version", "segment", "metric"]


def mornings(root, ahead=None):
    "Mornings of a log, one by a clock that is 30 hours ahead: how they ended, and the figures."
    bench, ended = Bench(root), []
    for number in range(DAYS):
        frame = events(days=1, seed=number, per_day=20, start=FIRST + timedelta(number))
        bench.log(frame)
        bench.label(frame, at=f"{FIRST + timedelta(number + 1)}T00:30:00Z")
        now = datetime(2026, 3, 2, 2, tzinfo=UTC) + timedelta(number)
        if number == ahead:
            now += timedelta(hours=30)
        ran = run(bench.data, root / "r", now, Settings(complete_share=1), show="none")
        ended.append((ran.exit_code, [(one.day, one.state) for one in ran.figures]))
    with bench.store() as store:
        figures = store.metrics(MODEL, segment=None, tenant=None)
        stopped = datetime(2026, 3, 6, 2, tzinfo=UTC)
        store.stop_retraining(stopped - timedelta(days=2), "ana", "a trial")
        assert store.retraining_stopped(store.as_of_now(stopped - timedelta(days=2)))
        assert store.as_of_now(stopped) == stopped
    told = figures[figures.metric.isin(TOLD)].sort_values(KEYS)
    return ended, told[[*KEYS, "value", "n"]].reset_index(drop=True)


def test_a_morning_by_a_clock_that_is_ahead_blocks_none_of_those_after(tmp_path):
    usual, figures = mornings(tmp_path / "usual")
    ended, found = mornings(tmp_path / "ahead", 1)
    assert ended == usual and [code for code, _ in ended] == [0] * DAYS
    assert len(found) >= len(TOLD) * DAYS and found.equals(figures)
