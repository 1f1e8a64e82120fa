"""A feature turns out to be something else: what it is said to be counts, what did not fit is read
again, and it can be put back."""

import json
from datetime import datetime

import pandas as pd

from .duck import identifier, parquet
from .errors import StoreError
from .feature_schema import UNREADABLE, FeatureSchemaWrites, counted
from .features import NUMBERS, bin_values, stored_types
from .published import KINDS
from .values import typed

__all__ = ["FeatureChanges"]


class FeatureChanges(FeatureSchemaWrites):
    "Say what a feature is, read again what did not fit, put it back."

    def set_feature(
        self, now: datetime, who: str, model: str, feature: str, kind: str, why: str
    ) -> tuple[int, int]:
        """Fix what a feature is, whatever it was; what was delivered and did not fit is read
        again. Returns how many values could be read, and how many are left.

        The values are known from a batch of its own on: figures as of an earlier time stay.
        """
        if kind not in KINDS:
            raise StoreError(f"{kind!r} is no kind of feature: choose one of {', '.join(KINDS)}.")
        self._require_feature(model, feature)
        if self.fixed_kinds(model).get(feature) == kind:  # said again, after a stop for one
            self.publish_features()
            return 0, len(self._unread(model, feature))
        return self._change_feature(now, who, model, feature, kind, True, why)

    def roll_back_feature(
        self, now: datetime, who: str, model: str, feature: str, why: str
    ) -> tuple[str, int, int]:
        """Put back what a feature was before somebody set it, fixed or not; returns that kind, and
        the same as `set_feature`. StoreError when nobody did. The same person's, for the same
        reason, is not a further one."""
        kind = self._require_feature(model, feature)
        evidence = {"rolled_back": True}
        told = {"evidence": json.dumps(evidence)}
        if self._is_latest("feature", f"{model}/{feature}", who, why, **told):
            self.publish_features()
            return kind, 0, len(self._unread(model, feature))
        before = self._before_it_was_set(model, feature)
        if before is None:
            raise StoreError(
                f"there is nothing to roll back: nobody set {feature} of {model}, which is a {kind}"
                ", since that was found."
            )
        return before[0], *self._change_feature(now, who, model, feature, *before, why, evidence)

    def count_earlier_features(self, now: datetime, who: str, model: str, version: str) -> None:
        """Count the features of what a version scored before it was registered, in its bins.

        They are known from a batch of their own on: figures as of an earlier time stay.
        """
        files = self.files("predictions", model=model, version=version)
        if not files:
            return
        batch, kinds = self.known_batch() + 1, self.feature_kinds(model)
        self._add_batch(batch, "adopted", now, who, (0, 0, 0, 0))
        named = ["path", "event_date", "tenant", "model", "version"]
        counted = pd.DataFrame([f[:5] for f in files], columns=named)
        self._count_features(counted.assign(batch_id=batch))
        for feature, rows in self._standing_in(model, version).groupby("feature"):
            self._rebin(batch, rows, kinds.get(feature), 1)

    def _standing_in(self, model, version):
        "The latest of each value that stands in for a missing one of a version."
        return self.frame(
            f"""
            SELECT {", ".join(UNREADABLE)} FROM read_again
            WHERE model = $model AND version = $version
            QUALIFY row_number() OVER (
                PARTITION BY feature, prediction_id ORDER BY batch_id DESC) = 1""",
            {"model": model, "version": version},
        )

    def _before_it_was_set(self, model, feature):
        "Kind of a feature and whether it was fixed, before the latest change if a person made it."
        latest = self._rows(
            """
            SELECT kind, fixed, batch_id IN (SELECT batch_id FROM batches WHERE kind = 'features')
            FROM features WHERE model = $model AND feature = $feature
            ORDER BY seq DESC LIMIT 2""",
            {"model": model, "feature": feature},
        )
        return latest[1][:2] if len(latest) == 2 and latest[0][2] else None

    def _require_feature(self, model, feature):
        "The kind of a feature; StoreError with the names when there is none that is called so."
        known = self.feature_kinds(self.require_model(model))
        if feature not in known:
            choices = ", ".join(sorted(known)) or "none so far"
            raise StoreError(f"{model} has no feature {feature!r}: its features are {choices}.")
        return known[feature]

    def _unread(self, model, feature):
        "Values of a feature that could not be read."
        return self.frame(
            "SELECT * FROM unreadable WHERE model = $model AND feature = $feature",
            {"model": model, "feature": feature},
        )

    def _change_feature(self, now, who, model, feature, kind, fixed, why, evidence=None):
        "Make a feature what it is to be, and read again; how many values were read and are left."
        before, raw = self.feature_kinds(model)[feature], self._unread(model, feature)
        lost = typed(raw.raw, kind, self.null_words())[1]
        changed = model, feature, before, kind
        found = [self._misfits(*changed), self._misfits_read_again(*changed)]
        misfits = pd.concat(found).drop_duplicates("prediction_id")  # logged, and read again before
        with self.transaction():
            batch = self.known_batch() + 1
            self._add_batch(batch, "features", now, who, (0, 0, 0, 0))
            self.record(now, who, "feature", f"{model}/{feature}", kind, why, evidence)
            self._add_feature(now, who, model, feature, kind, fixed, why, batch)
            self._read_again(batch, model, feature, kind, raw[~lost])
            self.add_unreadable(batch, misfits)
            self._rebin(batch, misfits, before, -1)
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
        return _unfit(rows, before, kind, self.null_words())

    def _misfits_read_again(self, model, feature, before, kind):
        "The same of values that were read again when the feature became what it was."
        rows = self.frame(
            f"""
            SELECT DISTINCT {", ".join(UNREADABLE)} FROM read_again
            WHERE model = $model AND feature = $feature""",
            {"model": model, "feature": feature},
        )
        return _unfit(rows, before, kind, self.null_words())

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
        self._insert("unreadable_counts", counted(rows, -1).assign(batch_id=batch))
        self._rebin(batch, rows, kind, 1)

    def _rebin(self, batch, rows, kind, sign):
        """Move values from the missing ones of their day to the bins where they belong as a kind,
        or back (sign -1)."""
        for (model, version, feature), part in rows.groupby(["model", "version", "feature"]):
            rule = self._bins(model, version).get(feature)
            if rule is not None:
                placed = part.assign(bin=bin_values(typed(part.raw, kind)[0], rule))
                changes = [counted(placed, sign), counted(placed.assign(bin=-1), -sign)]
                self._insert("feature_counts", pd.concat(changes).assign(batch_id=batch))


def _unfit(rows, before, kind, null_words):
    "Rows whose text can be read as what a feature was, but not as what it is to be."
    lost, unread = (typed(rows.raw, one, null_words)[1] for one in (kind, before))
    return rows[lost & ~unread]
