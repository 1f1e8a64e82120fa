"""April to December of the flights: the season's drift is told, its features named; a copy with the
same rows on random days is silent.
"""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from aiops_wb.config import Settings
from aiops_wb.examples.flights import SCHEDULE, WEATHER, ZONE, events
from aiops_wb.models.training import train
from aiops_wb.stats.points import Grid
from aiops_wb.watch.alarms import Observed, count_rows, follow_version

FEATURES = [*SCHEDULE, *WEATHER]
LIVE = date(2013, 4, 1)


def observed(rows: pd.DataFrame) -> Observed:
    """Train on January to March, score the rest, count: what a year of daily runs would have
    counted.
    """
    named = (
        rows[FEATURES]
        .add_prefix("feature:")
        .assign(label=rows.late, event_date=pd.to_datetime(rows.day))
    )
    past = (rows.day < LIVE).to_numpy()
    trained, held = train(named[past & rows.late.notna().to_numpy()], "late", "v1", rounds=30)
    live = rows[~past].rename(columns={"late": "label"})
    return count_rows(
        live,
        Grid().quantise(trained.score(live[FEATURES])),
        trained.card["bins"],
        trained.reference,
        held,
    )


@pytest.fixture(scope="module")
def flights():
    rows = events("2013-01-01", "2013-12-31").dropna(subset=["scheduled_at"]).reset_index(drop=True)
    return rows.assign(day=rows.scheduled_at.dt.tz_convert(ZoneInfo(ZONE)).dt.date)


@pytest.mark.slow
def test_the_season_is_told_and_the_features_that_carry_it(flights):
    seen = observed(flights)
    june = follow_version(seen, date(2013, 6, 30), Settings())
    carried = {a.stream: a for a in june.alarms}
    assert (
        {"temp", "dewp"} <= set(carried)
        and carried["temp"].kind == "covariate"
        and carried["temp"].severity == "critical"
    )
    assert {f.name for f in june.shifts[:2]} == {"temp", "dewp"} and june.shifts[0].practical(0.5)
    december = follow_version(seen, date(2013, 12, 31), Settings())
    calibration = [q.stream.name for q in december.questions].index("calibration")
    assert carried["temp"].since.month == 4
    # its 18 reference days differ by .7 logits of their own: storms are days like others
    assert not december.followed.open[:, calibration].any()
    missing = {a.stream: a for a in december.alarms if a.kind == "data quality"}
    assert {"temp", "visib"} <= set(missing)
    # the weather of the last two days is not in the source
    assert missing["temp"].since == date(2013, 12, 30)
    assert any("not independent" in c for c in december.caveats)


@pytest.mark.slow
def test_the_same_rows_on_random_days_are_silent(flights):
    days = np.array(sorted(flights.day.unique()), dtype=object)
    mixed = flights.assign(day=days[np.random.default_rng(0).integers(0, len(days), len(flights))])
    seen = follow_version(observed(mixed), date(2013, 12, 31), Settings())
    assert not seen.followed.open.any() and seen.followed.evidence.max() < np.log(1)
    assert not any(f.practical(0.02) for f in seen.shifts)
