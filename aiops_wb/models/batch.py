"""Rows by the million, a batch of Arrow at a time: decided and explained by what is in force, here
or on the machines of a cluster, the same to the bit.

What goes to another process is what is in force with the model's file as bytes: nothing is fetched
there. Needs pyarrow, which the extra `[spark]` brings.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from .. import __version__
from ..log.errors import StoreError
from ..log.events import of_kind
from .arrow import pa
from .row_form import (
    DECIDED,
    NAMED,
    as_read,
    as_rows,
    explained_fields,
    feature_array,
    logged_fields,
)
from .scorer import Scorer

__all__ = ["Batches"]

_ASKED = ("site_id", "prediction_id")
"What a decision rests on beside features and tenant."


@dataclass(frozen=True, eq=False)
class Batches:
    """What decides and explains batches of rows: whatever stands in force, at a time.

    The features of a row are columns of their own, or fields of its `features`. Of a log: `kinds`
    is what they are there, `again` (feature -> prediction_id -> text) what stands in for values
    that could not be read, `unknown` those that were found to tell the outcome. Days are those of
    `zone`. Where an A/B test runs, what stands decides all of them: arms are drawn as events come.
    """

    scorer: Scorer
    at: datetime | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    again: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    zone: str = "UTC"

    def __post_init__(self):
        object.__setattr__(self, "scorer", replace(self.scorer, test=None, arms={}))

    def decided(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        "Each batch with the columns of `Scorer.decide` behind its own."
        for batch in batches:
            if batch.num_rows:
                told = self._decide(batch)
                yield _beside(batch, [_column(told[f.name], f.type) for f in DECIDED], DECIDED)

    def explained(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        "Each batch with its contributions (log-odds) behind its own columns: a struct, and a bias."
        fields = explained_fields(self.scorer.version)
        for batch in batches:
            if batch.num_rows:
                yield _beside(batch, self._explain(batch, fields), fields)

    def logged(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        "Rows as day files of the log hold them; StoreError where one has no id or no time."
        version = self.scorer.version
        same = {"model": version.model, "version": version.version, "grid": version.grid.name}
        same |= {"threshold": self.scorer.threshold, "decided_by": "service"}
        same |= {"calibration_id": self.scorer.calibration_id}
        for batch in self._rows(batches):
            told, fields = self._decide(batch), logged_fields(batch.schema, version)
            made = [_logged(field, batch, told, same) for field in fields]
            yield pa.RecordBatch.from_arrays(made, schema=fields)

    def pushes(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        "The contributions of rows by their ids and days; StoreError as in `logged`."
        fields = explained_fields(self.scorer.version)
        for batch in self._rows(batches):
            yield _beside(batch.select(NAMED), self._explain(batch, fields), fields)

    def packed(self, what: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        """One of these by its name, for batches whose rows are structs in their only column: Spark
        hands columns over by names, and cannot do that with every name."""
        return partial(_unpacked, getattr(self, what))

    def features(self, batch: pa.RecordBatch) -> pd.DataFrame:
        "The features of rows, as a version is asked of the log; those that are not there miss."
        names = self.scorer.version.features
        return pd.DataFrame({name: self._feature(batch, name) for name in names})

    def _rows(self, batches):
        "Rows in one form, whatever they were read from."
        for batch in batches:
            for name in ("prediction_id", "predicted_at"):
                if batch.column(name).null_count:
                    raise StoreError(f"{name} is missing in a row: each needs one.")
            if batch.num_rows:
                yield as_rows(batch, self.scorer.version, self.zone)

    def _feature(self, batch, name):
        stored = None if name in self.unknown else feature_array(batch, name)
        if stored is None:
            return pd.Series(np.nan, index=range(batch.num_rows))
        column = as_read(stored, name in self.scorer.version.card["categories"])
        if instead := self.again.get(name):
            texts = pd.Series(batch.column("prediction_id").to_pylist()).map(instead)
            column = column.astype(object).where(texts.isna(), texts)
        return of_kind(column, self.kinds.get(name))

    def _decide(self, batch) -> pd.DataFrame:
        "Decisions on the rows of a batch, those of a tenant together."
        features, held = self.features(batch), batch.schema.names
        told = {n: np.array(batch.column(n).to_pylist(), dtype=object) for n in _ASKED if n in held}
        if not self.scorer.own or "tenant" not in held:
            return self.scorer.decide(features, self.at, **told)
        tenants, parts = pd.Series(batch.column("tenant").to_pylist(), dtype=object), []
        for tenant, here in tenants.groupby(tenants).indices.items():
            some = {name: values[here] for name, values in told.items()}
            parts.append(self.scorer.decide(features.iloc[here], self.at, tenant=tenant, **some))
        return pd.concat(parts).sort_index()

    def _explain(self, batch, fields):
        "The columns of an explanation."
        pushes = self.scorer.version.contributions(self.features(batch))
        *of_features, bias = (pa.array(pushes[name].to_numpy()) for name in pushes)
        return [pa.StructArray.from_arrays(of_features, fields=list(fields[0].type)), bias]

    def __getstate__(self) -> dict[str, Any]:
        "What goes to another process: the model's file as bytes."
        version = self.scorer.version
        booster = version.booster
        alone = replace(self.scorer, version=replace(version, booster=None, reference=None))
        told = self.__dict__ | {"scorer": alone, "made_by": _software()}
        told |= {name: dict(getattr(self, name)) for name in ("kinds", "again")}
        return told | {"file": booster and bytes(booster.save_raw("ubj"))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        "There: StoreError where other software would score."
        state = dict(state)
        file, made_by, own = state.pop("file"), state.pop("made_by"), _software()
        if own != made_by:
            raise StoreError(f"{own} are installed there, and the rows are asked of {made_by}.")
        if file:
            booster = xgb.Booster(model_file=bytearray(file))
            version = replace(state["scorer"].version, booster=booster)
            state["scorer"] = replace(state["scorer"], version=version)
        self.__dict__.update(state)


def _unpacked(work, batches):
    return work(pa.RecordBatch.from_struct_array(batch.column(0)) for batch in batches)


def _logged(field, batch, told, same):
    "A column of the log's form."
    if field.name in batch.schema.names:
        return batch.column(field.name)
    if field.name in told:
        return _column(told[field.name], field.type)
    return pa.repeat(pa.scalar(same.get(field.name), field.type), batch.num_rows)


def _column(values, kind):
    return pa.array(values.to_numpy(), kind, from_pandas=True)


def _beside(batch, columns, fields):
    "A batch with further columns."
    schema = pa.schema([*batch.schema, *fields])
    return pa.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema)


def _software():
    "What the bits of a score rest on, in words."
    packages = {"aiops_wb": __version__, "xgboost": xgb.__version__, "numpy": np.__version__}
    return ", ".join(f"{name} {version}" for name, version in packages.items())
