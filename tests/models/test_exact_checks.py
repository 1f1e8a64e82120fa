"""Checks of a challenger, whole: what each says at its floor, above and below it."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aiops_wb.models.validation import Rules, Validation
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import average_precision
from aiops_wb.stats.retrain import Check

COUNTS = ScoreCounts.from_events([0, 100, 200, 300, 400], [0.0, 1, 0, 1, 1])
PAIR = SimpleNamespace(champion="v1", challenger="v2")


def sums(**of):
    "The sums of everyone, and of a tenant that is not looked at."
    every = {"segment": ["", "tenant=a"], "n": [200, 7], "n_labelled": [200, 7]}
    every |= {"champion_calls": [60, 1], "challenger_calls": [50, 2], "both_call": [35, 0]}
    every |= {"reasons": [100, 9], "reasons_changed": [50, 9]}
    return pd.DataFrame(every | of)


def validation(counts=COUNTS, days=None, segments=None, events=1000, **rules):
    made = Validation(PAIR, None, sums() if days is None else days, {"v2": counts}, Rules(**rules))
    vars(made)["segments"] = segments or {}
    vars(made)["paired"] = SimpleNamespace(n=np.array([events - 1, 1]))
    return made


NO_LABEL = "no event of these days has a positive label"


def test_the_ranking_has_to_be_above_its_floor_and_above_chance():
    area = average_precision(COUNTS).value
    of = {"pr_auc": area}
    assert validation()._ranking() == Check(
        "ranking",
        True,
        f"PR-AUC {area:.3f}; more than 0.600 is needed, the share of positives",
        of | {"floor": 0.6},
    )
    said = f"PR-AUC {area:.3f}; more than 0.700 is needed"
    assert validation(pr_auc=0.7)._ranking() == Check("ranking", True, said, of | {"floor": 0.7})
    assert not validation(pr_auc=area)._ranking().passed
    none = ScoreCounts.from_events([0, 100], [0.0, 0])
    assert validation(none)._ranking() == Check(
        "ranking", False, f"PR-AUC is not known: {NO_LABEL}"
    )
    unknown = Check("precision", False, f"the precision is not known: {NO_LABEL}")
    assert validation(none)._precision() == unknown


def test_the_precision_is_that_where_four_of_five_positives_are_found():
    told = {"precision": 0.75, "floor": 0.0}
    says = "precision 0.750 where 80% of the positives are found; "
    assert validation()._precision() == Check("precision", True, f"{says}no floor is set", told)
    asked = f"{says}at least 0.750 is needed"
    at = validation(precision=0.75)._precision()
    assert at == Check("precision", True, asked, told | {"floor": 0.75})
    assert not validation(precision=0.751)._precision().passed


def segment(events, lower, upper, blocks=4):
    return events, SimpleNamespace(blocks=blocks, lower=lower, upper=upper)


def test_large_segments_are_shown_to_be_no_worse_and_small_ones_not_shown_to_be_worse():
    parts = {
        "tenant large": segment(100, -0.03, 0.01),
        "site large": segment(100, -0.02, 0.01),
        "site small": segment(99, -0.03, 0.01),
        "site worse": segment(99, -0.09, -0.03),
        "site short": segment(500, -0.9, -0.9, blocks=3),
    }
    made = validation(segments=parts)
    told = [
        ("tenant large", True),
        ("site large", False),
        ("site small", False),
        ("site worse", True),
    ]
    assert list(made._of_segments()) == told
    assert made._segments() == Check(
        "segments",
        False,
        "worse, or not shown to be no worse: tenant large, site worse; 4 tenants and sites were "
        "looked at, margin 0.02 nats per event",
        {"segments": 4, "worse": ["tenant large", "site worse"]},
    )
    good = validation(segments={"site large": parts["site large"]}, miss_cost=9.0)._segments()
    assert good == Check(
        "segments",
        True,
        "1 tenants and sites were looked at, margin 0.02 false calls per event",
        {"segments": 1, "worse": []},
    )
    few = validation(segments={"site short": parts["site short"]})._segments()
    assert few == Check(
        "segments",
        True,
        "no tenant or site has 4 weeks with labels to look at",
        {"segments": 0, "worse": []},
    )


def test_of_decisions_at_most_a_share_changes():
    says = "20.0% of 200 events would be decided otherwise; at most 20% may be"
    told = {"share": 0.2, "events": 200}
    assert validation()._flips() == Check("flips", True, says, told)
    assert not validation(days=sums(both_call=[34, 0]))._flips().passed
    nothing = validation(days=sums(n=[0, 0]))._flips()
    assert nothing == Check("flips", False, "neither has seen an event yet", {"events": 0})


@pytest.mark.parametrize(("n", "changed", "passed"), [(50, 25, True), (50, 26, False)])
def test_of_first_reasons_at_most_half_change(n, changed, passed):
    found = validation(days=sums(reasons=[n, 1], reasons_changed=[changed, 1]))._reasons()
    assert found == Check(
        "reasons",
        passed,
        f"the first reason differs for {changed / n:.0%} of {n} events that both call; at most "
        "50% may",
        {"share": changed / n, "events": n},
    )


def test_few_first_reasons_say_nothing():
    found = validation(days=sums(reasons=[49, 1], reasons_changed=[49, 1]))._reasons()
    says = "49 events that both call have reasons; fewer than 50 say nothing"
    assert found == Check("reasons", True, says, {"events": 49})


def test_segments_are_those_with_fewer_labels_than_everyone():
    rows = [
        {
            "segment": name,
            "n": n,
            "n_labelled": n,
            "event_date": np.datetime64(
                date(2026, 1, 5) + k * (date(2026, 1, 6) - date(2026, 1, 5))
            ),
        }
        for name, n in (("", 10), ("tenant=only", 10), ("site=a=b", 4))
        for k in range(7)
    ]
    days = pd.DataFrame(rows).assign(champion_loss=2.0, challenger_loss=1.0)
    found = Validation(PAIR, None, days, {}, Rules()).segments
    ((name, (events, told)),) = found.items()
    assert (name, events, told.blocks, told.gain) == ("site a=b", 28, 1, 0.25)
