"""A picture of why alerts fired."""

import matplotlib as mpl
import pandas as pd

from .chart import BLUE, ORANGE, STYLE, Chart, all_empty, as_percent, panels, title

__all__ = ["reason_bars"]


@mpl.rc_context(STYLE)
def reason_bars(reasons: pd.DataFrame, top: int = 3, limit: int = 10) -> Chart:
    """Features among the top reasons of alerts.

    In how many alerts, and the mean push in log-odds when they are.
    """
    chart, axes = panels(1, 2, height=3.0, width=9.2, sharey=True)
    chart.about("Features among the reasons of the day's alerts")
    long = _one_below_the_other(reasons, top)
    if long.empty:
        all_empty(axes, "no alert has a reason to show")
        return chart
    by_feature = long.groupby("feature").push.agg(["size", "mean"])
    largest = by_feature.sort_values("size").tail(limit)
    shares, pushes = axes[0]
    shares.barh(largest.index, largest["size"] / len(reasons), color=BLUE)
    as_percent(shares.xaxis)
    title(shares, f"Among the top {top} reasons, share of alerts")
    pushes.barh(largest.index, largest["mean"], color=ORANGE)
    pushes.set_xlabel("log-odds", fontsize=8)
    title(pushes, "Mean push when a reason")
    for ax in axes.flat:
        ax.grid(axis="y", visible=False)
    return chart


def _one_below_the_other(reasons, top):
    "The first, second, ... reason of every alert as rows of feature and push."
    columns = [f"reason_{k + 1}" for k in range(top) if f"reason_{k + 1}" in reasons]
    pairs = [
        pd.DataFrame({"feature": reasons[c], "push": reasons[c.replace("reason", "push")]})
        for c in columns
    ]
    return pd.concat(pairs).dropna() if pairs else pd.DataFrame()
