"""A table of why alerts fired."""

from collections.abc import Callable

import pandas as pd

from ...watch.view import View
from ...watch.words import number
from .table import Table, note

__all__ = ["reason_table"]


def reason_table(
    view: View,
    alerts: pd.DataFrame,
    reasons: pd.DataFrame,
    words: Callable[[pd.Series], str],
    limit: int = 15,
) -> Table:
    "The riskiest alerts with their reasons in words."
    if reasons.empty:
        return note(
            "no alerts to explain"
            if alerts.empty
            else "this version was trained elsewhere: its reasons are not known here"
        )
    top = alerts.head(limit)
    columns = {
        "entity": top.entity_id,
        "site": top.site_id,
        "score": top.probability.map(number),
        "reasons": [words(row) for _, row in reasons.head(limit).iterrows()],
    }
    return Table(pd.DataFrame(columns), ("site", "reasons"))
