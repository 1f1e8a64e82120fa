"""A picture of a period that was lived again."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd

from ...watch.became import Became
from .chart import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    STYLE,
    Chart,
    all_empty,
    dates,
    in_short,
    panels,
    title,
)

__all__ = ["lived_again"]

COLOURS = (BLUE, ORANGE, GREEN, RED, GREY)
WEEKS_FROM = 60
"Longer periods are drawn by weeks."


@mpl.rc_context(STYLE)
def lived_again(policies: Sequence[Became], against: Became | None = None) -> Chart:
    """Tickets, reviews, missed positives and false tickets over days, or over the whole weeks of a
    longer period; at most five policies, and what they are compared with."""
    chart, axes = panels(2, 2, height=2.3, width=9.2, sharex=True)
    shown = [*zip(policies[: len(COLOURS)], COLOURS), *([(against, INK)] if against else [])]
    if not any(len(one.days) for one, _ in shown):
        all_empty(axes, "no events")
        return chart
    by_week = len(set(policies[0].days.day)) > WEEKS_FROM
    for ax, name, words in zip(
        axes.flat,
        ("tickets", "reviews", "missed", "false"),
        ("Tickets", "Alerts to review", "Positives missed", "False tickets"),
    ):
        for one, colour in shown:
            values = _over_time(one, name, by_week)
            if len(values):  # the last step is as wide as the others
                values.loc[values.index[-1] + pd.Timedelta(days=7 if by_week else 1)] = values.iloc[
                    -1
                ]
            dashed = "--" if one is against else "-"
            ax.step(values.index, values, where="post", color=colour, ls=dashed, lw=1.5)
        ax.set_ylim(0, max(1.0, ax.get_ylim()[1]))
        dates(ax)
        title(ax, f"{words} a {'week' if by_week else 'day'}")
    lines = axes[0, 0].get_lines()
    names = [in_short(one.name) for one, _ in shown]
    chart.legend(lines, names, loc="outside upper center", ncols=len(names))
    return chart


def _over_time(one, name, by_week):
    "A column summed over versions, by day or by whole week."
    values = one.days.groupby(pd.to_datetime(one.days.day))[name].sum().astype(np.float64)
    if not by_week:
        return values
    weeks = values.resample("W-MON", label="left", closed="left").sum()
    six_days = pd.Timedelta(days=6)
    whole = (weeks.index >= values.index[0]) & (weeks.index + six_days <= values.index[-1])
    return weeks[whole]
