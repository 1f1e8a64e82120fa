"""Scored and labelled rows that are not in the log: read from a file, written nowhere."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from .catalog import Reader
from .delivered import Read, read_rows
from .errors import StoreError
from .events import of_kind
from .reading import ReadOptions, shown
from .roles import FEATURE, Choice
from .values import infer

__all__ = ["reference_rows"]


def reference_rows(
    reader: Reader,
    path: str | Path,
    model: str,
    version: str,
    now: datetime,
    choice: Choice = Choice(),
    options: ReadOptions | None = None,
) -> tuple[pd.DataFrame, dict[str, str], tuple[str, ...]]:
    """The rows of a file as `Reader.rows` has those of the log (event_date, points, grid, label,
    `feature:...`), what each feature is, and what is to be said of how the file was read.

    `choice` names columns of predictions and of outcomes. StoreError when a row cannot be used: a
    reference that lacks some is another one.
    """
    path, options = Path(path), options or ReadOptions()
    if not path.is_file():
        raise StoreError(f"{shown(path)} is not a file.")
    constants = choice.constants | {"model": model, "version": version}
    scored = Choice(choice.mapping, constants, choice.features, choice.exclude)
    predictions = read_rows(path, "predictions", scored, reader.outcome_columns(), options)
    observed = {"observed_at": now.isoformat()}
    known = ("prediction_id", "label")
    told = Choice({k: v for k, v in choice.mapping.items() if k in known}, observed)
    outcomes = read_rows(path, "outcomes", told, {}, options)
    for read in (predictions, outcomes):
        _refuse_bad(path, read)
    labels = outcomes.canonical.set_index("prediction_id").label
    rows = predictions.canonical
    if rows.prediction_id.duplicated().any():
        twice = rows.prediction_id[rows.prediction_id.duplicated()].iloc[0]
        raise StoreError(f"{shown(path.name)} holds {twice} twice: each event is to be in it once.")
    kinds = _kinds(reader, model, rows, options)
    features = {FEATURE + f: of_kind(rows[FEATURE + f], kind) for f, kind in kinds.items()}
    day = rows.predicted_at.dt.tz_convert(ZoneInfo(reader.timezone)).dt.date
    label = rows.prediction_id.map(labels).astype(float)
    columns = {"event_date": day, "points": rows.points, "grid": rows.grid, "label": label}
    notes = (*predictions.notes, *_not_taken(predictions.roles, outcomes.roles).said())
    return pd.DataFrame(columns | features), kinds, notes


def _not_taken(scored, labelled):
    "What became of columns: labels are read beside scores, and options name model and version."
    told = {name: f"--{name} gives {name}" for name in ("model", "version")}
    left_out = {
        column: told.get(column, why)
        for column, why in scored.left_out.items()
        if column not in labelled.ours.values()
    }
    return replace(scored, left_out=left_out)


def _refuse_bad(path, read: Read):
    "StoreError names the first row that cannot be used."
    if len(read.rejects):
        first = read.rejects.iloc[0]
        raise StoreError(
            f"{shown(path.name)}, line {first.line}: {first.reason} ({len(read.rejects):,} such "
            "rows); a reference is taken whole or not at all."
        )
    if not len(read.canonical):
        raise StoreError(f"{shown(path.name)} holds no row with a score and a label.")


def _kinds(reader, model, rows, options):
    "What each feature of a file is: as the log knows it, else as its values are."
    known, words = reader.feature_kinds(model), options.null_words
    found = {}
    for column in rows:
        if column.startswith(FEATURE):
            name = column.removeprefix(FEATURE)
            inferred = infer(rows[column]) if words is None else infer(rows[column], {"", *words})
            found[name] = known.get(name) or inferred
    return {name: kind for name, kind in found.items() if kind}
