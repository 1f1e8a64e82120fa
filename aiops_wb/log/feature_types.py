"""Features of delivered rows as what they are: the kinds of a model's features while files come
in, and how each file is brought to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from .delivered import Delivered
from .duck import identifier, literal, parquet, target
from .feature_schema import ENOUGH_DAYS, ENOUGH_VALUES
from .features import NUMBERS, stored_types
from .numbers import spelling_of
from .store import Store
from .values import infer, typed, wider

__all__ = ["FeatureTypes", "take_as_stored"]

_POSSIBLE = (
    "predicted_at BETWEEN TIMESTAMPTZ '1900-01-01 00:00Z' AND TIMESTAMPTZ '2200-01-01 00:00Z'"
)


@dataclass
class _Feature:
    "What is known of a feature, the rows included that are being loaded."

    kind: str | None = None
    fixed: bool = False
    days: dict = field(default_factory=dict)  # day -> values seen, while it is not fixed
    new: dict = field(default_factory=dict)  # of those, what is not stored yet
    stored: tuple = (None, False)  # kind and fixed, as the catalog has them

    def see(self, kind, days):
        "Values of a kind were seen on some days."
        self.kind = wider(self.kind, kind)
        if self.fixed or self.kind is None:
            return
        for day, n in days.items():
            if n:
                self.days[day] = self.days.get(day, 0) + int(n)
                self.new[day] = self.new.get(day, 0) + int(n)
        self.fixed = self._is_sure()

    def count(self, days):
        "Of the values that were seen, those on these days are in the log: no others count."
        if self.stored[1]:
            return
        for day, n in self.new.items():
            self.days[day] -= n
        for day, n in days.items():
            self.days[day] = self.days.get(day, 0) + n
        self.days = {day: n for day, n in self.days.items() if n}
        self.new, self.fixed = dict(days), self._is_sure()

    def _is_sure(self):
        return sum(self.days.values()) >= ENOUGH_VALUES and len(self.days) >= ENOUGH_DAYS

    def holds(self, physical):
        "Whether a stored type can be read as this kind as it stands."
        if physical == "null":
            return True
        if not self.fixed:
            return physical in NUMBERS and self.kind in (None, _kind_stored(physical))
        return {
            "number": physical in NUMBERS,
            "boolean": physical == "boolean",
            "text": physical == "varchar",
            "time": physical in NUMBERS and physical != "boolean",
        }[self.kind]

    def takes(self, physical):
        "Whether it can be taken for what a type says, where no value is looked at."
        text = not self.fixed and physical == "varchar" and self.kind in (None, "text")
        return text or self.holds(physical)


class _Days:
    "The days of some instants in a zone."

    def __init__(self, instants, zone):
        local = instants.dt.tz_convert(zone).dt.tz_localize(None).to_numpy("datetime64[D]")
        self.days, self.places = np.unique(local, return_inverse=True)

    def count(self, values):
        "Day -> how many of the values, one for each instant, are there."
        n = np.bincount(self.places[values.notna().to_numpy()], minlength=len(self.days))
        return {day.item(): n for day, n in zip(self.days, n.tolist()) if not np.isnat(day)}


class FeatureTypes:
    "The kinds of all features of a log while files come in; what changed is kept by `keep`."

    def __init__(self, store: Store):
        self.store, self._models, self._told = store, {}, []
        self._null_words = store.null_words()

    def settle_frame(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rows with their features (`feature:...`) as what they are, and the values that did not
        fit: row (its place), feature, raw."""
        names = [c for c in frame.columns if c.startswith("feature:")]
        if not names or not len(frame):
            return frame, _nothing_lost()
        frame = frame.reset_index(drop=True)
        by_model = frame.groupby("model").groups
        days = {
            m: _Days(frame.predicted_at[rows], self.store.timezone) for m, rows in by_model.items()
        }
        columns, lost = {}, []
        for name in names:
            feature, parts = name.removeprefix("feature:"), []
            for model, rows in by_model.items():
                column = frame[name] if len(rows) == len(frame) else frame[name][rows]
                values, unread = self._settle(model, feature, column, days[model])
                parts.append(values)
                lost.append(_lost(feature, column[unread]))
            columns[name] = _together(parts, frame.index)
        return frame.assign(**columns), pd.concat(lost, ignore_index=True)

    def not_numbers(self) -> set[str]:
        "Features of any model that are known to be something else than numbers."
        known = self.store.kinds_in_log()
        seen = [(f, s.kind) for features in self._models.values() for f, s in features.items()]
        return {feature for feature, kind in [*known, *seen] if kind not in (None, "number")}

    def settle_segment(self, delivered: Delivered, folder: Path) -> Delivered:
        """A segment of the log's own form whose features can be read as what they are: as it is
        where their stored types say so, else written anew."""
        source = parquet([delivered.canonical])
        stored = stored_types(self.store.con, source)
        if not stored:
            return delivered
        models = self._models_in(source)
        known = [(m, f, self._of(m, f)) for m in models for f in stored]
        reread = {f for _, f, state in known if not state.holds(stored[f])}
        self._see_stored(source, [k for k in known if k[1] not in reread], stored)
        return self._rewritten(delivered, stored, sorted(reread), folder) if reread else delivered

    def told(self) -> list[str]:
        "What changed and somebody should know, once."
        told, self._told = self._told, []
        return told

    def _of(self, model, feature):
        if model not in self._models:
            self._models[model] = self._load(model)
        return self._models[model].setdefault(feature, _Feature())

    def _load(self, model):
        "What the catalog knows of a model's features."
        store = self.store
        fixed = store.fixed_kinds(model)
        known = {
            feature: _Feature(kind, feature in fixed, stored=(kind, feature in fixed))
            for feature, kind in store.feature_kinds(model).items()
        }
        seen = store.con.execute(
            "SELECT feature, event_date, sum(n)::BIGINT FROM feature_values WHERE model = $model "
            "GROUP BY ALL",
            {"model": model},
        ).fetchall()
        for feature, day, n in seen:
            if feature in known and not known[feature].fixed:
                known[feature].days[day] = n
        return known

    def _settle(self, model, feature, column, days):
        "Values of one feature of one model, and which could not be read."
        state = self._of(model, feature)
        if state.fixed:
            return typed(column, state.kind, self._null_words)
        found = infer(column, self._null_words)
        if state.kind == "boolean" and found == "number":
            values, lost = typed(column, "boolean", self._null_words)
            if not lost.any():  # 1 and 0 are a boolean where booleans came before
                state.see("boolean", days.count(values))
                return values, lost
        kind = wider(state.kind, found)
        if kind == "text" and state.kind != "text":
            numbers, unread = typed(column, "number", self._null_words)
            words, known = column[unread], int(numbers.notna().sum())
            self._told += _said_of_text(model, feature, words, known, state.kind)
        values, lost = typed(column, kind, self._null_words)
        state.see(kind, days.count(values) if found else {})
        return values, lost

    def _models_in(self, source):
        rows = self.store.con.execute(
            f"SELECT DISTINCT model FROM {source} WHERE coalesce(model, '') <> ''"
        )
        return [model for (model,) in rows.fetchall()]

    def _see_stored(self, source, known, stored):
        "Count the values, by day, of features that are not fixed and are stored as what they are."
        open_ = [(m, f, s) for m, f, s in known if not s.fixed and stored[f] != "null"]
        features = list(dict.fromkeys(f for _, f, _ in open_))
        if not features:
            return
        counts = ", ".join(f"count(features.{identifier(f)})" for f in features)
        rows = self.store.con.execute(
            f"""
            SELECT model, CAST(predicted_at AT TIME ZONE {literal(self.store.timezone)} AS DATE),
                   {counts}
            FROM {source} WHERE {_POSSIBLE} GROUP BY ALL"""
        ).fetchall()
        for model, feature, state in open_:
            at = features.index(feature) + 2
            days = {row[1]: row[at] for row in rows if row[0] == model and row[at]}
            if days:
                state.see(_kind_stored(stored[feature]), days)

    def _rewritten(self, delivered, stored, features, folder):
        "A segment with some of its features read from what is stored."
        con, rows = self.store.con, parquet([delivered.canonical], file_row_number=True)
        picked = ", ".join(
            f"features.{identifier(f)} AS {identifier(f'feature:{f}')}" for f in features
        )
        frame = con.execute(
            f"SELECT file_row_number, model, CASE WHEN {_POSSIBLE} THEN predicted_at END "
            f"AS predicted_at, {picked} FROM {rows} ORDER BY 1"
        ).df()
        settled, lost = self.settle_frame(frame)
        places = {f: f"t.{identifier(f'feature:{f}')}" for f in features}
        fields = ", ".join(
            f"{identifier(f)} := {places.get(f, f's.features.{identifier(f)}')}" for f in stored
        )
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / f"{delivered.segment_id}-typed.parquet"
        con.register("settled", settled.drop(columns=["model", "predicted_at"]))
        con.execute(
            f"""
            COPY (SELECT s.* EXCLUDE (file_row_number)
                         REPLACE (struct_pack({fields}) AS features)
                  FROM {rows} s JOIN settled t USING (file_row_number)
                  ORDER BY file_row_number)
            TO {target(made)} (FORMAT parquet)"""
        )
        con.unregister("settled")
        return replace(delivered, canonical=made, unreadable=lost)

    def keep(self, batch: int, now: datetime, who: str, files: pd.DataFrame) -> None:
        """Write down what changed, inside the transaction of the batch that changed it.

        What counts is in the batch's day files (path, event_date, model): rows that are delivered
        again and rows that are rejected were seen all the same.
        """
        loaded = self._loaded(files)
        for model, features in self._models.items():
            for feature, state in features.items():
                if state.kind is None:
                    continue
                state.count(loaded.get((model, feature), {}))
                if state.fixed and not state.stored[1] and self.store.trail_problem():
                    state.fixed = False  # it could not be recorded: rows come in all the same
                if state.new and not state.fixed:
                    columns = {"event_date": list(state.new), "n": list(state.new.values())}
                    named = pd.DataFrame(columns).assign(
                        model=model, feature=feature, batch_id=batch
                    )
                    self.store._insert("feature_values", named)
                state.new = {}
                if (state.kind, state.fixed) != state.stored:
                    self._keep_kind(batch, now, who, model, feature, state)

    def _loaded(self, files):
        "(model, feature) -> day -> values in day files, where a kind is not fixed yet."
        wanted = {
            path: (day, model)
            for path, day, model in zip(files.path, files.event_date, files.model)
            if any(not state.stored[1] for state in self._models.get(model, {}).values())
        }
        counted = {}
        for path, feature, _, n in self.store.stored_values(wanted):
            day, model = wanted[path]
            days = counted.setdefault((model, feature), {})
            days[day] = days.get(day, 0) + n
        return counted

    def _keep_kind(self, batch, now, who, model, feature, state):
        seen = f"{sum(state.days.values()):,} values on {len(state.days)} days"
        if state.fixed:
            self.store.record(now, who, "feature", f"{model}/{feature}", state.kind, seen)
        kind, fixed = state.kind, state.fixed
        self.store._add_feature(now, who, model, feature, kind, fixed, seen, batch)
        state.stored = (kind, fixed)


