"""Tables of safeguards and guards, of versions, and of where two of them differ."""

from collections.abc import Mapping, Sequence
from math import nan

import pandas as pd

from ...models.complete import held_out_words
from ...stats.evidence import LEAST_BLOCKS, Comparison
from ...stats.points import Grid
from ...stats.retrain import Check
from ...watch.view import View
from ...watch.words import number
from ..table import Table, note
from ..vocabulary import metric

__all__ = ["check_table", "challenger_segments", "version_table"]


def check_table(checks: Sequence[Check], of: str = "safeguard", none: str = "") -> Table:
    "Checks, whether each passes and what it saw; `none` is said where there is none."
    if not checks:
        return note(none)
    rows = [
        {
            of: check.name,
            "passes": "yes" if check.passed else "no",
            "what it saw": check.reason,
        }
        for check in checks
    ]
    return Table(pd.DataFrame(rows), ("passes", "what it saw"))


def challenger_segments(segments: Mapping[str, tuple[int, Comparison]]) -> Table:
    "Where a challenger is better or worse: tenants and sites with four weeks of labels, by gain."
    rows = [
        {
            "tenant or site": name,
            "labelled events": f"{events:,}",
            "weeks": f"{told.blocks}",
            "gain per event": f"{told.gain:+.4f}",
            "95 % interval": f"{told.lower:+.4f} to {told.upper:+.4f}",
        }
        for name, (events, told) in sorted(segments.items(), key=lambda one: one[1][1].gain)
        if told.blocks >= LEAST_BLOCKS
    ]
    if not rows:
        return note("no tenant or site has four weeks of labels yet")
    return Table(pd.DataFrame(rows))


def version_table(view: View) -> Table:
    "Registered versions with their windows and held-out figures; which is active."
    versions = view.reader.versions(view.model, view.spoken_at)
    if versions.empty:
        return note("no version is registered: this model was trained elsewhere")
    reader, known = view.reader, (view.model, view.as_of)
    states = {reader.previous(*known): "active before"}
    states |= dict.fromkeys(reader.challengers(*known), "in the shadow")
    states |= {reader.active_version(*known): "active"}
    rows = [
        _version(version, Grid.parse(grid), card, states.get(version, ""))
        for version, grid, card in zip(versions.version, versions.grid, versions.card)
    ]
    return Table(pd.DataFrame(rows), ("state", "trained from", "held out", "held-out figures"))


def _version(version, grid, card, state):
    first, last = card["window"]
    held_out = ("pr_auc", "roc_auc", "brier")
    return {
        "version": version,
        "state": state,
        "trained from": "elsewhere" if "adopted" in card else first,
        "held out": f"{card['held_out_from']} to {last}",
        "rows": "-" if "adopted" in card else f"{card['rows']:,}",
        "held-out figures": held_out_words(card),
        "threshold": number(float(grid.inverse(card["threshold"]))),
    } | {metric(name).title: number(card["metrics"].get(name) or nan) for name in held_out}
