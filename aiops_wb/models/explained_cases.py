"""Why events became cases, in words: their reasons, and what became of past alerts like them."""

import pandas as pd

from ..log.catalog import Reader
from .explain import contributions, decoded, in_words, reason_codes
from .precedents import in_short, precedents
from .registry import load
from .version import ModelVersion, logged_features

__all__ = ["explained_cases"]


def explained_cases(
    reader: Reader,
    model: str,
    version: str,
    rows: pd.DataFrame,
    loaded: ModelVersion | None = None,
) -> list[tuple[list[str], str, str | None]]:
    """For each row of the log its reasons, by the plain names of features, a sentence on what
    became of the past alerts that were scored most alike (empty where none is known), and the
    feature of its first reason (None where nothing raised its score).

    The version's file is needed (StoreError), unless it is `loaded`.
    """
    scored_by = loaded or load(reader, model, version)
    features = logged_features(reader, model, scored_by.features, rows)
    pushes = contributions(scored_by, features)
    called = reader.feature_names(model)
    told = decoded(reason_codes(pushes), scored_by.features, features)
    first_reasons = [first if isinstance(first, str) else None for first in told["reason_1"]]
    words = [in_words(row, names=called) for row in told.to_dict("records")]
    alike = pd.Series("", index=rows.index, dtype=object)
    for day, of_day in pushes.drop(columns="(bias)").groupby(rows.event_date):
        near = precedents(reader, model, version, of_day, pd.Timestamp(day).date())
        alike[of_day.index] = [in_short(one) for one in near]
    return [([word], said, first) for word, said, first in zip(words, alike, first_reasons)]
