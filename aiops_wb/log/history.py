"""A history brought in as it was known: predictions at their time, labels at `observed_at`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from .checks import reject_foreign, reject_future
from .columns import COLUMNS
from .day_files import write_day_files
from .duck import parquet
from .errors import StoreError
from .ingest import AtOnce, Ingested, feature_types, load_file, read_file
from .reading import ReadOptions
from .roles import Choice
from .store import Store

__all__ = ["choices", "import_history"]


def choices(
    model: str,
    mapping: Mapping[str, str],
    constants: Mapping[str, str],
    features: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    outcome_mapping: Mapping[str, str] | None = None,
    together: bool = False,
) -> dict[str, Choice]:
    """What was said of the file of predictions and of that of outcomes; `together`: they are one.

    The same words serve for both, but where a column is called otherwise in the file of outcomes
    (`outcome_mapping`), and for `event_key`: labels that are told of events say so there.
    StoreError for a name that neither has.
    """
    known = {name for columns in COLUMNS.values() for name in columns}
    for name in (*constants, *mapping, *(outcome_mapping or {})):
        if name not in known:
            raise StoreError(f"{name!r} cannot be set or mapped: choose from {', '.join(known)}.")
    if constants.get("model", model) != model:
        raise StoreError(f"--model {model} and --set model={constants['model']} are two models.")
    told = {}
    for kind, columns in COLUMNS.items():
        read = set(columns) - (_not_shared(outcome_mapping or {}) if kind == "outcomes" else set())
        own = mapping if together else {n: c for n, c in mapping.items() if n in read}
        given = {name: value for name, value in constants.items() if name in columns}
        told[kind] = Choice(dict(own), given)
    predictions, outcomes = told["predictions"], told["outcomes"]
    only = None if features is None else tuple(features)
    return {
        "predictions": Choice(
            predictions.mapping, predictions.constants | {"model": model}, only, tuple(exclude)
        ),
        "outcomes": Choice(outcomes.mapping | (outcome_mapping or {}), outcomes.constants),
    }


def _not_shared(outcome_mapping):
    "What the words for predictions do not say of a file of outcomes as well."
    # a file of labels alone rarely says when their predictions were made, and need not; one that
    # names events is said to, and has no ids then unless that is said, too
    by_event = "event_key" in outcome_mapping and "prediction_id" not in outcome_mapping
    return {"predicted_at", "event_key", *(["prediction_id"] if by_event else [])}


class _AsKnown(AtOnce):
    "Rows of one model that are known since their nights."

    def __init__(self, model, now, shown, cuts):
        super().__init__(cuts, model)
        self.now, self.shown = now, shown
        self.batches, self.first = pd.DataFrame(), {}

    def reject(self, store, kind, source):
        if kind == "predictions":
            reject_future(store.con, source, self.now)
        else:
            reject_foreign(store, self.model)

    def write(self, store, kind, groups):
        if kind == "predictions":
            source = parquet(
                [path for paths in groups.values() for path in paths],
                filename=True,
                file_row_number=True,
            )
            self.batches = store.place_predictions(source, self.now, self.model)
        else:
            self.batches = store.place_outcomes(self.now, self.model)
        self.first = store.first_batches(kind)
        first = store.known_batch() + 1
        files = write_day_files(store, kind, groups, first, self.cuts, by_night=True)
        # labels that wait stand under the batch that names the columns of their file
        of_day = self.first | {None: first}
        return files.assign(batch_id=[of_day[day] for day in files.event_date])

    def write_told(self, store):
        files = super().write_told(store)
        return files.assign(batch_id=[self.first[day] for day in files.event_date])

    def commit(self, store, kind, now, owner, *, loaded, **told):
        batches = self.batches
        if not loaded:  # known when it is brought in: rows that were rejected
            batches = pd.DataFrame({"batch_id": [store.known_batch() + 1], "loaded": [0]})
        if loaded or len(told["quarantine"]) or _are_new(store, told["outcome_columns"]):
            store.commit_nights(kind, now, owner, self.model, batches, shown=self.shown, **told)
        for table in ("nights", "known_rows"):
            store.con.execute(f"DROP TABLE IF EXISTS {table}")

    def by_batch(self, batch, rows):
        return [(self.first[day.date()], part) for day, part in rows.groupby("event_date")]


def _are_new(store, columns):
    "Whether some of these columns (model, column, role) were not known to be outcomes."
    known = store.outcome_columns()
    return any(column.casefold() not in known.get(model, {}) for model, column, _ in columns)


def import_history(
    store: Store,
    now: datetime,
    owner: str,
    model: str,
    files: Mapping[str, Path],
    chosen: Mapping[str, Choice],
    options: ReadOptions | None = None,
    shown: Callable[[Sequence], Iterable] = iter,
) -> dict[str, Ingested]:
    """Load files of predictions and of outcomes of one model as if each night had taken in what it
    brought; returns what was done by kind.

    A prediction is known since the end of its day in the log's zone, a label since the end of the
    day on which it was observed, nothing later than `now`. `shown` passes on the parts of the
    counting, a progress bar say. Each kind is committed as a whole: an import that was stopped
    goes on when it is given again, and one that brings nothing new leaves no trace. StoreError when
    a file cannot be used at all: then nothing is loaded.
    """
    options = options or ReadOptions()
    types = feature_types(store, now, owner, options)
    read = {k: read_file(store, files[k], k, chosen[k], types, options) for k in COLUMNS}
    known = _AsKnown(model, now, shown, options.risk_cuts)
    return {
        kind: load_file(store, now, owner, kind, delivered, types, options, known)
        for kind, delivered in read.items()
    }
