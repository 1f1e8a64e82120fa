"""A picture of challenger against champion."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd

from .chart import GREEN, INK, ORANGE, STYLE, Chart, dates, empty, panels

__all__ = ["challenge_bars"]


@mpl.rc_context(STYLE)
def challenge_bars(differences: Mapping[str, float], champion: str, challenger: str) -> Chart:
    "Mean log loss difference of each day, challenger - champion (nats per event)."
    chart, axes = panels(height=2.6)
    ax = axes[0, 0]
    if not differences:
        empty(ax, "no challenger was compared yet")
        return chart
    days, values = pd.to_datetime(list(differences)), np.array(list(differences.values()))
    ax.bar(days, values, color=np.where(values < 0, GREEN, ORANGE), width=0.8)
    ax.axhline(0, color=INK, lw=1)
    ax.set(
        title=f"Log loss of {challenger} minus {champion}, by day "
        "(below zero: the challenger is better)",
        ylabel="nats per event",
    )
    ax.title.set_size(9.5)
    dates(ax)
    return chart
