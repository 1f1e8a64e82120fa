"""Past alerts that the same features pushed by as much, and what became of them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.reason_files import OfDay, read_pushes
from .explain import nearest

__all__ = ["LOOKS_BACK", "Precedent", "in_short", "precedents"]

LOOKS_BACK = 28
"Days before an event on which past alerts are looked for."
SO_MANY = 5


class Precedent(NamedTuple):
    "A past alert with a label, and how far its contributions are from those of an event."

    prediction_id: str
    event_date: date
    entity_id: str | None
    positive: bool
    distance: float  # Euclidean, in log-odds

    def __str__(self) -> str:
        became = "positive" if self.positive else "negative"
        return f"{self.entity_id or self.prediction_id} on {self.event_date}: {became}"


def precedents(
    reader: Reader,
    model: str,
    version: str,
    pushes: pd.DataFrame,
    before: date,
    as_of: datetime | None = None,
    so_many: int = SO_MANY,
) -> list[list[Precedent]]:
    """For each row of contributions the past labelled alerts of the version with the nearest ones,
    nearest first; of equally near ones the newest.

    `pushes` has a column a feature, in log-odds. Past is before a day, at most 28 days; a label is
    one that was known at a time. Only alerts whose contributions are kept beside their day are
    found: none where no report was made yet.
    """
    past = _labelled(reader, model, version, list(pushes), before, as_of)
    if past.empty or pushes.empty:
        return [[] for _ in range(len(pushes))]
    places, far = nearest(pushes.to_numpy(), past[list(pushes)].to_numpy(), so_many)
    known = [
        (id_, day, None if pd.isna(entity) else str(entity), label == 1)
        for id_, day, entity, label in zip(
            past.index, past["(day)"], past["(entity)"], past["(label)"]
        )
    ]
    return [
        [Precedent(*known[at], float(off)) for at, off in zip(*near)] for near in zip(places, far)
    ]


def _labelled(reader, model, version, features, before, as_of):
    "Kept contributions of past alerts with a label: by prediction_id, oldest first."
    days = [before - timedelta(back) for back in range(LOOKS_BACK, 0, -1)]
    kept = read_pushes(reader, [OfDay(model, version, day) for day in days], features)
    if kept.empty:
        return kept
    rows = reader.labels_of(model, kept.index, days[0], days[-1], version, as_of)
    rows = rows.set_index("prediction_id").add_prefix("(").add_suffix(")")
    together = kept.join(rows[~rows.index.duplicated()], how="inner")
    order = np.lexsort((together.index, together["(day)"]))
    return together.iloc[order]


def in_short(near: Sequence[Precedent]) -> str:
    "What became of the past cases that are most like an event, in a sentence; empty without any."
    if not near:
        return ""
    positive = sum(one.positive for one in near)
    what = f"{positive} of the {len(near)}" if len(near) > 1 else "the one"
    were = "were positive" if len(near) > 1 else "was positive" if positive else "was negative"
    return (
        f"Of past alerts that were scored alike {what} nearest {were} ({'; '.join(map(str, near))})"
    )
