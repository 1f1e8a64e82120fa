"""Tables of what other thresholds would have done."""

from collections.abc import Sequence

import pandas as pd

from ...stats.performance import confusion
from ...watch.view import View
from ...watch.words import number
from ..table import Table, note
from ..vocabulary import metric

__all__ = ["simulation_table", "threshold_table"]


def simulation_table(view: View) -> Table:
    "The candidate against the threshold in force."
    candidate = view.other_thresholds.candidate
    if candidate is None:
        return note(
            f"no labelled positive in the 30 days to {view.other_thresholds.through:%-d %B}"
        )
    scores = view.probability(candidate), view.probability(view.threshold)
    rows = [("Threshold (score)", *map(number, (*scores, scores[0] - scores[1])))]
    rows += [_replayed(*row) for row in view.other_thresholds.simulate(candidate).table.items()]
    if told := view.selective.of_candidate(candidate):
        rows.append((told, "", "", ""))
    return Table(pd.DataFrame(rows, columns=["30 days", "candidate", "in force", "difference"]))


def _replayed(name, values):
    "A figure under both thresholds, and their difference."
    counts = {
        "alerts": "Events at or above it",
        "alerts_per_day": "a day",
        "tp": f"{metric('tp').title} (labelled)",
        "fp": f"{metric('fp').title} (labelled)",
    }
    if name in counts:
        return counts[name], *(f"{value:,.0f}" for value in values)
    return metric(name).title, *(number(value) for value in values)


def threshold_table(
    view: View, scores: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
) -> Table:
    "What each of some thresholds would have done over the replayed days."
    counts = view.other_thresholds.counts
    return Table(pd.DataFrame([_at(view, counts, score) for score in scores]))


def _at(view, counts, score):
    threshold = int(view.grid.quantise(score))
    alerts, cells = counts.at_or_above(threshold)[0], confusion(counts, threshold)
    return {
        "threshold": f"{score:g}",
        "alerts a day": f"{alerts / view.other_thresholds.days_replayed:,.0f}",
        "caught in 30 days": f"{cells.tp:,}",
        "false in 30 days": f"{cells.fp:,}",
    } | dict(_rates(view.selective, cells, threshold))


def _rates(selective, cells, threshold):
    "What is known of a threshold: by all labels, or weighted where only some come by chance."
    known = selective.at([threshold])
    for name in ("precision", "recall", "fpr"):
        told = number(getattr(cells, name).value)
        if known is not None:
            yield f"{metric(name).column}, weighted", number(getattr(known, name)[0, 0])
        elif selective.unknown and (name != "precision" or threshold < selective.blind.below):
            yield metric(name).column, "unknown"
        else:
            yield metric(name).column, told
