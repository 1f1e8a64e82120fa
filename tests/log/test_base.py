"""Answers that are kept until something is written are those that would be given anew."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.log import ingest as ingesting
from aiops_wb.log.base import Connected
from aiops_wb.log.known_days import CalendarReads
from aiops_wb.stats.automation import Certainty, certainty
from aiops_wb.stats.counts import ScoreCounts

FIRST = date(2026, 3, 1)
NIGHTS = [datetime(2026, 3, day, 2, tzinfo=UTC) for day in (2, 3)]
EVENT = {
    "event_id": "D-1",
    "stream": "score",
    "state": "opened",
    "kind": "data",
    "severity": "high",
    "log10_evidence": 5.0,
    "effect": 0.1,
    "lower": 0.05,
    "unit": "share",
    "since": FIRST,
    "opened_on": FIRST,
    "muted": False,
    "title": "a",
    "text": "b",
    "model": MODEL,
    "version": "v1",
    "event_date": FIRST,
}


def plain(answer):
    "An answer as something that can be compared."
    if isinstance(answer, tuple):
        return [x.to_json() if isinstance(x, Certainty) else x for x in answer]
    return answer


@pytest.fixture
def questions(monkeypatch):
    "Tables whose kept answers were asked for; each is compared with the one that is given anew."
    original, asked = Connected._until_written, set()

    def compared(self, table, question, answer, part=None):
        kept, fresh = original(self, table, question, answer, part), answer()
        if isinstance(kept, pd.DataFrame):
            pd.testing.assert_frame_equal(kept, fresh)
        else:
            assert plain(kept) == plain(fresh), (table, question)
        asked.add(table)
        return kept

    monkeypatch.setattr(Connected, "_until_written", compared)
    return asked


def ask(store):
    "Everything that is kept, as known now and at each night."
    for as_of in [None, *NIGHTS]:
        store.known_batch(as_of)
        store.last_outcomes(MODEL, as_of)
        store.feature_kinds(MODEL, as_of)
        store.unreadable_counts(MODEL, "v1", as_of)
        store.calendar(MODEL, as_of)
        store.drift_events(MODEL, as_of=as_of)
        store.calibration(MODEL, "v1", as_of)
        store.calibration(MODEL, "v1", as_of, FIRST)
        for what in ("model", "threshold", "watch"):
            store.in_force(what, f"{MODEL}/v1", as_of)
    for version in ("v1", "v2", None):
        store.score_counts(MODEL, version=version)
    store.models()
    store.outcome_columns()
    store.has_drift_events(MODEL, "score")
    store.read_again(MODEL, FIRST, FIRST + timedelta(9), 9)


def set_certainty(store, night, points):
    labels = np.r_[np.ones(50), np.zeros(50)]
    counts = ScoreCounts.from_events(np.r_[np.full(50, points), np.full(50, -points)], labels)
    store.add_calibration(night, "ana", MODEL, "v1", certainty({FIRST: counts}, FIRST), "known")


def written(bench, store):
    "Acts that write to what is asked, one after the other."
    text = events(days=1, seed=9, start=FIRST + timedelta(3)).assign(x="not a number")
    for night, version in zip(NIGHTS, ("v1", "v2")):
        yield bench.log(
            events(days=1, start=night.date() - timedelta(1), version=version), version=version
        )
        yield ingesting.ingest(store, night, "ana")
        yield bench.label(events(days=1, start=night.date() - timedelta(1), version=version))
        yield ingesting.ingest(store, night, "ana")
        yield set_certainty(store, night, 1000 + night.day)
        yield store.record(night, "ana", "watch", f"{MODEL}/v1", f"state {night.day}", "because")
        yield store.set_threshold(night, "ana", MODEL, "v1", 100 * night.day, "because")
        yield store.annotate(night, "ana", FIRST, FIRST, f"entry {night.day}", "because")
        rows = pd.DataFrame([EVENT]).assign(as_of=night, recorded_at=night, text=str(night))
        yield store.add_drift_events(rows)
    yield store.roll_back(night, "ana", "threshold", f"{MODEL}/v1", "no")
    yield store.strike(night, "ana", "C-1", "no")
    yield store.set_feature(night, "ana", MODEL, "x", "number", "it is one")
    yield bench.log(text.assign(id=text.id + "-t"))
    yield ingesting.ingest(store, night, "ana")
    yield store.set_feature(night, "ana", MODEL, "x", "text", "it is a code")
    yield store.add_outcome_columns(1, night, "ana", [(MODEL, "y", "label")])


def test_whatever_is_written_is_in_the_next_answer(bench, questions):
    with bench.store() as store:
        for _ in written(bench, store):
            ask(store)
    assert questions == {
        "audit",
        "batches",
        "calendar",
        "data_files",
        "drift_events",
        "features",
        "fixed_cuts",
        "models",
        "outcome_columns",
        "read_again",
        "score_counts",
        "unreadable_counts",
        "versions that were counted",
    }


def test_what_was_kept_within_a_transaction_that_failed_is_asked_again(bench, questions):
    with bench.store() as store:
        ask(store)
        with pytest.raises(ZeroDivisionError), store.transaction():
            for _ in written(bench, store):
                pass
            ask(store)
            assert store.known_batch() and store.models() == [MODEL]
            1 / 0  # noqa: B018
        ask(store)
        assert store.known_batch() == 0 and not store.models()


def test_who_changes_an_answer_changes_it_for_nobody_else(bench):
    with bench.store() as store:
        store.annotate(NIGHTS[0], "ana", FIRST, FIRST, "Easter", "because")
        changed = store.calendar()
        changed.loc[0, "name"] = "Whitsun"
        assert store.calendar()["name"].tolist() == ["Easter"]


def test_an_answer_is_given_once_until_its_table_is_written(bench, monkeypatch):
    asked, original = [], CalendarReads._calendar
    counted = lambda self, *question: (asked.append(question), original(self, *question))[1]
    monkeypatch.setattr(CalendarReads, "_calendar", counted)
    with bench.store() as store:
        for night in NIGHTS:
            store.record(night, "ana", "watch", "m/v1", "off", "because")
            store.calendar(MODEL, night)
        assert len(asked) == 1
        store.annotate(NIGHTS[0], "ana", FIRST, FIRST, "Easter", "because")
        assert store.calendar(MODEL, NIGHTS[0])["name"].tolist() == ["Easter"]


def test_a_change_is_known_at_the_second_of_two_hours_and_at_a_time_of_no_zone(bench):
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)  # clocks go back: it comes twice
    at = datetime(2026, 10, 25, 1, tzinfo=UTC)  # between the two
    with bench.store() as store:
        store.record(at, "ana", "watch", "m/v1", "off", "because")
        store.annotate(at, "ana", FIRST, FIRST, "Easter", "because")
        for as_of, known in (
            (first, False),
            (first.replace(fold=1), True),
            (datetime(2026, 10, 25, 1), True),
            (datetime(2026, 10, 25, 0, 59), False),
        ):
            assert (store.in_force("watch", "m/v1", as_of) == "off") == known
            assert len(store.calendar("m", as_of)) == known
