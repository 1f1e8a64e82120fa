"""A replay that is taken up again reads fewer events, and they are the same ones."""

from datetime import date, timedelta

import pandas as pd
import pytest

from aiops_wb.examples.stories import STORIES


@pytest.mark.parametrize("since", [date(2013, 2, 3), date(2013, 3, 12)])
def test_events_from_a_day_on_are_those_of_the_whole_story(since):
    story, until = STORIES["flights"], date(2013, 3, 15)
    whole, part = story.events(until, None), story.events(until, since)
    night = pd.Timestamp(story.night(since - timedelta(1)))
    for one, rows in whole.items():
        wanted = rows[(rows.scored_on >= since) | (rows.known_at > night)]
        kept = part[one][part[one].prediction_id.isin(wanted.prediction_id)]
        assert len(part[one]) < len(rows) and len(wanted) > 1000
        pd.testing.assert_frame_equal(kept.reset_index(drop=True), wanted.reset_index(drop=True))
