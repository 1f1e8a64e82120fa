"""A history that is imported answers, as of any time, what nights would have answered that took it
in one by one."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from conftest import Bench, events

from aiops_wb.config import Settings
from aiops_wb.daily import compute, due
from aiops_wb.log.errors import StoreError
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.ingest import Ingested, ingest_file
from aiops_wb.watch.cases import open_cases

ZONE = "Europe/Berlin"  # its clocks go forward on 29 March
START, DAYS, MODEL = date(2026, 3, 18), 20, "scored elsewhere"
SETTINGS = Settings(complete_share=1)


def night(day):
    "The end of a day."
    return datetime.combine(day + timedelta(1), datetime.min.time(), ZoneInfo(ZONE))


NIGHTS = [night(START + timedelta(i)) for i in range(DAYS)]
END = NIGHTS[-1]


@dataclass
class Past:
    "Predictions and labels of a model in the columns of the log, labels with corrections."

    predictions: pd.DataFrame
    outcomes: pd.DataFrame

    def until(self, end, since=None):
        "What was made and observed before a time, and not before another."
        parts = []
        for frame, at in ((self.predictions, "predicted_at"), (self.outcomes, "observed_at")):
            known = frame[at] < end
            parts.append(frame[known if since is None else known & (frame[at] >= since)])
        return Past(*parts)


def past(days=DAYS, per_day=100, seed=3, prefix="e"):
    rng = np.random.default_rng(seed)
    frame = events(days=days, per_day=per_day, seed=seed, start=START)
    local = frame["at"].dt.tz_localize(None).dt.tz_localize(ZONE, nonexistent="shift_forward")
    n, at = len(frame), local.dt.tz_convert("UTC").dt.floor("s")
    route = np.where(frame.score > 0.8, "ticket", np.where(frame.score > 0.7, "alert", "monitor"))
    predictions = pd.DataFrame(
        {
            "prediction_id": prefix + frame.id,
            "predicted_at": at,
            "score": frame.score,
            "tenant": rng.choice(["one", "two"], n),
            "site_id": frame.site,
            "entity_id": [f"guard {i}" for i in rng.integers(0, 20, n)],
            "route": route,
            "automated": route == "ticket",
            "latency_ms": rng.integers(1, 50, n) / 2,
        }
    )
    waited = pd.to_timedelta(rng.exponential(2.5 * 86_400, n).astype(int), unit="s")
    outcomes = pd.DataFrame(
        {"prediction_id": prefix + frame.id, "label": frame.label, "observed_at": at + waited}
    )
    again = outcomes.sample(frac=0.1, random_state=seed)
    later = pd.to_timedelta(rng.integers(0, 6 * 86_400, len(again)), unit="s")
    corrected = again.assign(label=1 - again.label, observed_at=again.observed_at + later)
    return Past(predictions, pd.concat([outcomes, corrected], ignore_index=True))


def files(bench, told, name="h"):
    written = {}
    for kind, frame in (("predictions", told.predictions), ("outcomes", told.outcomes)):
        written[kind] = bench.root / f"{name}-{kind}.csv"
        frame.to_csv(written[kind], index=False)
    return written


def bring_in(store, bench, told, now=END, model=MODEL):
    chosen = choices(model, {}, {"version": "v1"})
    return import_history(store, now, "t", model, files(bench, told), chosen)


def feed(store, bench, told, now, model=MODEL):
    "What one night takes in."
    for kind, path in files(bench, told, "night").items():
        given = {"model": model, "version": "v1"} if kind == "predictions" else {}
        if len(told.predictions if kind == "predictions" else told.outcomes):
            ingest_file(store, now, "t", path, kind, None, given)


def counts(store, as_of, model=MODEL):
    "Everything that is counted of a model as of a time."
    first, last = START - timedelta(1), START + timedelta(DAYS + 1)
    days, arrivals = store.arrivals(model, last, as_of)
    latency = store.latency(model, as_of=as_of)
    return {
        "days": store.days(model, as_of),
        "scores": store.score_counts(model, as_of=as_of),
        "segments": store.segment_counts_by_day(model, first, last, as_of=as_of),
        "tenants": store.tenant_counts_by_day(model, first, last, as_of=as_of),
        "labelled": store.labelled(model, first, last, as_of),
        "arrived on": store.last_outcomes(model, as_of),
        "arrivals": [days, *(part.tolist() for part in (arrivals.events, arrivals.labels))],
        "latencies": {d: (h.bins.tolist(), h.n.tolist(), h.total) for d, h in latency.items()},
        "decisions": store.decisions(model, as_of=as_of).to_dict(),
        "hours": store.hours(model, as_of=as_of).to_dict(),
    }


def rows(store, as_of):
    "The rows of the last days with their labels, and what an operator asks."
    first, last = as_of.date() - timedelta(9), as_of.date()
    known = store.rows(MODEL, first, last, as_of=as_of)
    asked = store.operator_answers(MODEL, as_of, as_of)
    return [f.to_csv() for f in (known.drop(columns="batch_id"), *asked.values())]


def lived(store):
    "What mornings have written down."
    tables = {
        "metrics": "SELECT * EXCLUDE (run_id) FROM metrics",
        "calibrations": "SELECT * FROM calibrations",
        "audit": "SELECT * EXCLUDE (hash) FROM audit",
        "alarms": "SELECT * FROM drift_events",
        "cases": "SELECT * EXCLUDE (batch_id) FROM cases",
    }
    return {name: sorted(map(str, store._rows(sql))) for name, sql in tables.items()}


def morning(store, now, figures, opens=True):
    if figures:
        day = now.date() - timedelta(1)
        assert compute(store, day, MODEL, now, SETTINGS, as_of=now).state == "ok"
    if opens:
        open_cases(store, now, SETTINGS)


def fed_and_imported(folder, told, nights, figures):
    "A history fed night by night, and by one import; some nights' figures, each as of then."
    nightly, imported = Bench(folder / "nightly"), Bench(folder / "imported")
    for bench in (nightly, imported):
        bench.root.mkdir()
    with nightly.store(ZONE) as store:
        for before, now in zip([None, *nights], nights):
            feed(store, nightly, told.until(now, before), now)
            morning(store, now, now in figures)
    with imported.store(ZONE) as store:
        taken = bring_in(store, imported, told.until(nights[-1]), nights[-1])
        for now in nights:
            morning(store, now, now in figures, opens=False)
        open_cases(store, nights[-1], SETTINGS)
    return nightly, imported, taken


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    told = past()
    figures = (*NIGHTS[11:13], *NIGHTS[-2:])
    return told, *fed_and_imported(tmp_path_factory.mktemp("both"), told, NIGHTS, figures)


def test_counts_are_equal_at_any_time(both):
    told, nightly, imported, taken = both
    known = told.until(END)
    assert taken["predictions"] == Ingested(loaded=DAYS * 100)
    assert taken["outcomes"] == Ingested(loaded=len(known.outcomes))
    times = [NIGHTS[0] - timedelta(seconds=1), *NIGHTS[::3], NIGHTS[-2] + timedelta(hours=5), None]
    with nightly.store() as fed, imported.store() as store:
        for at in times:
            assert counts(fed, at) == counts(store, at), at
        assert [len(store.days(MODEL, at)) for at in NIGHTS] == list(range(1, DAYS + 1))


def test_rows_are_equal_at_any_time(both):
    _, nightly, imported, _ = both
    with nightly.store() as fed, imported.store() as store:
        for at in NIGHTS[4::7]:
            assert rows(fed, at) == rows(store, at), at


def test_figures_calibrations_and_cases_are_equal(both):
    _, nightly, imported, _ = both
    with nightly.store() as fed, imported.store() as store:
        one, other = lived(fed), lived(store)
        for name, found in one.items():
            assert found == other[name], name
        assert len(one["cases"]) > 300 and len(one["metrics"]) > 300 and one["calibrations"]
        assert store.cases(state="late").empty  # each night found its own in time


@pytest.mark.slow
def test_alarms_are_equal(tmp_path):
    told, nights = past(42, 60), [night(START + timedelta(i)) for i in range(42)]
    scores = told.predictions.score
    told.predictions["score"] = scores.where(told.predictions.predicted_at < nights[33], scores**3)
    nightly, imported, _ = fed_and_imported(tmp_path, told, nights, nights[33:])
    with nightly.store() as fed, imported.store() as store:
        assert lived(fed) == lived(store) and lived(store)["alarms"]


def test_counts_are_those_of_the_files(both):
    "Counting all days anew from the files changes nothing."
    _, _, imported, _ = both
    keys = "SELECT DISTINCT event_date, tenant, model, version FROM data_files WHERE rows > 0"
    with imported.store() as store:
        days, cells = set(store._rows(f"{keys} AND kind = 'predictions'")), "FROM score_counts"
        before = store.frame(f"SELECT count(*) AS n {cells}").n[0]
        with pytest.raises(InterruptedError), store.transaction():
            store._recount_days(store.known_batch(), days)
            assert store.frame(f"SELECT count(*) AS n {cells}").n[0] == before > 0
            raise InterruptedError


def small(**told):
    return past(days=8, per_day=30, **told)


LATE = night(START + timedelta(9))


def test_a_longer_export_and_one_given_again_go_in_without_duplicates(bench, tmp_path):
    told, once = small(), Bench(tmp_path / "once")
    once.root.mkdir()
    with once.store(ZONE) as store:
        bring_in(store, once, told.until(LATE), LATE)
        expected = {at: counts(store, at) for at in NIGHTS[1:9:2]}
    first, second = told.until(NIGHTS[4]), told.until(LATE)
    with bench.store(ZONE) as store:
        bring_in(store, bench, first, NIGHTS[4])
        longer = bring_in(store, bench, second, LATE)
        again = bring_in(store, bench, second, LATE)
        for kind in ("predictions", "outcomes"):
            old, new = len(getattr(first, kind)), len(getattr(second, kind))
            assert longer[kind] == Ingested(loaded=new - old, duplicates=old)
            assert again[kind] == Ingested(duplicates=new)
        assert {at: counts(store, at) for at in NIGHTS[1:9:2]} == expected


def test_nothing_changes_for_a_model_that_runs(bench):
    """Figures, deliveries of labels and what is due of another model are as before, at any time,
    and its labels in the file of outcomes are refused."""
    running, told = small(seed=5, prefix="r"), small()
    times = [*NIGHTS[:6:2], NIGHTS[2] + timedelta(hours=3), LATE]

    def seen(store):
        asked = {at: counts(store, at, "live") for at in times}
        return (
            asked,
            due(store, LATE, ["live"]),
            sorted(map(str, store.newest_batches("live").values)),
        )

    with bench.store(ZONE) as store:
        for before, now in zip([None, *NIGHTS[:5]], NIGHTS[:6:2]):
            feed(store, bench, running.until(now, before), now, "live")
        before = seen(store)
        ids = running.until(NIGHTS[4]).predictions.prediction_id
        theirs = running.outcomes[running.outcomes.prediction_id.isin(ids)]
        theirs = theirs[theirs.observed_at >= NIGHTS[4]]
        mixed = pd.concat([told.outcomes, theirs])
        taken = bring_in(store, bench, Past(told.predictions, mixed), LATE)
        assert seen(store) == before
        assert taken["outcomes"].quarantined == len(theirs) > 20
        assert store.score_counts(MODEL, as_of=NIGHTS[2]) and store.cases_from() == 1
        reasons = set(store.frame("SELECT reason FROM quarantine").reason)
        assert reasons == {"its prediction is of the model live"}


def test_what_was_told_of_a_day_stays(bench):
    """Rows of a day that the log knows already become known no earlier than what it knew last of
    that day; days that it did not know are known as they were."""
    told = small()
    live = told.until(NIGHTS[3], NIGHTS[2])
    now = NIGHTS[5] + timedelta(hours=2)
    with bench.store(ZONE) as store:
        feed(store, bench, Past(live.predictions.head(10), live.outcomes.head(0)), now)
        bring_in(store, bench, told.until(LATE), LATE)
        day = START + timedelta(3)
        known = {at: store.score_counts(MODEL, day, day, as_of=at) for at in (NIGHTS[4], now)}
        assert known[NIGHTS[4]] == {} and known[now][day].total[0] == 30
        assert store.days(MODEL, NIGHTS[4]) == [START + timedelta(i) for i in (0, 1, 2, 4)]


def test_labels_that_wait_count_when_they_were_known(bench):
    told, came = small(), NIGHTS[6]
    with bench.store(ZONE) as store:
        path = files(bench, told.until(NIGHTS[1]))["outcomes"]
        ingest_file(store, came, "t", path, "outcomes")
        bring_in(store, bench, Past(told.predictions, told.outcomes.head(0)), LATE)
        labelled = {at: store.labelled(MODEL, START, START, at) for at in (NIGHTS[5], came)}
    ids = told.until(NIGHTS[0]).predictions.prediction_id
    known = ids.isin(told.until(NIGHTS[1]).outcomes.prediction_id).sum()
    assert labelled == {NIGHTS[5]: {START: (30, 0)}, came: {START: (30, known)}} and known > 0


def test_what_cannot_have_been_is_in_quarantine(bench):
    told, now = small(), NIGHTS[3]
    labels = told.outcomes.drop_duplicates("prediction_id").copy()
    labels.loc[labels.index[:4], "observed_at"] -= timedelta(days=60)
    with bench.store(ZONE) as store:
        taken = bring_in(store, bench, Past(told.predictions, labels.head(50)), now)
        reasons = store.frame("SELECT reason, count(*) AS n FROM quarantine GROUP BY 1")
    assert taken["predictions"] == Ingested(loaded=120, quarantined=120)
    assert taken["outcomes"] == Ingested(loaded=46, quarantined=4)
    assert dict(zip(reasons.reason, reasons.n)) == {
        "predicted_at is later than the import": 120,
        "observed_at is before predicted_at": 4,
    }


def test_labels_that_are_all_impossible_are_in_quarantine(bench):
    told = small()
    early = told.outcomes.assign(observed_at=told.predictions.predicted_at.min() - timedelta(1))
    early = early.drop_duplicates("prediction_id")
    with bench.store(ZONE) as store:
        taken = bring_in(store, bench, Past(told.predictions, early), LATE)["outcomes"]
        counted = store.labelled(MODEL, START, START, LATE)
    assert taken == Ingested(quarantined=len(early)) and counted == {START: (30, 0)}


def test_labels_without_a_time_are_refused_by_name(bench):
    told = small()
    with bench.store(ZONE) as store, pytest.raises(StoreError, match="--set observed_at="):
        bring_in(store, bench, Past(told.predictions, told.outcomes[["prediction_id", "label"]]))


def test_words_that_neither_file_has_are_refused():
    with pytest.raises(StoreError, match="'colour' cannot be set or mapped"):
        choices("m", {}, {"colour": "red"})
    for mapped in ({"hue": "colour"}, {"hue": "colour", "label": "y"}):
        with pytest.raises(StoreError, match="'hue' cannot be set or mapped"):
            choices("m", mapped, {})
    with pytest.raises(StoreError, match="are two models"):
        choices("m", {}, {"model": "other"})
    told = choices("m", {"label": "y", "score": "p"}, {"source": "desk", "version": "1"})
    assert told["predictions"].mapping == {"score": "p"}
    assert told["predictions"].constants == {"version": "1", "model": "m"}
    assert (told["outcomes"].mapping, told["outcomes"].constants) == (
        {"label": "y"},
        {"source": "desk"},
    )
