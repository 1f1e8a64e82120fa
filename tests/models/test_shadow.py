"""A version in the champion's shadow: what both say of a day, and whether it may take over."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.cli.call import Call
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log.errors import StoreError
from aiops_wb.log.shadow import Pair
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models.guards import guarded, guarded_at_once, watched_pair
from aiops_wb.models.registry import load, register
from aiops_wb.models.shadow import follow, pairs, shadow_from
from aiops_wb.models.training import train
from aiops_wb.models.validation import Rules, as_paired, precision_at_recall, validation
from aiops_wb.render.tables import version_table
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.evidence import log_loss
from aiops_wb.stats.points import Grid
from aiops_wb.watch.retraining import retrain_headline, waiting
from aiops_wb.watch.takeover import (
    LONGEST,
    each_morning,
    go_back,
    known_validations,
    promotion_now,
    watched_promotion,
)
from aiops_wb.watch.view import View

FIRST = date(2026, 3, 1)
DAYS, A_DAY = 45, 40
NOW = datetime(2026, 4, 20, tzinfo=UTC)
LAST = date(2026, 4, 14)
PAIR = Pair(MODEL, "v1", "v2")
SETTINGS = Settings(retrain_policy="promote", retrain_enabled=True, retrain_max_flips=1.0)


def known(turned, seed):
    "Rows to learn from: x raises the risk, or lowers it."
    frame = events(20, 100, seed, date(2026, 2, 1))
    label = 1.0 - frame.label if turned else frame.label.astype(float)
    return pd.DataFrame(
        {"event_date": pd.to_datetime(frame.day), "label": label, "feature:x": frame.x}
    )


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "The world has turned; v1 decides and does not know it, v2 does and is in its shadow."
    bench = Bench(tmp_path_factory.mktemp("shadow"))
    live = events(DAYS, A_DAY, 9, FIRST)
    live = live.assign(label=1 - live.label)
    with bench.store() as store:
        for version, turned in (("v1", False), ("v2", True)):
            register(store, *train(known(turned, 1), MODEL, version, rounds=20), NOW, "ana")
        store.activate(NOW - timedelta(60), "ana", MODEL, "v1", "first")
        store.shadow(NOW - timedelta(50), "ana", MODEL, "v2", "the world turned")
        scores = load(store, MODEL, "v1").score(live[["x"]])
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        log.log(
            scores,
            live["at"],
            prediction_id=live.id,
            site_id=live.site,
            features=live[["x"]],
        )
    bench.label(live, at="2026-04-18T00:00:00Z")
    bench.ingest(NOW - timedelta(1))
    with bench.store() as store:
        store.live = live
        assert follow(store, PAIR, LAST, NOW) == DAYS
    bench.live = live
    return bench


@pytest.fixture
def store(lived, tmp_path):
    with lived.copy_to(tmp_path / "copy").store() as opened:
        yield opened


def test_what_is_kept_of_a_day_is_what_its_rows_say(store):
    "Sums and counts, by hand from the rows of a day."
    day = FIRST + timedelta(3)
    rows = store.rows(MODEL, day, day)
    grid, y = Grid(), rows.label.to_numpy()
    said = {
        "champion": rows.points.to_numpy(),
        "challenger": grid.quantise(
            load(store, MODEL, "v2").score(rows[["feature:x"]].set_axis(["x"], axis=1))
        ),
    }
    kept = store.shadow_days(PAIR, day, day).iloc[0]
    assert (kept.n, kept.n_labelled, kept.n_positive) == (A_DAY, A_DAY, y.sum())
    called = {}
    for name, points in said.items():
        version = "v1" if name == "champion" else "v2"
        called[name] = points >= store.threshold(MODEL, version)
        assert kept[f"{name}_calls"] == called[name].sum()
        assert kept[f"{name}_false"] == (called[name] & (y == 0)).sum()
        assert kept[f"{name}_missed"] == (~called[name] & (y == 1)).sum()
        assert kept[f"{name}_loss"] == pytest.approx(log_loss(grid.inverse(points), y).sum())
        counts = store.shadow_counts(PAIR, day, day)[version]
        assert counts == ScoreCounts.from_events(points, y)
        p, negative = grid.inverse(counts.points), counts.n_labelled - counts.n_positive
        summed = counts.n_positive @ log_loss(p, 1) + negative @ log_loss(p, 0)
        assert summed == pytest.approx(kept[f"{name}_loss"])
    assert kept.both_call == (called["champion"] & called["challenger"]).sum()


def test_sites_and_tenants_add_up_to_everyone(store):
    days = store.shadow_days(PAIR, segment=None)
    numbers = days.select_dtypes("number").columns
    whole = days[days.segment == ""][numbers].sum()
    for kind in ("site=", "tenant="):
        parts = days[days.segment.str.startswith(kind)][numbers].sum()
        assert np.allclose(parts, whole)


def test_a_day_is_scored_again_when_its_labels_change_and_only_then(store, lived):
    assert follow(store, PAIR, LAST, NOW + timedelta(1)) == 0
    before = store.shadow_days(PAIR, as_of=NOW)
    day = lived.live[lived.live.day == FIRST]
    bench = Bench(store.root.parent)
    bench.label(day, at="2026-04-19T00:00:00Z", label=1 - day.label)
    from aiops_wb.log.ingest import ingest

    ingest(store, NOW + timedelta(hours=1), "test")
    assert follow(store, PAIR, LAST, NOW + timedelta(2)) == 1
    after = store.shadow_days(PAIR)
    assert len(after) == len(before) == DAYS
    assert after.n_positive[0] == A_DAY - before.n_positive[0]
    positive = {}
    for as_of in (NOW, None):  # before and after the correction
        by_day = [
            store.shadow_counts(PAIR, d, d, as_of)["v2"]
            for d in (FIRST + timedelta(i) for i in range(DAYS))
        ]
        assert store.shadow_counts(PAIR, FIRST, LAST, as_of)["v2"] == total(by_day)
        assert total(by_day).total[0] == DAYS * A_DAY
        positive[as_of] = by_day[0].total[2]
    assert positive == {NOW: before.n_positive[0], None: after.n_positive[0]}
    assert store.shadow_counts(PAIR, LAST + timedelta(1), LAST + timedelta(9)) == {
        version: ScoreCounts.empty() for version in PAIR[1:]
    }
    assert store.shadow_days(PAIR, as_of=NOW).equals(before)


def test_the_first_day_is_one_that_neither_learned_from(store):
    assert shadow_from(store, PAIR) == date(2026, 2, 17)  # held out from then on, by both
    assert pairs(store, MODEL) == [PAIR]


def test_a_page_tells_which_version_decides_decided_before_and_is_in_the_shadow(store):
    from aiops_wb.log.ingest import ingest

    today = NOW.date()  # on which both were registered
    Bench(store.root.parent).log(events(1, 10, 4, today))
    ingest(store, NOW + timedelta(1), "test")
    told = lambda: version_table(View(store, MODEL, today)).frame.set_index("version")

    before = told()
    assert before.state.to_dict() == {"v1": "active", "v2": "in the shadow"}
    assert set(before["trained from"]) == {"2026-02-01"}
    assert set(before["held out"]) == {"2026-02-17 to 2026-02-20"}
    store.promote(NOW, "ana", MODEL, "v2", "better")
    assert told().state.to_dict() == {"v1": "active before", "v2": "active"}


def test_a_better_version_takes_over_once_and_comes_back_where_it_was_a_mistake(store):
    (seen,) = known_validations(store, MODEL, NOW, SETTINGS)
    assert seen.passes and seen.comparison.evidence > 240
    assert [c.name for c in seen.checks] == [
        *("better", "ranking", "precision", "segments", "flips", "reasons")
    ]
    told = each_morning(store, MODEL, LAST, NOW, SETTINGS, "daily")
    assert len(told) == 1 and told[0].endswith("it is the champion now")
    assert store.active_version(MODEL) == "v2" and store.previous(MODEL) == "v1"
    assert each_morning(store, MODEL, LAST, NOW, SETTINGS, "daily") == []
    watched = watched_pair(store, MODEL, NOW)
    assert watched == Pair(MODEL, "v2", "v1")
    seen = watched_promotion(store, MODEL, NOW, SETTINGS)
    assert not seen.mistaken and "nothing could have been found" in seen.checks[-1].reason
    assert "what is missing is unknown" in seen.checks[1].reason


def test_without_consent_a_better_version_is_only_proposed_once(store):
    for settings in (
        SETTINGS.model_copy(update={"retrain_policy": "propose"}),
        SETTINGS.model_copy(update={"retrain_enabled": False}),
    ):
        (told,) = each_morning(store, MODEL, LAST, NOW, settings, "daily")
        assert "proposed, not active" in told and store.active_version(MODEL) == "v1"
    assert (store.audit(f"{MODEL}/v2").what == "proposal").sum() == 1


def test_more_challengers_than_share_the_promise_are_promoted_by_people_alone(store):
    store.end_shadow(NOW, "ana", MODEL, "v2", "looked at once")
    store.shadow(NOW, "ana", MODEL, "v2", "and again")
    one = SETTINGS.model_copy(update={"retrain_challengers": 1})
    (told,) = each_morning(store, MODEL, LAST, NOW, one, "daily")
    assert "2 versions have been in the shadow" in told and "proposed, not active" in told
    assert store.active_version(MODEL) == "v1"


def test_a_condition_that_fails_stops_the_better_version(store):
    (seen,) = known_validations(
        store, MODEL, NOW, SETTINGS.model_copy(update={"retrain_max_flips": 0.01})
    )
    assert seen.comparison.better and not seen.passes
    assert [c.name for c in seen.checks if not c.passed] == ["flips"]
    headline = retrain_headline([], [seen], None)
    assert headline.state == "look" and "may not take over" in headline.says
    assert "A week of waiting costs +" in waiting(seen)
    floor = Rules(pr_auc=0.99, precision=0.99, flips=1.0)
    strict = validation(store, PAIR, LAST, floor)
    assert [c.name for c in strict.checks if not c.passed] == ["ranking", "precision"]


def test_what_is_not_known_is_said_in_words(store):
    "No day yet, and days without a positive label."
    early = validation(store, PAIR, FIRST - timedelta(1), Rules())
    assert [c.name for c in early.checks if c.passed] == ["segments", "reasons"]
    days = early.days.iloc[:0]
    none = {"v2": ScoreCounts.from_events(Grid().quantise([0.2, 0.9]), [0, 0])}
    for seen in (early, replace(early, days=days, counts=none)):
        said = " ".join(c.reason for c in seen.checks)
        assert " nan" not in said and "no event of these days has a positive label" in said
        assert "no tenant or site has 4 weeks" in said and "neither has seen an event" in said


def test_labels_that_come_late_do_not_move_where_weeks_begin(store):
    days = store.shadow_days(PAIR, FIRST, LAST)
    nothing = ["n_labelled", "n_positive", "champion_loss", "challenger_loss"]
    early = days.copy()
    early.loc[:2, nothing] = 0
    known, late = (as_paired(some).blocks() for some in (days, early))
    assert known[1:] == late[1:] and late[0].n == 4 * A_DAY < known[0].n == 7 * A_DAY
    early.loc[:6, nothing] = 0
    assert as_paired(early).blocks() == known[1:]


def test_costs_decide_where_they_are_stated(store):
    priced = validation(store, PAIR, LAST, Rules(miss_cost=4.0, flips=1.0))
    days = store.shadow_days(PAIR, FIRST, LAST)
    assert (
        priced.paired.champion.sum() == days.champion_false.sum() + 4 * days.champion_missed.sum()
    )
    assert "false calls" in priced.comparison.reason


def test_a_version_that_shows_nothing_leaves_after_half_a_year(store):
    later = NOW + LONGEST + timedelta(1)
    strict = SETTINGS.model_copy(update={"retrain_max_flips": 0.01})
    (told,) = each_morning(store, MODEL, LAST, later, strict, "daily")
    assert "leaves the shadow" in told and store.challengers(MODEL) == []
    assert retrain_headline([], [], None).says.startswith("Retraining may start")


def test_what_cannot_be_scored_is_said_and_costs_nothing_else(store):
    (store.root / store.version(MODEL, "v2").path).unlink()
    bench = Bench(store.root.parent)
    bench.log(events(1, 30, 3, date(2026, 4, 15)))
    from aiops_wb.log.ingest import ingest

    ingest(store, NOW + timedelta(hours=1), "test")
    settings = SETTINGS.model_copy(update={"retrain_policy": "propose"})
    told = each_morning(store, MODEL, date(2026, 4, 15), NOW + timedelta(1), settings, "daily")
    assert "cannot be followed" in told[0] and "missing" in told[0]


def test_a_promotion_by_mistake_is_taken_back_by_labels(store):
    "v1 is right again, but v2 has taken over; v1 in its shadow would have known."
    settings = SETTINGS.model_copy(update={"retrain_policy": "propose"})
    turned_back = Pair(MODEL, "v2", "v1")
    days = store.shadow_days(PAIR, FIRST, LAST, segment=None)
    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    for day, of_day in days.groupby("event_date"):
        worse = of_day.assign(champion_loss=of_day.challenger_loss * 2 + 5)
        sums = worse.drop(columns=["event_date", "model", "champion", "challenger", "known_at"])
        store.add_shadow(turned_back, day.date() + timedelta(51), NOW, sums, {})
    then = NOW + timedelta(20)
    seen = guarded(store, turned_back, then, then.date(), Rules())
    assert [c.name for c in seen.mistaken] == ["labels"]
    assert "looks like a mistake" in retrain_headline([], [], seen).says
    for wary in ({"retrain_rollback": "propose"}, {"retrain_enabled": False}):
        wary = settings.model_copy(update=wary)
        told = each_morning(store, MODEL, LAST, then, wary, "daily")
        assert "'aiops-wb models rollback" in told[0]
    assert store.active_version(MODEL) == "v2"
    (told,) = each_morning(store, MODEL, LAST, then, settings, "daily")[:1]
    assert "by mistake" in told and store.active_version(MODEL) == "v1"


def next_day(store):
    "A day more, as both are followed on it."
    from aiops_wb.log.ingest import ingest

    Bench(store.root.parent).log(events(1, 60, 4, LAST + timedelta(1)))
    ingest(store, NOW + timedelta(hours=1), "test")
    follow(store, PAIR, LAST + timedelta(1), NOW + timedelta(hours=2))
    return store.shadow_days(PAIR, LAST + timedelta(1)).iloc[0]


def test_who_is_called_by_thresholds_of_tenants_too_which_a_challenger_would_take_over(store):
    nobody = "default", "north"
    store.set_own_threshold(NOW, "ana", MODEL, "v1", nobody, 16000, "on leave")
    day = next_day(store)
    by_site = store.shadow_days(PAIR, LAST + timedelta(1), segment=None).set_index("segment")
    for side in ("champion", "challenger"):
        assert by_site[f"{side}_calls"]["site=north"] == 0 < by_site[f"{side}_calls"]["site=south"]
        assert day[f"{side}_calls"] == by_site[f"{side}_calls"]["site=south"]


def test_who_is_called_where_cuts_are_fixed(store):
    store.turn_dial(NOW, "ana", MODEL, False, "as ever")
    store.set_threshold(NOW, "ana", MODEL, "v1", 16000, "which decides nothing")
    assert next_day(store).champion_calls > 0


def test_the_first_200_events_of_a_day_that_both_call_are_asked_for_their_reason(store):
    from aiops_wb.log.ingest import ingest

    for version in PAIR[1:]:
        store.set_threshold(NOW, "ana", MODEL, version, -16000, "everybody")
    later = LAST + timedelta(1)
    Bench(store.root.parent).log(events(1, 201, 4, later))
    ingest(store, NOW + timedelta(hours=1), "test")
    follow(store, PAIR, later, NOW + timedelta(hours=2))
    day = store.shadow_days(PAIR, later).iloc[0]
    assert (day.n, day.both_call, day.reasons) == (201, 201, 200)


def test_a_day_without_a_feature_costs_no_other_day(store):
    bare = events(1, 30, 3, LAST + timedelta(2))
    with PredictionLogger(store.root / "spool", MODEL, "v1", threshold=0) as log:
        log.log(bare.score, bare["at"], prediction_id=bare.id, features=bare[["score"]])
    Bench(store.root.parent).log(events(1, 30, 3, LAST + timedelta(3)))
    assert next_day(store).n == 60
    with pytest.raises(
        StoreError, match="1 of 2 days, the first 2026-04-16: feature 'x' is missing"
    ):
        follow(store, PAIR, LAST + timedelta(3), NOW + timedelta(hours=2))
    assert store.shadow_days(PAIR, LAST + timedelta(1)).n.tolist() == [60, 30]


def promoted_by_hand(store, **told):
    "v2 is promoted; afterwards days are as they were in its shadow, but for what is told."
    turned = Pair(MODEL, "v2", "v1")
    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    for day, of_day in store.shadow_days(PAIR, FIRST, LAST, segment=None).groupby("event_date"):
        told_of = {name: of_day[of] // fewer for name, (of, fewer) in told.items()}
        sums = of_day.drop(columns=["event_date", "model", "champion", "challenger", "known_at"])
        store.add_shadow(turned, day.date() + timedelta(51), NOW, sums.assign(**told_of), {})
    return guarded(store, turned, NOW + timedelta(20), None, Rules())


def test_as_many_calls_as_in_the_shadow_are_no_surprise_and_others_are(store):
    "v1 calls a fifth of the events that v2 calls: in the shadow it did, or did not."
    few = {"challenger_calls": ("challenger_calls", 5), "both_call": ("both_call", 9)}
    few["champion_calls"] = ("challenger_calls", 1)
    assert [c.name for c in promoted_by_hand(store, **few).mistaken] == ["calls"]
    shadow = store.shadow_days(PAIR, FIRST, LAST, segment=None)
    shadow["champion_calls"] = shadow.challenger_calls // 5
    for day, of_day in shadow.groupby("event_date"):
        sums = of_day.drop(columns=["event_date", "model", "champion", "challenger", "known_at"])
        store.add_shadow(PAIR, day.date(), NOW + timedelta(1), sums, {})
    seen = guarded(store, Pair(MODEL, "v2", "v1"), NOW + timedelta(20), None, Rules())
    assert not seen.mistaken and "in its shadow" in seen.checks[0].reason


def test_a_version_that_was_put_back_is_not_watched_as_if_it_were_promoted(store):
    register(store, *train(known(True, 5), MODEL, "v3", rounds=2), NOW, "ana")
    store.promote(NOW, "ana", MODEL, "v2", "better")
    then = NOW + timedelta(40)
    store.promote(then, "ana", MODEL, "v3", "better")
    assert watched_pair(store, MODEL, then) == Pair(MODEL, "v3", "v2")
    store.roll_back_version(then + timedelta(1), "ana", MODEL, "worse")
    assert (store.active_version(MODEL), store.previous(MODEL)) == ("v2", "v1")
    assert store.promoted_at(MODEL) == NOW and store.activated_at(MODEL) == then + timedelta(1)
    assert watched_pair(store, MODEL, then + timedelta(2)) is None
    assert watched_pair(store, MODEL, NOW + timedelta(20)) == Pair(MODEL, "v2", "v1")


def test_precision_where_four_of_five_positives_are_found():
    grid = Grid()
    counts = ScoreCounts.from_events(
        grid.quantise([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]), [1, 1, 0, 1, 1, 0, 1]
    )
    assert precision_at_recall(counts) == pytest.approx(4 / 5)
    assert np.isnan(precision_at_recall(ScoreCounts.empty()))


def test_a_pair_of_versions_that_are_not_there_is_refused(lived):
    with pytest.raises(StoreError, match="no registered version"), lived.store() as store:
        shadow_from(store, Pair(MODEL, "v1", "v9"))


def test_the_version_before_is_followed_from_its_replacement_on(store):
    "Its days in front of it are known already, as those of the pair that stood then."
    from aiops_wb.log.ingest import ingest

    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    later = NOW.date() + timedelta(1)
    Bench(store.root.parent).log(events(1, 30, 4, later), version="v2")
    ingest(store, NOW + timedelta(2), "test")
    assert each_morning(store, MODEL, later, NOW + timedelta(3), SETTINGS, "daily") == []
    days = store.shadow_days(Pair(MODEL, "v2", "v1"))
    assert days.event_date.dt.date.tolist() == [later]


@pytest.mark.parametrize("before_takes", ["x", "y"])
def test_a_feature_that_is_gone_speaks_for_going_back_where_that_helps(store, before_takes):
    "The version before would miss it too, or does without it."
    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    store.con.execute(
        """UPDATE models SET state = replace(state, '"features": ["x"]', $told)
        WHERE version = 'v1'""",
        {"told": f'"features": ["{before_takes}"]'},
    )
    from aiops_wb.log.ingest import ingest

    later = events(4, 30, 4, NOW.date()).assign(x=np.nan)
    Bench(store.root.parent).log(later, version="v2")
    ingest(store, NOW + timedelta(6), "test")
    seen = guarded(store, Pair(MODEL, "v2", "v1"), NOW + timedelta(7), None, Rules())
    told = {check.name: check for check in seen.checks}["features"]
    assert "x (100%, 0% before)" in told.reason
    assert told.passed == (before_takes == "x")
    assert ("would miss them too" in told.reason) == told.passed


def test_equal_calls_are_a_surprise_where_the_shadow_called_thrice_as_often(store):
    "Of the events that one alone calls, three of four were its own."
    often = {"challenger_calls": ("n", 5), "champion_calls": ("n", 2), "both_call": ("n", 10)}
    shadow = store.shadow_days(PAIR, FIRST, LAST, segment=None)
    turned = shadow.assign(
        champion_calls=shadow.n // 10, challenger_calls=shadow.n // 2, both_call=shadow.n // 20
    )
    for day, of_day in turned.groupby("event_date"):
        sums = of_day.drop(columns=["event_date", "model", "champion", "challenger", "known_at"])
        store.add_shadow(PAIR, day.date(), NOW + timedelta(1), sums, {})
    equal = often | {"champion_calls": ("n", 5)}
    seen = promoted_by_hand(store, **equal)
    assert [c.name for c in seen.mistaken] == ["calls"]
    assert seen.checks[0].evidence["usual"] > 4


def test_a_past_day_that_is_figured_again_promotes_nobody(lived, tmp_path):
    bench = lived.copy_to(tmp_path / "copy")

    def morning(day, policy):
        settings = SETTINGS.model_copy(update={"retrain_policy": policy})
        ran = run(bench.data, bench.root, NOW, settings, days=[day], show="none")
        assert ran.exit_code == 0
        with bench.store() as store:
            return store.active_version(MODEL)

    assert morning(LAST, "propose") == "v1"
    assert morning(FIRST + timedelta(30), "promote") == "v1"
    assert morning(LAST, "promote") == "v2"


def test_a_morning_that_was_stopped_behind_its_figures_goes_on_with_the_shadows(
    lived, tmp_path, monkeypatch
):
    "Nothing is due any more, and the versions in shadow are looked at all the same."
    bench = lived.copy_to(tmp_path / "copy")
    monkeypatch.setattr("aiops_wb.daily.due", lambda *_: [])
    settings = SETTINGS.model_copy(update={"retrain_policy": "propose"})
    run(bench.data, bench.root, NOW, settings, days=[LAST], show="none")
    said = []
    run(bench.data, bench.root, NOW, SETTINGS, show="none", say=said.append)
    assert any("it is the champion now" in text for text in said), said


def promoted_today(store, x, n=150):
    "v2 has taken over, and what came in since noon is as it is; the time of the last event."
    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    today = events(1, n, 5, NOW.date()).assign(x=x, score=1 / (1 + np.exp(x)))
    Bench(store.root.parent).log(today, version="v2")
    from aiops_wb.log.ingest import ingest

    ingest(store, NOW + timedelta(hours=13), "test")
    return NOW + timedelta(hours=14)


def test_a_guard_looks_at_a_day_that_is_not_over_and_keeps_nothing(lived, tmp_path):
    "The morning after ends in the same state, whether somebody looked or not."
    kept = {}
    for looked in (True, False):
        with lived.copy_to(tmp_path / str(looked)).store() as store:
            noon = promoted_today(store, x=np.tile([-2.0, 2.0], 75))
            if looked:
                before = store.shadow_days(Pair(MODEL, "v2", "v1"), segment=None)
                seen = promotion_now(store, MODEL, noon, SETTINGS)
                assert not seen.problem and not seen.promotion.mistaken
                names = [c.name for c in seen.promotion.checks]
                assert names == ["calls", "features", "latency", "flips"]
                assert "on 150 events" in seen.promotion.checks[0].reason
                after = store.shadow_days(Pair(MODEL, "v2", "v1"), segment=None)
                assert len(before) == len(after) == 0
            day, morning = NOW.date(), NOW + timedelta(1, hours=6)
            assert each_morning(store, MODEL, day, morning, SETTINGS, "daily") == []
            tables = ("shadow_days", "shadow_counts", "audit")
            kept[looked] = [store.frame(f"SELECT * FROM {t} ORDER BY ALL") for t in tables]
            whole = store.shadow_days(Pair(MODEL, "v2", "v1"))
            assert whole.n.tolist() == [150]
            # what was seen of the day is what is kept of it
            if looked:
                told = {c.name: c for c in seen.promotion.checks}["calls"].evidence
                assert (told["calls"], told["before"]) == (
                    whole.champion_calls.sum(),
                    whole.challenger_calls.sum(),
                )
    for one, other in zip(kept[True], kept[False]):
        pd.testing.assert_frame_equal(one, other)


def test_a_guard_goes_back_as_a_morning_does(lived, tmp_path, monkeypatch, capsys):
    "Every event of today is called, and the version before would call none."
    bench = lived.copy_to(tmp_path / "guard")
    with bench.store() as store:
        noon = promoted_today(store, x=-3.0)
        store.publish()
    other = bench.copy_to(tmp_path / "morning")
    monkeypatch.setattr(Call, "now", lambda self: noon)
    monkeypatch.setattr(Call, "who", "daily")
    monkeypatch.setattr(Call, "settings", SETTINGS.model_copy(update={"data": bench.data}))
    assert main(["models", "guard", MODEL]) == 3
    said = capsys.readouterr().out
    assert f"{MODEL} v2 took over from v1" in said and "LOOK  calls: 150 calls on 150" in said
    assert "promoted by mistake" not in said
    with bench.store() as store:
        assert store.active_version(MODEL) == "v2"
    assert main(["models", "guard", MODEL, "--act", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["mistaken"] and document["before"] == "v1"
    assert document["acted"][0].endswith("; v1 decides again")
    with other.store() as store:
        (told,) = each_morning(store, MODEL, NOW.date(), noon, SETTINGS, "daily")
        theirs = store.audit(MODEL).iloc[-1]
    with bench.store() as store:
        assert store.active_version(MODEL) == "v1"
        ours = store.audit(MODEL).iloc[-1]
    assert told == document["acted"][0]
    assert (ours.what, ours.new, ours.why) == (theirs.what, theirs.new, theirs.why)
    # and with that it is over
    assert main(["models", "guard", MODEL, "--act"]) == 0
    assert "no promotion of the last 28 days is watched" in capsys.readouterr().out
    assert main(["models", "guard", MODEL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mistaken"] is None  # nothing was looked at


def test_a_guard_that_may_not_act_says_what_a_person_can_do(store):
    noon = promoted_today(store, x=-3.0)
    for settings in (
        SETTINGS.model_copy(update={"retrain_rollback": "propose"}),
        SETTINGS.model_copy(update={"retrain_enabled": False}),
    ):
        seen = promotion_now(store, MODEL, noon, settings)
        (told,) = go_back(store, seen.promotion, noon, settings, "guard")
        assert "models rollback" in told and store.active_version(MODEL) == "v2"
    (store.root / store.version(MODEL, "v1").path).unlink()
    seen = promotion_now(store, MODEL, noon, SETTINGS)
    assert "in shadow cannot be followed" in seen.problem
    assert "fewer than 100 events say nothing" in seen.promotion.checks[0].reason
    early = promotion_now(store, MODEL, NOW + timedelta(30), SETTINGS)
    assert early is None


@pytest.mark.parametrize(("flipped", "passes"), [(0.1, True), (0.3, True), (0.6, False)])
def test_flips_are_held_against_those_of_the_shadow(store, flipped, passes):
    "A fifth of the events flipped in the shadow: twice as many may."
    shadow = store.shadow_days(PAIR, FIRST, LAST, segment=None)
    n = shadow.n
    calm = shadow.assign(champion_calls=n // 2, challenger_calls=n // 2, both_call=n // 2 - n // 10)
    for day, of_day in calm.groupby("event_date"):
        sums = of_day.drop(columns=["event_date", "model", "champion", "challenger", "known_at"])
        store.add_shadow(PAIR, day.date(), NOW + timedelta(1), sums, {})
    store.promote(NOW, "ana", MODEL, "v2", "by hand")
    alone = (flipped * n / 2).astype(int)
    since = shadow.assign(
        event_date=shadow.event_date + pd.Timedelta(days=51),
        champion_calls=alone,
        challenger_calls=alone,
        both_call=0,
    )
    later = NOW + timedelta(20)
    seen = guarded_at_once(store, Pair(MODEL, "v2", "v1"), later, Rules(), since)
    told = {c.name: c for c in seen.checks}["flips"]
    assert told.passed == passes and "at most 40% may be" in told.reason
    assert told.evidence["flips"] > 0
