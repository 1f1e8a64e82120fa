"""The attendance demo, lived through: what its pages say on nights before and after its drift."""

from datetime import date, timedelta

import pytest

from aiops_wb.config import Settings
from aiops_wb.examples.attendance import check_ins
from aiops_wb.examples.demo import demo
from aiops_wb.examples.stories import STORIES, WORLD
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.models.explain import alert_reasons
from aiops_wb.models.shift_of_log import logged_shift
from aiops_wb.watch.headlines import certainty_headline, drift_headline, performance_headline
from aiops_wb.watch.view import View

STORY = STORIES["attendance"]
DRIFT = date(2025, 7, 1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "A snapshot after four live months, and what the pages say on every fourth night."
    root = tmp_path_factory.mktemp("attendance")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AIOPS_COMPLETE_SHARE")
        settings = Settings(data=root / "data")
    demo(settings.data, root / "reports", settings, story=STORY, report_days=0)
    told = settings.model_copy(update=STORY.settings)
    with open_snapshot(settings.data) as log:
        (one,) = STORY.models
        days = [d for d in log.days(one.model) if d >= STORY.live]
        yield [View(log, one.model, d, STORY.night(d), told) for d in days[:0:-4][::-1]]


@pytest.mark.slow
@pytest.mark.evidence
def test_a_page_is_green_only_while_its_own_back_test_holds(lived):
    green = [view for view in lived if certainty_headline(view).state == "ok"]
    assert len(green) >= len(lived) // 2
    for view in green:
        kept = view.tickets.kept
        assert kept.empty or (kept.false / kept.tickets).mean() <= 0.2, view.day
        rule = view.tickets.stands[1].rule
        concept = [
            a
            for a in view.drift.alarms
            if a.kind == "concept" and not a.muted and a.opened_on < view.day
        ]
        assert rule.threshold is None or not concept or "only the days after it" in rule.reason


@pytest.mark.slow
@pytest.mark.evidence
def test_nothing_is_automated_before_labels_are_shown_to_be_in(lived):
    first = next(i for i, view in enumerate(lived) if view.complete_days.newest)
    assert 2 <= first <= 8  # in the fifth week, or so
    for view in lived[:first]:
        assert view.tickets.decisions["ticket"] == 0 and view.tickets.coverage is None
    assert any(view.tickets.decisions["ticket"] for view in lived[first : first + 5])


@pytest.mark.slow
@pytest.mark.evidence
def test_the_drift_is_said_and_stays_said(lived):
    after = [view for view in lived if (view.day - DRIFT).days >= 8]
    assert after and all(drift_headline(view).state == "look" for view in after)
    assert performance_headline(lived[-1]).state == "look"
    before = [view for view in lived if view.day < DRIFT]
    assert not any(a.severity in ("high", "critical") for view in before for a in view.drift.alarms)


OWN = {  # the measurement that a pattern moves most; a ghost leaves traces in all three
    "gps_spoofing": {"gps_drift_meters"},
    "lateness_cover": {"gps_drift_meters"},
    "buddy_punching": {"face_recognition_confidence"},
    "ghost_shift": {
        "gps_drift_meters",
        "location_consistency_score",
        "face_recognition_confidence",
    },
}


@pytest.mark.slow
@pytest.mark.evidence
def test_the_first_reason_of_a_caught_fraud_is_what_its_pattern_moves(lived):
    log, model, caught = lived[-1].reader, lived[-1].model, []
    rows = log.rows(model, STORY.live, log.days(model)[-1], where="points >= threshold")
    done = check_ins(WORLD)[["event_id", "pattern"]]
    done = done.assign(prediction_id=model + ":" + done.event_id)
    rows = rows.merge(done, on="prediction_id")
    for version, alerts in rows[rows.pattern.isin(list(OWN))].groupby("version"):
        first = alert_reasons(log, model, version, alerts).reason_1
        caught += zip(alerts.pattern, first)
    assert len(caught) > 1000
    for pattern, own in OWN.items():
        named = [first in own for of, first in caught if of == pattern]
        assert len(named) > 100 and sum(named) / len(named) >= 0.75, pattern
    assert sum(first in OWN[of] for of, first in caught) / len(caught) >= 0.8


@pytest.mark.slow
@pytest.mark.evidence
def test_what_drifted_is_named_first(lived):
    "From the day of drift on new cameras recognise faces with less confidence."
    log, model = lived[-1].reader, lived[-1].model
    day = date(2025, 7, 7)
    (version, *_) = log.predictions_by_version(model, day).version
    moved = logged_shift(log, model, version, day)
    first = moved.parts.iloc[0]
    assert moved.first == "face_recognition_confidence" and first.lower > 0
    assert abs(moved.residual) < 1e-5


@pytest.mark.slow
@pytest.mark.evidence
@pytest.mark.parametrize("figure", ["precision", "recall", "brier"])
def test_the_bridge_names_calibration(lived, figure):
    """Of the first week and fortnight against the reference, of the fortnight against that before
    it: at equal scores other events were positive. A week of some 15 alerts a day against a week
    is too little to tell."""
    why = lived[-1].why
    weeks = [(DRIFT, DRIFT + timedelta(days)) for days in (6, 13)]
    told = [why.against_reference(figure, week) for week in weeks]
    told.append(why.against_before(figure, weeks[1]))
    assert [answer.bridge.ranked[0].factor for answer in told] == ["calibration"] * 3
