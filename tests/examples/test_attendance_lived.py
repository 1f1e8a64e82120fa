"""The attendance demo, lived through: what its pages say on nights before and after its drift."""

from datetime import date

import pytest

from aiops_wb.config import Settings
from aiops_wb.examples.demo import demo
from aiops_wb.examples.stories import STORIES
from aiops_wb.log.catalog import open_snapshot
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
    waiting = [view for view in lived if view.complete_days.newest is None]
    assert waiting and lived[0] in waiting
    for view in waiting:
        assert view.tickets.decisions["automated"] == 0 and view.tickets.coverage is None


@pytest.mark.slow
@pytest.mark.evidence
def test_the_drift_is_said_and_stays_said(lived):
    after = [view for view in lived if (view.day - DRIFT).days >= 8]
    assert after and all(drift_headline(view).state == "look" for view in after)
    assert performance_headline(lived[-1]).state == "look"
    before = [view for view in lived if view.day < DRIFT]
    assert not any(a.severity in ("high", "critical") for view in before for a in view.drift.alarms)
