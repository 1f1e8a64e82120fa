"""Tables of why alerts fired: the riskiest in the page, all of them beside it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from ...watch.view import View
from ...watch.words import number, percent
from .table import Table, Whole, note

if TYPE_CHECKING:  # it needs an extra
    from ...models.differences import Difference

__all__ = ["faithfulness_table", "reason_table", "shift_table"]

IN_PAGE = 200


def reason_table(
    view: View,
    alerts: pd.DataFrame,
    reasons: pd.DataFrame,
    words: Callable[..., str],
    limit: int = IN_PAGE,
) -> Table:
    """The riskiest alerts with their reasons in words, by the plain names of features.

    Every alert stands in a file and a page of its own beside this one.
    """
    if reasons.empty:
        return note(
            "no alerts to explain"
            if alerts.empty
            else "this version was trained elsewhere: its reasons are not known here"
        )
    called = view.reader.feature_names(view.model, view.as_of)
    columns = {
        "entity": alerts.entity_id,
        "site": alerts.site_id,
        "score": alerts.probability.map(number),
        "reasons": [words(row, names=called) for row in reasons.to_dict("records")],
    }
    told = pd.DataFrame(columns)
    exact = reasons.drop(columns="bias").reset_index(drop=True)
    named = alerts[["prediction_id", "predicted_at", "entity_id", "site_id", "points", "label"]]
    whole = pd.concat([named.reset_index(drop=True), exact, told[["reasons"]]], axis=1)
    return Whole(
        told.head(limit), ("site", "reasons"), told, whole.assign(bias=reasons.bias.values)
    )


def faithfulness_table(removed: pd.DataFrame) -> Table:
    "What became of scores without their first, second and third reason (`explain.faithfulness`)."
    known = removed[removed.alerts > 0]
    if known.empty:
        return note("there is no reason to take away")
    columns = {
        "without the": known.reason.map({1: "first reason", 2: "second", 3: "third"}),
        "alerts": known.alerts,
        "said to add": known.push.map(lambda x: number(x, 2)),
        "score falls by": known["drop"].map(lambda x: number(x, 2)),
        "below the threshold then": known.below.map(percent),
    }
    return Table(pd.DataFrame(columns))


def shift_table(told: "Difference | str | None", limit: int = 10) -> Table:
    "What moved the scores (`explain_shift`), why that is not known, or None: nothing is asked."
    if told is None:
        return note(
            "what moved the scores is asked in the first week of an alarm; "
            "'aiops-wb drift explain' says it on any other day"
        )
    if isinstance(told, str) or told.first is None:
        return note(f"what moved the scores is not known: {told}")
    signed = lambda x: "-" if pd.isna(x) else f"{x:+.3f}"
    parts = told.parts.head(limit)
    columns = {"feature": parts.feature}
    columns |= {name: parts[name].map(signed) for name in ("part", "lower", "upper")}
    sums = {"all features": told.parts.part.sum(), "scores moved by": told.total}
    ends = [{"feature": name, "part": signed(x)} for name, x in sums.items()]
    ends.append({"feature": "residual", "part": f"{told.residual:.0e}"})
    return Table(pd.concat([pd.DataFrame(columns), pd.DataFrame(ends)]).fillna(""))
