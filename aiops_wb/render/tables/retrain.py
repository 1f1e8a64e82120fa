"""Tables of safeguards and of versions."""

from collections.abc import Sequence
from math import nan

import pandas as pd

from ...models.complete import held_out_words
from ...stats.retrain import Check
from ...watch.view import View
from ...watch.words import number
from ..vocabulary import metric
from .table import Table, note

__all__ = ["check_table", "version_table"]


def check_table(checks: Sequence[Check]) -> Table:
    "The safeguards."
    rows = [
        {
            "safeguard": check.name,
            "passes": "yes" if check.passed else "no",
            "what it saw": check.reason,
        }
        for check in checks
    ]
    return Table(pd.DataFrame(rows), ("passes", "what it saw"))


def version_table(view: View) -> Table:
    "Registered versions with their windows and held-out figures; which is active."
    versions = view.reader.versions(view.model, view.spoken_at)
    if versions.empty:
        return note("no version is registered: this model was trained elsewhere")
    active = view.reader.active_version(view.model, view.as_of)
    rows = [
        _version(view, version, card, version == active)
        for version, card in zip(versions.version, versions.card)
    ]
    return Table(pd.DataFrame(rows), ("state", "trained from", "held out", "held-out figures"))


def _version(view, version, card, active):
    first, last = card["window"]
    held_out = ("pr_auc", "roc_auc", "brier")
    return {
        "version": version,
        "state": "active" if active else "",
        "trained from": "elsewhere" if "adopted" in card else first,
        "held out": f"{card['held_out_from']} to {last}",
        "rows": "-" if "adopted" in card else f"{card['rows']:,}",
        "held-out figures": held_out_words(card),
        "threshold": number(view.probability(card["threshold"])),
    } | {metric(name).title: number(card["metrics"].get(name) or nan) for name in held_out}
