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
from .duck import footers, spelt
from .known import Known
from .outcome_columns import OutcomeColumnReads
from .published import schema_path, write_schema
from .values import NULL_WORDS, wider

__all__ = [
    "ENOUGH_DAYS",
    "ENOUGH_VALUES",
    "LATEST",
    "UNREADABLE",
    "counted",
    "FeatureSchemaReads",
    "FeatureSchemaWrites",
    "features_of_card",
    "kinds_of_card",
]

ENOUGH_VALUES, ENOUGH_DAYS = 1_000, 7
"Values, and days with some, after which the kind of a feature is fixed."
_NULL_WORDS = "null words", "the log"  # what of whom the audit trail tells
_KEPT, _LONGEST = 10_000, 1_000  # texts of a feature and batch that are kept, characters of each

UNREADABLE = ["event_date", "tenant", "model", "version", "feature", "prediction_id", "raw"]
"Columns of values that could not be read."
LATEST = """
    SELECT * FROM features{where}
    QUALIFY row_number() OVER (PARTITION BY model, feature ORDER BY seq DESC) = 1"""
"Every feature as it is, in SQL; `where` chooses among all rows."


class FeatureSchemaReads(BatchReads, OutcomeColumnReads, AuditReads):
    "What the features of models are."

    def null_words(self) -> frozenset[str]:
        "Words, in lower case, for a missing number, boolean or time in files that come."
        told = self.in_force(*_NULL_WORDS)
        return NULL_WORDS if told is None else frozenset({"", *json.loads(told)})

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
        known = self._changed_by("features", as_of, model=model)
        where, values = conditions(model=model, batch_id__in=known)
        latest = f"SELECT feature, kind, fixed FROM ({LATEST.format(where=where)}) ORDER BY feature"
        return self._until_written("features", (model, known), lambda: self._rows(latest, values))

    def _features(self, model=None):
        where, values = conditions(model=model, batch_id__in=self.known())
        return self.frame(f"{LATEST.format(where=where)} ORDER BY model, feature", values)

    def features(self, model: str | None = None) -> pd.DataFrame:
        """Every feature with its kind: model, feature, kind, fixed, since, who, why, unreadable
        (values that did not fit), allowed (although it alone separates the labels), outcome (what
        it was mapped as in a file of outcomes, else None: no model learns from it then)."""
        known = self._features(model).drop(columns=["seq", "batch_id"])
        counted = self.frame(
            "SELECT model, feature, sum(n)::BIGINT AS unreadable FROM unreadable_counts "
            "GROUP BY ALL"
        )
        together = known.merge(counted, on=["model", "feature"], how="left")
        pairs = list(zip(together.model, together.feature))
        allowed = [feature in self.allowed_features(model) for model, feature in pairs]
        unreadable = together.unreadable.fillna(0).astype(int)
        outcomes = self.outcome_columns()
        mapped = [outcomes.get(m, {}).get(f.casefold()) for m, f in pairs]
        return together.assign(
            unreadable=unreadable, allowed=allowed, outcome=pd.Series(mapped, dtype=object)
        )

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
        known = self._changed_by("unreadable_counts", as_of, **of)
        where, values = conditions(**of, batch_id__in=known)
        counted = f"""
            SELECT event_date, feature, sum(n)::BIGINT AS n FROM unreadable_counts{where}
            GROUP BY ALL HAVING sum(n) > 0 ORDER BY ALL"""
        asked, look = (*of.values(), known), lambda: self.frame(counted, values)
        return self._until_written("unreadable_counts", asked, look).copy(deep=False)

    def read_again(self, model: str, start: date, end: date, known: Known) -> pd.DataFrame:
        """What stands in for missing values of some days, as known with some batches: feature,
        prediction_id, raw."""
        columns = ["feature", "prediction_id", "raw"]
        if not self._changed_by("read_again", None, model=model).runs:
            return pd.DataFrame(columns=columns)
        where, values = conditions(
            model=model, event_date__ge=start, event_date__le=end, batch_id__in=known
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
        known, spool = self._features(), self.spool
        for model, rows in known.groupby("model"):
            fixed = rows[rows.fixed]
            write_schema(spool, model, dict(zip(fixed.feature, fixed.kind)), self.null_words())
        named = {schema_path(spool, model) for model in known.model}
        for path in (spool / "schemas").glob("*.json"):
            if path not in named:
                path.unlink()


class FeatureSchemaWrites(FeatureSchemaReads, BatchWrites, AuditWrites):
    "Fix a feature's kind; count and keep what does not fit."

    def keep_null_words(self, now: datetime, who: str, words: Iterable[str]) -> None:
        """Read files from now on with these words for a missing value; nothing where they stand,
        or where that cannot be recorded: rows come in all the same."""
        if {"", *words} != self.null_words() and not self.trail_problem():
            self.record(now, who, *_NULL_WORDS, json.dumps(sorted(words)), "as it is set")

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

    def allow_features(
        self, now: datetime, who: str, model: str, features: Iterable[str], why: str
    ) -> None:
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

    def add_unreadable(self, batch: int, rows: pd.DataFrame) -> None:
        """Count the values of a batch that did not fit (event_date, tenant, model, version,
        feature, prediction_id, raw), and keep their text for a while."""
        if not len(rows):
            return
        self._insert("unreadable_counts", counted(rows, 1).assign(batch_id=batch))
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


def counted(rows, sign):
    "Values of each day, or of each bin of it: a change of counts."
    day = ["event_date", "tenant", "model", "version", "feature", "bin"]
    counts = rows.groupby([c for c in day if c in rows], as_index=False).size()
    return counts.rename(columns={"size": "n"}).assign(n=lambda counted: sign * counted.n)


def features_of_card(card: Mapping) -> dict[str, str]:
    "What each feature of a version is, in the order in which the model takes them."
    kinds, categories = card.get("kinds", {}), card.get("categories", {})
    usual = {f: "text" if f in categories else "number" for f in card.get("features", ())}
    return {feature: kinds.get(feature, kind) for feature, kind in usual.items()}


def kinds_of_card(card: Mapping) -> dict[str, str]:
    "Feature -> its kind, as a version was trained on it."
    by_rule = {
        feature: "text" if "categories" in rule else "number"
        for feature, rule in card.get("bins", {}).items()
        if any(rule.values())  # it had a value
    }
    return by_rule | card.get("kinds", {})
