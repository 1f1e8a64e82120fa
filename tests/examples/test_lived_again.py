"""The demos, lived again: every recorded decision is what should have stood."""

import pytest

from aiops_wb.config import Settings
from aiops_wb.examples.demo import demo
from aiops_wb.examples.stories import STORIES
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.replay.period import replay


@pytest.mark.slow
@pytest.mark.evidence
@pytest.mark.parametrize("name", STORIES)
def test_a_whole_demo_is_replayed_without_a_mismatch(name, tmp_path):
    story, settings = STORIES[name], Settings(data=tmp_path / "data")
    demo(settings.data, tmp_path / "reports", settings, story=story, report_days=0)
    told = settings.model_copy(update=story.settings)
    tickets = 0
    with open_snapshot(settings.data) as log:
        for one in story.models:
            of = replay(log, one.model, story.live, story.until, [], told, against="actual")
            assert of.mismatches.n == 0 and of.mismatches.decided == of.against.totals["events"]
            assert of.policies[0].totals == of.against.totals
            tickets += of.against.totals["tickets"]
    assert tickets > 500
