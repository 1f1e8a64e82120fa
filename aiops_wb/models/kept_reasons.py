"""Reasons of every alert of a day, made once and kept beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.reason_files import OfDay, ReasonCodes, ids_hash, read_codes, write_codes
from ..stats.points import as_points
from .explain import alert_reasons, contributions, decoded, faithfulness, reason_codes
from .registry import load
from .version import ModelVersion, logged_features

__all__ = ["Kept", "kept_reasons", "keep_reasons", "read_kept", "without_reasons"]

TOP = 3


@dataclass(frozen=True, eq=False)
class Kept:
    "What is kept of a day: codes, a row an alert, and the alerts they are of."

    codes: ReasonCodes
    features: list[str]
    threshold: int  # points; alerts are at or above it, or were called all the same
    ids: list[str]
    agreeing: int  # alerts whose contributions add up to the logged score, to two points

    def of(self, ids: Sequence[str]) -> ReasonCodes | None:
        "The codes of some alerts, in their order; None where one of them is not among those kept."
        place = {id_: i for i, id_ in enumerate(self.ids)}
        if not place.keys() >= set(ids):
            return None
        rows = np.array([place[id_] for id_ in ids], dtype=int)
        codes = self.codes
        return ReasonCodes(codes.place[rows], codes.push[rows], codes.rest[rows], codes.bias)

    def __repr__(self) -> str:
        return f"Kept({len(self.ids):,} alerts from {self.threshold} points, top {TOP})"


def read_kept(reader: Reader, of: OfDay) -> Kept | None:
    """What is kept of a day; None where nothing is, or the log's alerts are not those that were
    explained: rows were removed since."""
    found = read_codes(reader, of)
    if found is None:
        return None
    codes, about = found
    ids = _alerts(reader, of, about["threshold"], "prediction_id", batch=about["batch"])
    if ids_hash(ids) != about["ids"] or len(ids) != len(codes.rest):
        return None
    return Kept(codes, about["features"], about["threshold"], list(ids), about["agreeing"])


def _alerts(reader, of, threshold, columns, batch=None, as_of=None):
    "Rows at or above a threshold or called all the same, riskiest first; a column alone as such."
    where = f"(points >= {int(threshold)} OR route IN ('ticket', 'alert'))"
    where += "" if batch is None else f" AND batch_id <= {int(batch)}"
    alone = columns == "prediction_id"
    rows = reader.rows(
        of.model,
        of.day,
        of.day,
        version=of.version,
        as_of=as_of,
        where=where,
        columns="prediction_id, points" if alone else columns,
        labels=False,
    )
    if rows.empty:
        return pd.Series(dtype=object) if alone else rows
    ordered = rows.sort_values(["points", "prediction_id"], ascending=[False, True])
    return ordered.prediction_id if alone else ordered.reset_index(drop=True)


def keep_reasons(
    reader: Reader,
    of: OfDay,
    threshold: int,
    as_of: datetime | None = None,
    loaded: ModelVersion | None = None,
) -> Kept | None:
    """Explain every alert of a day by the version that scored it, and keep that beside the day;
    nothing is done where it is kept already. None without an alert.

    Alerts are at or above a threshold (points) as known at a time, or were called all the same.
    Needs the version's file: StoreError says where it is not here.
    """
    threshold = as_points(threshold)
    kept = read_kept(reader, of)
    if kept is None:
        return _made(reader, of, threshold, loaded)
    asked = _alerts(reader, of, threshold, "prediction_id", as_of=as_of)
    if kept.of(asked) is not None:
        return kept
    return _made(reader, of, min(threshold, kept.threshold), loaded)  # what is kept stays


def _made(reader, of, threshold, loaded):
    "The reasons of a day's alerts, explained now and written; None without an alert."
    batch = reader.known_batch()
    rows = _alerts(reader, of, threshold, "*", batch=batch)
    if rows.empty:
        return None
    version = loaded or load(reader, of.model, of.version)
    pushes = contributions(version, _features(reader, of.model, version.features, rows))
    codes, ids = reason_codes(pushes, TOP), list(rows.prediction_id)
    agreeing = int((np.abs(codes.points - rows.points.to_numpy(dtype=int)) <= 2).sum())
    about = {"threshold": int(threshold), "batch": batch, "ids": ids_hash(ids)}
    full = pushes.drop(columns="(bias)")
    told = about | {"agreeing": agreeing}
    write_codes(reader.con, reader.root, of, codes, told, ids, full)
    return Kept(codes, list(full), int(threshold), ids, agreeing)


def _features(reader, model, names, rows):
    "The features of rows of the log as a version takes them."
    return logged_features(reader, model, names, rows)


def kept_reasons(reader: Reader, of: OfDay, alerts: pd.DataFrame) -> pd.DataFrame:
    """Reasons of rows of a day as `explain.reasons` gives them, those that lowered a score behind
    those that raised it; rows in the order of `alerts`, pushes to 0.01 log-odds.

    Read where they are kept, made where they are not: for that the version's file is needed.
    """
    if alerts.empty:
        return alert_reasons(reader, of.model, of.version, alerts, TOP)
    kept = read_kept(reader, of)
    codes = kept.of(alerts.prediction_id) if kept else None
    if codes is not None:
        return decoded(codes, kept.features, _features(reader, of.model, kept.features, alerts))
    version = load(reader, of.model, of.version)
    features = _features(reader, of.model, version.features, alerts)
    return decoded(reason_codes(contributions(version, features), TOP), version.features, features)


def without_reasons(
    reader: Reader, of: OfDay, alerts: pd.DataFrame, reasons: pd.DataFrame, threshold: int
) -> pd.DataFrame:
    "`explain.faithfulness` of rows of a day with their reasons, by the version that scored them."
    threshold = as_points(threshold)
    if alerts.empty:
        return pd.DataFrame(columns=["reason", "alerts", "push", "drop", "below"])
    version = load(reader, of.model, of.version)
    features = _features(reader, of.model, version.features, alerts)
    usual = reader.reference_list(of.model, of.version)
    return faithfulness(version, features, reasons, usual, threshold)
