"""What each feature of a model is: widened by what comes in until it is fixed, then kept, audited
and published."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime

import duckdb
import pandas as pd

from .audit import AuditReads, AuditWrites
from .base import conditions
from .batches import BatchReads, BatchWrites
from .duck import footers, identifier, parquet, spelt
from .errors import StoreError
from .features import NUMBERS, bin_values, stored_types
from .published import KINDS, schema_path, write_schema
from .values import typed, wider

__all__ = [
    "ENOUGH_DAYS",
    "ENOUGH_VALUES",
    "LATEST",
    "UNREADABLE",
    "FeatureSchemaReads",
    "FeatureSchemaWrites",
    "kinds_of_card",
]

ENOUGH_VALUES, ENOUGH_DAYS = 1_000, 7
"Values, and days with some, after which the kind of a feature is fixed."
_KEPT, _LONGEST = 10_000, 1_000  # texts of a feature and batch that are kept, characters of each

UNREADABLE = ["event_date", "tenant", "model", "version", "feature", "prediction_id", "raw"]
"Columns of values that could not be read."
LATEST = """
    SELECT * FROM features{where}
    QUALIFY row_number() OVER (PARTITION BY model, feature ORDER BY seq DESC) = 1"""
"Every feature as it is, in SQL; `where` chooses among all rows."


class FeatureSchemaReads(BatchReads, AuditReads):
    "What the features of models are."

    def feature_kinds(self, model: str, as_of: datetime | None = None) -> dict[str, str]:
        "Feature -> its kind, fixed or not, as known at a time."
        return {feature: kind for feature, kind, _ in self._kinds(model, as_of)}

    def fixed_kinds(self, model: str) -> dict[str, str]:
        "Feature -> its kind, of those whose kind is fixed."
        return {feature: kind for feature, kind, fixed in self._kinds(model) if fixed}

    def kinds_in_log(self) -> list[tuple[str, str]]:
        "Feature and kind, of all models."
        return self._rows(f"SELECT feature, kind FROM ({LATEST.format(where='')})")

    def _kinds(self, model, as_of=None):
        "Rows of feature, kind, fixed, as known at a time."
        batch = self._changed_by("features", as_of, model=model)
        where, values = conditions(model=model, batch_id__le=batch)
        latest = f"SELECT feature, kind, fixed FROM ({LATEST.format(where=where)}) ORDER BY feature"
        return self._until_written("features", (model, batch), lambda: self._rows(latest, values))

    def _features(self, model=None):
        where, values = conditions(model=model, batch_id__le=self.known_batch())
        return self.frame(f"{LATEST.format(where=where)} ORDER BY model, feature", values)

    def features(self, model: str | None = None) -> pd.DataFrame:
        """Every feature with its kind: model, feature, kind, fixed, since, who, why, unreadable
        (values that did not fit), allowed (although it alone separates the labels)."""
        known = self._features(model).drop(columns=["seq", "batch_id"])
        counted = self.frame(
            "SELECT model, feature, sum(n)::BIGINT AS unreadable FROM unreadable_counts "
            "GROUP BY ALL"
        )
        together = known.merge(counted, on=["model", "feature"], how="left")
        allowed = [f in self.allowed_features(m) for m, f in zip(together.model, together.feature)]
        unreadable = together.unreadable.fillna(0).astype(int)
        return together.assign(unreadable=unreadable, allowed=allowed)

    def allowed_features(self, model: str) -> set[str]:
        "Features that a training may use although each alone separates the labels."
        subjects = self._column(
            """
            SELECT subject FROM audit
            WHERE what = 'feature allowed' AND starts_with(subject, $prefix)""",
            {"prefix": f"{model}/"},
        )
        return {subject.removeprefix(f"{model}/") for subject in subjects}

    def unreadable_counts(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> pd.DataFrame:
        "Values of each day that did not fit their feature: event_date, feature, n."
        of = {"model": model, "version": version}
        batch = self._changed_by("unreadable_counts", as_of, **of)
        where, values = conditions(**of, batch_id__le=batch)
        counted = f"""
            SELECT event_date, feature, sum(n)::BIGINT AS n FROM unreadable_counts{where}
            GROUP BY ALL HAVING sum(n) > 0 ORDER BY ALL"""
        asked, look = tuple(values.values()), lambda: self.frame(counted, values)
        return self._until_written("unreadable_counts", asked, look).copy(deep=False)

    def read_again(self, model: str, start: date, end: date, batch: int) -> pd.DataFrame:
        """What stands in for missing values of some days, as known at a batch: feature,
        prediction_id, raw."""
        columns = ["feature", "prediction_id", "raw"]
        if not self._changed_by("read_again", None, model=model):
            return pd.DataFrame(columns=columns)
        where, values = conditions(
            model=model, event_date__ge=start, event_date__le=end, batch_id__le=batch
        )
        return self.frame(f"SELECT {', '.join(columns)} FROM read_again{where}", values)

    def stored_values(self, paths: Iterable[str]) -> list[tuple[str, str, str, int]]:
        """Of files of the log: path, each feature with values, its kind as stored, and how
        many."""
        told = {spelt(self.root / path): path for path in paths}
        if not told:
            return []
        found = self._rows(
            f"""
            SELECT file_name, path_in_schema[11:], any_value(type),
                   sum(num_values - coalesce(stats_null_count, 0))::BIGINT AS n
            FROM {footers(told)}
            WHERE starts_with(path_in_schema, 'features, ') GROUP BY 1, 2 HAVING n > 0"""
        )
        kinds = {"BYTE_ARRAY": "text", "BOOLEAN": "boolean"}
        return [(told[file], name, kinds.get(kind, "number"), n) for file, name, kind, n in found]

    def publish_features(self) -> None:
        "Write the fixed kinds of each model beside the spool, for whoever logs."
        known, spool = self._features(), self.root / "spool"
        for model, rows in known.groupby("model"):
            fixed = rows[rows.fixed]
            write_schema(spool, model, dict(zip(fixed.feature, fixed.kind)))
        named = {schema_path(spool, model) for model in known.model}
        for path in (spool / "schemas").glob("*.json"):
            if path not in named:
                path.unlink()


class FeatureSchemaWrites(FeatureSchemaReads, BatchWrites, AuditWrites):
    "Fix a feature's kind, change it, read again what did not fit."

    def fix_features(
        self, now: datetime, who: str, model: str, kinds: Mapping[str, str], why: str
    ) -> None:
        "Fix the kinds of features, of those that are not fixed; what is known of one stands."
        known = self._features(model).set_index("feature")
        for feature, kind in kinds.items():
            if feature not in known.index or not known.fixed[feature]:
                kind = known.kind[feature] if feature in known.index else kind
                self._add_feature(now, who, model, feature, kind, True, why)
                self.record(now, who, "feature", f"{model}/{feature}", kind, why)

    def allow_features(self, now, who, model: str, features, why: str) -> None:
        "Remember that trainings may use features although each alone separates the labels."
        for feature in sorted(set(features) - self.allowed_features(model)):
            self.record(now, who, "feature allowed", f"{model}/{feature}", "yes", why)

    def _add_feature(self, now, who, model, feature, kind, fixed, why, batch=None):
        self._write(
            """
            INSERT INTO features
            SELECT (SELECT coalesce(max(seq), 0) + 1 FROM features), $model, $feature, $kind,
                   $fixed, $now, $who, $why, $batch""",
            {
                "model": model,
                "feature": feature,
                "kind": kind,
                "fixed": fixed,
                "now": now,
                "who": who,
                "why": why,
                "batch": self.known_batch() if batch is None else batch,
            },
        )

    def set_feature(
        self, now: datetime, who: str, model: str, feature: str, kind: str, why: str
    ) -> tuple[int, int]:
        """Fix what a feature is, whatever it was; what was delivered and did not fit is read
        again. Returns how many values could be read, and how many are left.

        The values are known from a batch of its own on: figures as of an earlier time stay.
        """
        known = self.feature_kinds(self.require_model(model))
        if kind not in KINDS:
            raise StoreError(f"{kind!r} is no kind of feature: choose one of {', '.join(KINDS)}.")
        if feature not in known:
            choices = ", ".join(sorted(known)) or "none so far"
            raise StoreError(f"{model} has no feature {feature!r}: its features are {choices}.")
        raw = self.frame(
            "SELECT * FROM unreadable WHERE model = $model AND feature = $feature",
            {"model": model, "feature": feature},
        )
        if self.fixed_kinds(model).get(feature) == kind:  # said again, after a stop for one
            self.publish_features()
            return 0, len(raw)
        lost = typed(raw.raw, kind)[1]
        misfits = self._misfits(model, feature, known[feature], kind)
        with self.transaction():
            batch = self.known_batch() + 1
            self._add_batch(batch, "features", now, who, (0, 0, 0, 0))
            self.record(now, who, "feature", f"{model}/{feature}", kind, why)
            self._add_feature(now, who, model, feature, kind, True, why, batch)
            self._read_again(batch, model, feature, kind, raw[~lost])
            self.add_unreadable(batch, misfits)
            self._rebin(batch, misfits, known[feature], -1)
        self.publish_features()
        return int((~lost).sum()), int(lost.sum()) + len(misfits)

    def _misfits(self, model, feature, before, kind):
        "Logged values that can be read as what a feature was, but not as what it is to be."
        paths = [self.root / file[0] for file in self.files("predictions", model=model)]
        stored = stored_types(self.con, parquet(paths)).get(feature) if paths else None
        fits = kind == "text" or stored in NUMBERS and kind != "boolean"
        if stored is None or fits:
            return pd.DataFrame(columns=UNREADABLE)
        value = f"features.{identifier(feature)}"
        rows = self.frame(
            f"""
            SELECT event_date, tenant, model, version, $feature AS feature, prediction_id,
                   {value}::VARCHAR AS raw
            FROM {parquet(paths)} WHERE {value} IS NOT NULL""",
            {"feature": feature},
        )
        return rows[typed(rows.raw, kind)[1] & ~typed(rows.raw, before)[1]]

    def _read_again(self, batch, model, feature, kind, rows):
        "Rows of `unreadable` stand in for missing values from a batch on, and are counted so."
        if not len(rows):
            return
        rows = rows.assign(batch_id=batch)
        self._insert("read_again", rows)
        self._write(
            """
            DELETE FROM unreadable WHERE model = $model AND feature = $feature AND prediction_id IN
                (SELECT prediction_id FROM read_again
                 WHERE batch_id = $batch AND model = $model AND feature = $feature)""",
            {"batch": batch, "model": model, "feature": feature},
        )
        self._insert("unreadable_counts", _counted(rows, -1).assign(batch_id=batch))
        self._rebin(batch, rows, kind, 1)

    def _rebin(self, batch, rows, kind, sign):
        """Move values from the missing ones of their day to the bins where they belong as a kind,
        or back (sign -1)."""
        for (model, version, feature), part in rows.groupby(["model", "version", "feature"]):
            rule = self._bins(model, version).get(feature)
            if rule is not None:
                placed = part.assign(bin=bin_values(typed(part.raw, kind)[0], rule))
                changes = [_counted(placed, sign), _counted(placed.assign(bin=-1), -sign)]
                self._insert("feature_counts", pd.concat(changes).assign(batch_id=batch))

    def add_unreadable(self, batch: int, rows: pd.DataFrame) -> None:
        """Count the values of a batch that did not fit (event_date, tenant, model, version,
        feature, prediction_id, raw), and keep their text for a while."""
        if not len(rows):
            return
        self._insert("unreadable_counts", _counted(rows, 1).assign(batch_id=batch))
        kept = rows.groupby(["model", "feature"]).head(_KEPT)
        self._insert("unreadable", kept.assign(raw=kept.raw.str[:_LONGEST], batch_id=batch))

    def adopt_features(self, who: str) -> None:
        """Learn, once, what the features of a log are that was made before their kinds were kept:
        as a registered version was trained on them, else as they are stored."""
        done = "SELECT count(*) FROM workbench WHERE key = 'features'"
        if self._value(done):
            return
        stored = self._stored_features()
        now = self.last_committed()
        trained = {
            model: (version, kinds_of_card(json.loads(state)))
            for model, version, state in self._rows(
                "SELECT model, version, state FROM models ORDER BY registered_at"
            )
        }
        with self.transaction():
            for model, (version, kinds) in trained.items():
                why = f"version {version} was trained on it"
                for feature, kind in kinds.items():
                    self._add_feature(now, who, model, feature, kind, True, why, 0)
            for model, rows in stored.groupby("model") if len(stored) else ():
                fixed = trained.get(model, (None, {}))[1]
                self._adopt(now, who, model, rows[~rows.feature.isin(fixed)])
            self._write("INSERT INTO workbench VALUES ('features', 'adopted')")

    def _adopt(self, now, who, model, rows):
        "Features of a model as they are stored: feature, event_date, kind, n."
        for feature, part in rows.groupby("feature"):
            kind = None
            for one in part.kind:
                kind = wider(kind, one)
            days = part.groupby("event_date", as_index=False).n.sum()
            enough = days.n.sum() >= ENOUGH_VALUES and len(days) >= ENOUGH_DAYS
            why = f"{days.n.sum():,} values on {len(days)} days"
            self._add_feature(now, who, model, feature, kind, bool(enough), why, 0)
            if not enough:
                self._insert(
                    "feature_values", days.assign(model=model, feature=feature, batch_id=0)
                )

    def _stored_features(self):
        "How the features of the log's files are stored: model, feature, event_date, kind, n."
        files = {
            path: (model, day)
            for path, model, day in self._rows(
                "SELECT path, model, event_date FROM data_files WHERE kind = 'predictions'"
            )
        }
        rows = []
        for path, (model, day) in files.items():
            try:
                found = self.stored_values([path])
            except duckdb.Error:  # a file that is gone says nothing of its features
                continue
            rows += [(model, name, day, kind, n) for _, name, kind, n in found]
        return pd.DataFrame(rows, columns=["model", "feature", "event_date", "kind", "n"])


def _counted(rows, sign):
    "Values of each day, or of each bin of it: a change of counts."
    day = ["event_date", "tenant", "model", "version", "feature", "bin"]
    counts = rows.groupby([c for c in day if c in rows], as_index=False).size()
    return counts.rename(columns={"size": "n"}).assign(n=lambda counted: sign * counted.n)


def kinds_of_card(card: Mapping) -> dict[str, str]:
    "Feature -> its kind, as a version was trained on it."
    by_rule = {
        feature: "text" if "categories" in rule else "number"
        for feature, rule in card.get("bins", {}).items()
        if any(rule.values())  # it had a value
    }
    return by_rule | card.get("kinds", {})