def take_as_stored(types: FeatureTypes, model: str, stored: Mapping[str, str]) -> dict[str, str]:
    """Take features of a model for what files store them as; feature -> its kind, of those that it
    does not fit, which are as they were."""
    known = {feature: types._of(model, feature) for feature in stored}
    wrong = {f: s.kind for f, s in known.items() if not s.takes(stored[f])}
    for feature in known.keys() - wrong:
        if stored[feature] != "null":
            known[feature].see(_kind_stored(stored[feature]), {})
    return wrong


def _kind_stored(physical):
    "The kind of numbers, booleans or texts that are stored as a type."
    return {"boolean": "boolean", "varchar": "text"}.get(physical, "number")


def _said_of_text(model, feature, words, known, before):
    "That a feature is a text because of words among known numbers, or of how these are spelt."
    if options := spelling_of(map(str, words)):
        yield (
            f"{feature} of {model} is taken as text, such as {words.iloc[0]!r}: "
            f"{options} reads them as numbers"
        )
    elif len(words) and (before or known > len(words)):
        yield (
            f"{feature} of {model} is taken as text"
            + (f", it was a {before}" if before else "")
            + f": {len(words):,} of {known + len(words):,} values are no numbers, such as "
            f"{str(words.iloc[0])[:40]!r}; 'aiops-wb features set' makes it what it is"
        )


def _nothing_lost():
    return pd.DataFrame({"row": np.array([], dtype=np.int64), "feature": [], "raw": []})


def _lost(feature, column):
    "The values of a column that could not be read."
    raw = [str(value) for value in column]
    return pd.DataFrame({"row": column.index.to_numpy(np.int64), "feature": feature, "raw": raw})


def _together(parts, index):
    "A column of parts; as text where the parts are of different types."
    if len({str(part.dtype) for part in parts}) > 1:
        parts = [typed(part, "text")[0] for part in parts]
    if len(parts) == 1 and len(parts[0]) == len(index):
        return parts[0]
    return pd.concat(parts).reindex(index) if parts else pd.Series(None, index=index, dtype="str")
