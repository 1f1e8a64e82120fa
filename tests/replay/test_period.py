"""A past lived again decides as nights did that were there, and tells what became of it."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.log.errors import StoreError
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.ingest import ingest
from aiops_wb.log.known_then import KnownThen
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.models.complete import CompleteDays, label_rules
from aiops_wb.replay.period import highs_of, look_ahead_words, replay, sentences
from aiops_wb.stats.automation import METHODS, certainty, level_at
from aiops_wb.stats.decisions import Ladder
from aiops_wb.stats.points import Grid
from aiops_wb.watch.adopt import adopt_days
from aiops_wb.watch.became import Became, difference
from aiops_wb.watch.calibrate import calibrate_now
from aiops_wb.watch.given import given
from aiops_wb.watch.heard import Heard
from aiops_wb.watch.mornings import mornings
from aiops_wb.watch.policy import Costs, Policy, as_set
from aiops_wb.watch.relive import live

FIRST, DAYS, GONE = date(2026, 1, 1), 50, 40  # no predictions on one day
PAST = 34  # days that are brought in as a history: no label is known to be complete in them
LAST = FIRST + timedelta(DAYS - 1)
SETTINGS = Settings(
    complete_share=0.35,  # by what the log has seen
    ticket_days=30,
    calibration_days=10,
    false_ticket_share=0.3,
    false_ticket_confidence=0.8,
)


def night(day):
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC)


@dataclass
class Lived:
    bench: Bench
    rows: pd.DataFrame

    def open(self):
        return self.bench.store()


def made():
    "Events whose labels come within three days, all negative in the last week."
    rng, parts = np.random.default_rng(7), []
    for i in range(DAYS):
        if i == GONE:
            continue
        day, n = FIRST + timedelta(i), 60
        score = np.clip(rng.beta(0.6, 1.4, n), 1e-4, 1 - 1e-4)
        at = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(
            np.sort(rng.integers(0, 86_000, n)), unit="s"
        )
        label = (rng.random(n) < score**0.5) * (i < DAYS - 7)
        late = pd.to_timedelta(rng.integers(3600, 3 * 86_400, n), unit="s")
        ids = [f"{day}-{k:03d}" for k in range(n)]
        columns = {"id": ids, "day": day, "at": at, "score": score, "label": label.astype(int)}
        parts.append(pd.DataFrame(columns | {"known": at + late}))
    return pd.concat(parts, ignore_index=True)


def decided(store, rows):
    "Columns of what is decided with what stands."
    found, points = store.calibration(MODEL, "v1"), Grid().quantise(rows.score.to_numpy())
    high = store.threshold(MODEL, "v1")
    ladder = Ladder.of().at(405 if high is None else high)
    if found is None:
        return {"route": np.where(points >= ladder.high, "alert", "monitor")}
    key, stands = found
    routes = [stands.decide(int(p), ladder).route for p in points]
    return {"route": routes, "calibration_id": key}


def spend(store, bench, rows, day):
    "A day and its night."
    today, came = rows[rows.day == day], rows[(rows.known < night(day))]
    came = came[came.known >= night(day - timedelta(1))]
    if len(today):
        with PredictionLogger(
            bench.data / "spool",
            MODEL,
            "v1",
            threshold=405,
            flush_seconds=None,
            cursor=store.cursor,
        ) as log:
            told = decided(store, today)
            log.log(today.score, today["at"], prediction_id=today.id, **told)
    with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None, cursor=store.cursor) as log:
        log.log(came.id, came.label, came.known, predicted_at=came["at"])
    ingest(store, night(day), "t")
    if len(today):
        assert compute(store, day, MODEL, night(day), SETTINGS).state == "ok"


def bring_in(store, bench, rows, now):
    "Scores and labels of a past, and nothing else."
    files, chosen = {}, choices(MODEL, {}, {"version": "v1"})
    names = {"id": "prediction_id", "at": "predicted_at", "known": "observed_at"}
    told = {"predictions": rows[["id", "at", "score"]], "outcomes": rows[["id", "label", "known"]]}
    told["outcomes"] = told["outcomes"][rows.known < now]
    for kind, frame in told.items():
        files[kind] = bench.root / f"{kind}.csv"
        frame.rename(columns=names).to_csv(files[kind], index=False)
    import_history(store, now, "t", MODEL, files, chosen)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "A past that was brought in, and nights that were there, each deciding the next day."
    bench, rows = Bench(tmp_path_factory.mktemp("lived")), made()
    with bench.store() as store, store.one_thread():
        live_from = FIRST + timedelta(PAST)
        bring_in(store, bench, rows[rows.day < live_from], night(live_from - timedelta(1)))
        for i in range(PAST, DAYS):
            spend(store, bench, rows, FIRST + timedelta(i))
            if i == DAYS - 6:  # the dial is turned in the morning
                at = night(FIRST + timedelta(i)) + timedelta(minutes=5)
                store.set_threshold(at, "t", MODEL, "v1", 0, "more of them")
            if i == DAYS - 3:
                at = night(FIRST + timedelta(i)) + timedelta(minutes=5)
                calibrate_now(store, at, "t", MODEL, "v1", "prediction_log", SETTINGS, days=10)
    return Lived(bench, rows)


def lives(store, policies, **options):
    then = KnownThen(store, MODEL, LAST)
    looks = mornings(then)
    heard = Heard(store, MODEL, SETTINGS)
    stood = given(store, MODEL, "v1", {}, SETTINGS)
    changes = then.versions["v1"]
    told = {"changed": heard, "given": stood, "highs": highs_of(then, "v1", SETTINGS)} | options
    return looks, live(then, changes, "v1", looks, policies, SETTINGS, **told)


def stored(store):
    "What stood after each night that made something of its own."
    rows = store._rows(
        "SELECT created_at, state FROM calibrations ORDER BY created_at, calibration_id"
    )
    return {at: json.loads(state) for at, state in rows}


def plain(certainty):
    return json.loads(json.dumps(certainty.to_json()))


@pytest.mark.slow
def test_every_calibration_of_every_night_is_made_again(lived):
    with lived.open() as store:
        looks, (life,) = lives(store, [as_set()], whole=True)
        nightly, stands = stored(store), None
        by_hand = [at for at in nightly if at.minute]
        for look in looks:
            stands = nightly.get(look.at, stands)
            for at in by_hand:
                if at < look.at and look.at not in nightly:
                    stands = nightly[at]
            again = life.stood[look.day]
            assert (again and plain(again.whole)) == stands, look.day
    rules = [stands["rule"] for stands in nightly.values()]
    assert sum(rule["threshold"] is not None for rule in rules) >= 5
    assert any("an alarm is open" in rule["reason"] for rule in rules)
    assert any(stands["watch"]["days"] > 3 for stands in nightly.values())
    assert len(by_hand) == 1 and len(nightly) > 10


@pytest.mark.slow
def test_rules_are_the_same_without_intervals_and_with_alarms_followed_anew(lived):
    with lived.open() as store:
        _, (whole,) = lives(store, [as_set()], whole=True)
        followed = Policy(drift_level=SETTINGS.drift_level)
        _, both = lives(store, [as_set(), followed])
    for life in both:
        assert life.decided == whole.decided and len(life.decided) == DAYS - 1
        for day, stands in whole.stood.items():
            again = life.stood[day]
            assert (again and (again.rule, again.watch)) == (stands and (stands.rule, stands.watch))


def test_what_really_happened_is_replayed_without_a_mismatch(lived):
    with lived.open() as store:
        of = replay(store, MODEL, FIRST, LAST, [], SETTINGS, against="actual")
        other = SETTINGS.model_copy(update={"false_ticket_share": 0.05})
        otherwise = replay(store, MODEL, FIRST, LAST, [], other, against="actual")
    assert of.mismatches.n == 0 and of.mismatches.decided == (DAYS - PAST - 1) * 60
    live_days = of.policies[0].days[-(DAYS - PAST - 1) :].drop(columns="labels_in")
    assert live_days.equals(of.against.days[-len(live_days) :].drop(columns="labels_in"))
    assert live_days.tickets.sum() > 50
    assert otherwise.mismatches.n > 50


def test_outcomes_are_those_of_the_rows(lived):
    "Tickets, false ones, reviews and misses, counted by hand from what each row was decided."
    with lived.open() as store:
        of = replay(store, MODEL, FIRST, LAST, [Policy(name="low", threshold=0.4)], SETTINGS)
        rows = store.rows(MODEL, FIRST, LAST)
        _, (life,) = lives(store, [Policy(name="low", threshold=0.4)])
    floor, low = int(Grid().quantise(0.4)), of.policies[0].days
    assert level_at(floor, (0.1, 0.2, 0.4, 0.8)) == "HIGH"
    for day, group in rows.groupby(rows.event_date.dt.date):
        ticket = life.decided[day].ticket
        points, label = group.points.to_numpy(), group.label.to_numpy()
        called = points >= floor
        tickets = called & (ticket is not None and points >= (ticket or 0))
        told = low[low.day == day].iloc[0]
        assert told.tickets == tickets.sum() and told.reviews == (called & ~tickets).sum()
        assert told["false"] == (label[tickets] == 0).sum()
        assert told.missed == (label[~called] == 1).sum() and told.events == len(group)


def test_an_import_of_the_same_past_decides_the_same(lived, tmp_path):
    "Nothing but scores and labels is brought in; alarms are told as they were heard."
    bench = Bench(tmp_path)
    with lived.open() as store:
        there, looks = Heard(store, MODEL, SETTINGS), mornings(KnownThen(store, MODEL, LAST))
        recorded = {(look.version, look.day): there(as_set(), look) for look in looks}
        assert any(recorded.values())
    heard = lambda policy, look: recorded.get((look.version, look.day))
    with bench.store() as store:
        bring_in(store, bench, lived.rows, night(LAST))
        _, (imported,) = lives(store, [as_set()], changed=heard)
        of = replay(store, MODEL, FIRST, LAST, [], SETTINGS)
        reference = FIRST + timedelta(5), FIRST + timedelta(36)
        then = night(LAST) + timedelta(1)
        adopt_days(store, then, "t", MODEL, "v1", *reference, **label_rules(SETTINGS))
        _, (adopted,) = lives(store, [as_set()], changed=heard)
        assert adopted.decided == imported.decided
        registered = store.calibration(MODEL, "v1")[1]
        assert plain(adopted.stands.whole) == plain(registered), "it is taken as it was stored"
        lived_first = {"shown": lambda mornings: pytest.fail("mornings were lived for nothing")}
        with pytest.raises(StoreError, match="has no recorded decision from 2026-01-01"):
            replay(store, MODEL, FIRST, LAST, [], SETTINGS, against="actual", **lived_first)
    with lived.open() as store:
        _, (there,) = lives(store, [as_set()], given=())
    until = FIRST + timedelta(DAYS - 6)  # the days before somebody turned the dial
    same = [d for d in there.decided if d < until]
    assert [imported.decided[d] for d in same] == [there.decided[d] for d in same]
    assert any(d.ticket is not None for d in imported.decided.values())
    assert any("no daily run looked at 49 of 49 mornings" in note for note in of.notes)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_the_rule_of_certainty_on_the_counts_of_the_morning(lived, method):
    policy = Policy(automation=method, threshold=0.55)
    settings = SETTINGS.model_copy(update={"automation": method})
    with lived.open() as store:
        looks, (life,) = lives(store, [policy], given=(), changed=lambda *_: None)
        look = next(look for look in looks if look.day == FIRST + timedelta(42))
        then = KnownThen(store, MODEL, LAST)
        at = {"as_of": look.at, "stood_at": look.at}
        complete = CompleteDays(then, MODEL, look.day, **at, **label_rules(SETTINGS))
        days = store.score_counts(MODEL, None, look.day, version="v1", as_of=look.at)
        again = life.stood[look.day]
        oracle = certainty(
            days,
            look.day,
            complete=complete.newest,
            owed={d: complete.owed(d) for d in days if d <= complete.newest},
            watch=again.watch,
            control=again.control,
            **settings.certainty | {"floor": 0.55},
        )
    assert again.rule == oracle.rule and (method == "off" or again.rule.reason)


def test_many_policies_at_once_are_each_as_alone(lived):
    policies = [
        Policy(name="a", threshold=0.5),
        Policy(name="b", false_ticket_share=0.4, ticket_days=20),
        Policy(name="c", automation="rows", threshold=0.7),
    ]
    with lived.open() as store:
        _, together = lives(store, policies)
        for policy, life in zip(policies, together):
            _, (alone,) = lives(store, [policy])
            assert alone.decided == life.decided
    tickets = [{d.ticket for d in life.decided.values()} for life in together]
    assert len(set(map(frozenset, tickets))) == 3


def test_a_back_test_claims_what_nobody_could_know(lived):
    with lived.open() as store:
        of = replay(store, MODEL, FIRST, FIRST + timedelta(42), [], SETTINGS)
    name, tickets, claimed, *_ = of.look_ahead[0]
    assert claimed > tickets > 0  # it does not wait for labels
    assert f"would have claimed {claimed:,} tickets" in look_ahead_words(of)


def test_sentences_say_what_is_saved_missed_and_kept(lived):
    costs = Costs(missed=5, review=1, false_ticket=3)
    low = Policy(name="low", threshold=0.4, costs=costs)
    with lived.open() as store:
        of = replay(store, MODEL, FIRST, LAST, [low, as_set()], SETTINGS, against=as_set("before"))
        few = replay(store, MODEL, FIRST, FIRST + timedelta(3), [low], SETTINGS)
    saved, missed, kept = sentences(of)
    assert (
        "would have become tickets by themselves" in saved and "more reviews than before" in saved
    )
    assert "known positives" in missed and "fewer than under before" in missed
    assert of.policies[0].promise.state in kept or "within chance" in kept
    assert sentences(of, 1)[1].endswith("as many as under before.")
    assert [c.name for c in of.compared] == ["low", "settings"]
    assert of.compared[0].a_week["reviews"].lower > 0 and "cost" in of.compared[0].a_week
    assert "No ticket would have opened by itself" in sentences(few)[0]
    assert few.policies[0].promise.state == "unknown" and "is unknown" in sentences(few)[2]
    cost = few.policies[0].totals["cost"]
    days = few.policies[0].days
    assert cost == 5 * days.missed.sum() + days.reviews.sum() + 3 * days["false"].sum()


def test_what_cannot_be_lived_is_refused_in_a_sentence(lived):
    with lived.open() as store:
        for first, last, version, says in (
            (date(2025, 1, 1), date(2025, 1, 9), None, "has no predictions up to 2025-01-09"),
            (LAST + timedelta(5), LAST + timedelta(9), None, "its log covers 2026-01-01 to"),
            (LAST, FIRST, None, "ends before it begins"),
            (FIRST, LAST, "v2", "no predictions of a version 'v2': choose v1"),
        ):
            with pytest.raises(StoreError, match=says):
                replay(store, MODEL, first, last, [], SETTINGS, version=version)
        gone = FIRST + timedelta(GONE)
        with pytest.raises(StoreError, match="has no predictions from"):
            replay(store, MODEL, gone, gone, [], SETTINGS)
        one = replay(store, MODEL, LAST, LAST, [], SETTINGS)
    assert len(one.policies[0].days) == 1 and any("not known to be in" in n for n in one.notes)


def test_later_labels_are_left_out_as_of_a_time(lived):
    until = FIRST + timedelta(43)
    with lived.open() as store:
        then = replay(store, MODEL, FIRST, until, [], SETTINGS, as_of=night(until))
        now = replay(store, MODEL, FIRST, until, [], SETTINGS)
    assert list(then.policies[0].days.tickets) == list(now.policies[0].days.tickets)
    assert then.policies[0].totals["positives"] < now.policies[0].totals["positives"]
    assert then.labels_in < now.labels_in


def test_scores_that_are_no_probabilities_need_a_threshold_and_open_no_ticket(bench):
    rng = np.random.default_rng(0)
    with PredictionLogger(
        bench.data / "spool", "z", "v1", grid=Grid("linear"), threshold=3000, flush_seconds=None
    ) as log:
        at = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(50), unit="h")
        log.log(rng.normal(2, 1, 50), at, prediction_id=[f"z{i}" for i in range(50)])
    bench.ingest()
    with bench.store() as store:
        span = date(2026, 3, 1), date(2026, 3, 3)
        with pytest.raises(StoreError, match="z v1: scores of this version are no probabilities"):
            replay(store, "z", *span, [], Settings())
        of = replay(store, "z", *span, [Policy(name="p", threshold=2.5)], Settings())
    assert of.policies[0].totals["tickets"] == 0 and of.policies[0].totals["reviews"] > 5
    assert "positive is known" in sentences(of)[1]  # no label at all


def test_a_past_that_was_loaded_at_once_was_not_known_then(bench):
    frame = events(days=5)
    bench.log(frame)
    bench.label(frame)
    bench.ingest()
    with bench.store() as store:
        of = replay(store, MODEL, frame.day.min(), frame.day.max(), [], Settings())
    assert any("5 of 5 days were not known until later" in note for note in of.notes)
    assert of.policies[0].totals["tickets"] == 0


def test_a_day_is_looked_at_once_the_first_version_has_scored_it():
    "No run looked at it, and what a second version said was loaded two days later."
    loaded = {"v1": night(FIRST) + timedelta(3), "v2": night(FIRST) + timedelta(5)}
    known = {v: {FIRST: int(at.timestamp() * 1_000_000)} for v, at in loaded.items()}
    versions = {v: SimpleNamespace(first_known=since) for v, since in known.items()}
    reader = SimpleNamespace(nights=lambda *_: [])
    about = {"model": MODEL, "as_of": None, "timezone": "UTC", "told_later": ()}
    (look,) = mornings(SimpleNamespace(versions=versions, reader=reader, **about))
    assert (look.at, look.day, look.version) == (loaded["v1"], FIRST, "v1")


def test_each_version_is_lived_on_its_own(bench):
    for version, start in (("v1", date(2026, 3, 1)), ("v2", date(2026, 3, 4))):
        frame = events(days=3, start=start, version=version)
        bench.log(frame, version=version)
    bench.ingest()
    with bench.store() as store:
        of = replay(store, MODEL, date(2026, 3, 2), date(2026, 3, 5), [], Settings())
        only = replay(
            store, MODEL, date(2026, 3, 2), date(2026, 3, 5), [], Settings(), version="v2"
        )
    assert list(of.policies[0].days.version) == ["v1", "v1", "v2", "v2"]
    assert list(only.policies[0].days.version) == ["v2", "v2"]
    assert "each version was lived on its own: v1, v2" in of.notes


def test_differences_have_weeks_as_their_unit():
    days = [FIRST + timedelta(i) for i in range(35)]
    frame = pd.DataFrame({"day": days, "tickets": np.arange(35), "missed": 1})
    one, other = Became("one", frame), Became("other", frame.assign(tickets=0, missed=1))
    weeks = frame.tickets.to_numpy()[4:32].reshape(4, 7).sum(axis=1)  # from Monday to Sunday
    more = difference(one, other, "tickets")
    assert more.value == weeks.mean() and more.n == 4 and more.lower < more.value
    assert difference(one, other, "missed")[:3] == (0, 0, 0)
    few = Became("few", frame[:8])
    assert np.isnan(difference(few, few, "tickets").lower)


def test_what_was_decided_by_another_threshold_of_the_day_is_no_mismatch(bench):
    "One of a site, and one that was changed at noon."
    frame = events(days=6, per_day=30)
    noon_of_the_third = datetime(2026, 3, 3, 12, tzinfo=UTC)
    with bench.store() as store:
        at = datetime(2026, 3, 2, tzinfo=UTC)
        store.set_own_threshold(at, "t", MODEL, "v1", ("default", "north"), 900, "a trial")
        at = datetime(2026, 3, 5, tzinfo=UTC)
        store.set_own_threshold(at, "t", MODEL, "v1", ("default", "north"), None, "it is over")
        store.record(noon_of_the_third, "t", "threshold", f"{MODEL}/v1", "-400", "more")
    bench.log(frame)
    bench.ingest()
    asked = MODEL, frame.day.min(), frame.day.max(), [], Settings()
    with bench.store() as store:
        of = replay(store, *asked, against="actual")
        assert of.mismatches.decided == 180 and not of.mismatches.n
        assert any("thresholds of their own" in note for note in of.notes)
    late = events(days=1, per_day=2, seed=5, start=date(2026, 3, 6))
    late = late.assign(id=["x", "y"], score=[0.01, 0.99])
    bench.log(late, route=["alert", "monitor"])  # a service that had another opinion
    bench.ingest()
    with bench.store() as store:
        assert replay(store, *asked, against="actual").mismatches.n == 2
