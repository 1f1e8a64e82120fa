"""A picture of a period that was lived again."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ...stats.recipes import NEVER, Gain, Lost
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

__all__ = ["lived_again", "trained_again"]

COLOURS = (BLUE, ORANGE, GREEN, RED, GREY)
WEEKS_FROM = 60
"Longer periods are drawn by weeks."


@mpl.rc_context(STYLE)
def lived_again(policies: Sequence[Became], against: Became | None = None) -> Chart:
    """Tickets, reviews, missed positives and false tickets over days, or over the whole weeks of a
    longer period; at most five policies, and what they are compared with."""
    chart, axes = panels(2, 2, height=2.3, width=9.2, sharex=True)
    chart.about("What each policy would have done: tickets, reviews, missed and false tickets")
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
        ax.set_ylabel("events", fontsize=8)
        dates(ax)
        title(ax, f"{words} a {'week' if by_week else 'day'}")
    lines = axes[0, 0].get_lines()
    names = [in_short(one.name) for one, _ in shown]
    chart.legend(lines, names, loc="outside upper center", ncols=len(names))
    return chart


@mpl.rc_context(STYLE)
def trained_again(lost: Lost, gains: Sequence[Gain], unit: str = "nats") -> Chart:
    """What each retraining policy has lost less than never, summed week by week; and the mean of an
    event with the intervals that hold for all at once."""
    chart, (axes,) = panels(1, 2, height=2.8, width=9.2)
    chart.about(f"What retraining saved beside never, in {unit}")
    over_time, means = axes
    names = [name for name in lost.of if name != NEVER]
    for name, colour in zip(names, COLOURS):
        weeks = lost.paired(name).blocks()
        saved = np.cumsum([week.gain * week.n for week in weeks])
        ends = pd.to_datetime([week.last for week in weeks])
        over_time.plot(ends, saved, color=colour, label=in_short(name))
    over_time.axhline(0, color=INK, lw=1)
    over_time.set_ylabel(f"{unit} less than never")
    title(over_time, "Saved so far")
    if not len(lost.days):
        all_empty(axes, "no day's labels are in")
        return chart
    dates(over_time)
    over_time.legend(loc="best")
    _intervals(means, gains, unit)
    return chart


def _intervals(ax, gains, unit):
    "Mean gains with their intervals, one below the other."
    for place, (gain, colour) in enumerate(zip(gains, COLOURS)):
        ax.plot([gain.lower, gain.upper], [place, place], color=colour, lw=2)
        ax.plot(gain.gain, place, "o", color=colour)
    ax.axvline(0, color=INK, lw=1)
    ax.set_yticks(range(len(gains)), [in_short(gain.name) for gain in gains])
    ax.set_ylim(len(gains) - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(f"{unit} less per event than never")
    title(ax, "Gain, 95 % of all at once")


def _over_time(one, name, by_week):
    "A column summed over versions, by day or by whole week."
    values = one.days.groupby(pd.to_datetime(one.days.day))[name].sum().astype(np.float64)
    if not by_week:
        return values
    weeks = values.resample("W-MON", label="left", closed="left").sum()
    six_days = pd.Timedelta(days=6)
    whole = (weeks.index >= values.index[0]) & (weeks.index + six_days <= values.index[-1])
    return weeks[whole]
