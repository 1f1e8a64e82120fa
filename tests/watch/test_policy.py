"""Policies: what a file may say, and what is said of one that cannot be used."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorded import hold, loaded_anew

from aiops_wb.config import Settings
from aiops_wb.log.dial import BEGIN
from aiops_wb.log.errors import StoreError
from aiops_wb.stats.points import Grid
from aiops_wb.watch import policy
from aiops_wb.watch.policy import Choose, Policy, as_set, read_policy


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_policy_says_what_differs_and_the_rest_is_as_set(tmp_path):
    text = "threshold = 0.5\nticket_days = 30\n[costs]\nmissed = 5\n"
    policy, usual = read_policy(written(tmp_path, text)), Settings(false_ticket_share=0.2)
    assert policy.name == "mine" and policy.costs.missed == 5 and policy.costs.review == 0
    (high,) = [high for _, high in policy.highs((), Grid())]
    asked = policy.asked(usual, high)
    assert asked.floor == 0 and asked.target == 0.2 and asked.method == usual.automation
    assert policy.settings(usual).ticket_days == 30
    empty = read_policy(written(tmp_path, ""))
    stood = ((BEGIN, 405),)
    assert empty.highs(stood, Grid()) == as_set().highs(stood, Grid()) == stood
    assert empty.settings(usual) == usual


@pytest.mark.parametrize(
    "text, says",
    [
        ("treshold = 0.5", "'treshold' is not known; a policy may name threshold, automation"),
        ("choose = 'x'", "choose must be a table, such as [choose] with max_fdr = 0.2 in it"),
        ("[choose]\ngoal = 1", "choose.goal is not known; choose may name cost_missed, max_fdr"),
        ("[choose]\nmax_fdr = 2", "choose.max_fdr: input should be less than 1"),
        ("[choose]\nmax_fdr = 0.2\nmax_fpr = 0.1", "choose: max_fdr and max_fpr are two goals"),
        (
            "[retraining]\nevery = 7",
            "retraining.every is not known; retraining may name window_days",
        ),
        ("retraining = 7", "retraining must be a table, such as [retraining] with every_days = 28"),
        (
            "[retraining]\nwindow_days = 'some'",
            "retraining.window_days: a number of days, from 2 on",
        ),
        ("[retraining]\nwindow_days = true", "retraining.window_days: a number of days, from 2 on"),
        ("[retraining]\nhalf_life_days = 0", "half_life_days: input should be greater than 0"),
        ("[retraining]\nevery_days = 0", "every_days: input should be greater than or equal to 1"),
        ("[retraining]\npromote = 'never'", "promote: input should be 'always' or 'evidence'"),
        ("name = 'x'", "'name' is not known"),
        (
            "[costs]\nreviews = 1",
            "costs.reviews is not known; costs may name missed, review, false",
        ),
        ("[costs]\nreview = -1", "costs.review: input should be greater than or equal to 0"),
        ("costs = 3", "costs must be a table, such as [costs] with missed = 20 in it"),
        ("automation = 'magic'", "automation: input should be 'days'"),
        ("false_ticket_share = 1.5", "false_ticket_share: input should be less than 1"),
        ("threshold = '0.5'", "threshold: input should be a valid number"),
        ("threshold = nan", "threshold: input should be a finite number"),
        ("threshold =", "cannot be read as TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, text, says):
    with pytest.raises(StoreError, match="mine.toml") as error:
        read_policy(written(tmp_path, text))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_threshold_must_lie_on_the_scores(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        read_policy(tmp_path / "none.toml")
    with pytest.raises(StoreError, match="threshold 3.5 is no probability"):
        Policy(threshold=3.5).highs((), Grid())
    assert Policy(threshold=3.5).highs((), Grid("linear")) == ((BEGIN, 3500),)
    for threshold in (0.0, 1.0):  # everybody, nobody but the certain
        ((_, high),) = Policy(threshold=threshold).highs((), Grid())
        assert high == int(Grid().quantise(threshold))
    with pytest.raises(StoreError, match="are no probabilities, and nothing says from where on"):
        as_set().highs((), Grid("linear"))


def test_a_threshold_that_is_chosen_has_a_goal_and_begins_where_it_stood():
    usual = Settings(tune_max_fpr=0.1, tune_max_step=200)
    tuned = Policy(choose=Choose(max_fdr=0.3, cooldown_days=7)).settings(usual)
    assert (tuned.tune_max_fdr, tuned.tune_max_fpr, tuned.tune_cooldown_days) == (0.3, None, 7)
    assert (
        tuned.tune_max_step == 200 and Policy(choose=Choose()).settings(usual).tune_max_fpr == 0.1
    )
    with pytest.raises(StoreError, match="choose needs a goal: name one of cost_missed, max_fdr"):
        Policy(choose=Choose()).settings(Settings())
    stood = ((BEGIN, 405), (datetime(2026, 3, 1, tzinfo=UTC), 100))
    assert Policy(choose=Choose()).highs(stood, Grid()) == stood[:1]
    assert Policy(choose=Choose(), threshold=0.5).highs(stood, Grid()) == ((BEGIN, 0),)


def test_what_a_policy_may_name_is_what_it_was():
    anew = loaded_anew(Path(policy.__file__))
    hold(__file__, "schema", json.dumps(anew.Policy.model_json_schema(), indent=1, sort_keys=True))
    assert str(anew.Retraining()) == "on the last 90 days, every 28 days"
    other = anew.Retraining(
        window_days="all", half_life_days=7.5, every_days=366, promote="evidence"
    )
    assert str(other) == (
        "on all days before, weights halved every 7.5, every 366 days, promoted on evidence"
    )
    for days in (1, 36_501, "some"):
        with pytest.raises(ValueError, match="a number of days, from 2 on, or 'all' is allowed"):
            anew.Retraining(window_days=days)
    assert [anew.Retraining(window_days=n).window_days for n in (2, 36_500)] == [2, 36_500]
