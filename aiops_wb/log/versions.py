"""Versions of models: registered, active, each with its threshold in force."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import pandas as pd

from ..stats.points import Grid, as_points
from .audit import AuditReads
from .base import conditions
from .errors import StoreError
from .feature_schema import FeatureSchemaWrites, kinds_of_card
from .seals import version_seals
from .sums import sha256_of

__all__ = ["LEAST_LABELLED", "VersionReads", "VersionWrites", "no_file"]

LEAST_LABELLED = 30
"A first calibration from fewer labels of held-out days would say next to nothing."
_OWN = "its own"  # days of training, or the first it scored: in the trail before others are chosen


def no_file(model: str, version: str) -> str:
    "Why a version that was adopted without its file does nothing here but be watched."
    return (
        f"{model} {version} was adopted without a model file, so nothing here can score with it or "
        "explain it: it scores elsewhere, and is watched on the days that the log has of it."
    )


class _Origin(NamedTuple):
    "What the audit trail says of a version that is registered."

    registered: str
    threshold: str
    features: str


def _origin(card):
    "Where a version comes from, by its card."
    if imported := card.get("imported"):
        told = f"imported from {imported['folder']}, which {imported['named']} was exported to"
        return _Origin(told, "as the card of the folder says", "was imported with it")
    adopted = card.get("adopted")
    if not adopted:
        chosen = "chosen when the version was trained"
        return _Origin("trained", chosen, "was trained on it")
    file = f", with {adopted['model_file']}" if adopted["model_file"] else ""
    return _Origin(
        f"adopted on {adopted['reference']}{file}",
        adopted["threshold"],
        "was adopted with it",
    )


class VersionReads(AuditReads):
    "What is registered and what is in force."

    def active_version(self, model: str, as_of: datetime | None = None) -> str | None:
        "The version that scores, None before the first activation."
        return self.in_force("model", model, as_of)

    def threshold(self, model: str, version: str, as_of: datetime | None = None) -> int | None:
        "The threshold in force (points) of a version."
        value = self.in_force("threshold", f"{model}/{version}", as_of)
        return None if value is None else int(value)

    def reference_days(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> tuple[date, date] | None:
        "First and last of the days that a version is held against; None where it has its own."
        value = self.in_force("reference", f"{model}/{version}", as_of)
        if value is None or value == _OWN:
            return None
        first, last = value.split(" to ")
        return date.fromisoformat(first), date.fromisoformat(last)

    def reference_chosen(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> tuple[str, datetime, str]:
        "Who chose the days that a version is held against, when and why."
        subject = f"{model}/{version}"
        stands = self.in_force("reference", subject, as_of)
        return self.said_by("reference", subject, stands, as_of)

    def versions(self, model: str, as_of: datetime | None = None) -> pd.DataFrame:
        "Registered versions, newest first, each with its model card, a dict."
        where, values = conditions(model=model, registered_at__le=as_of)
        frame = self.frame(
            f"""
            SELECT model, version, grid, registered_at, path, state AS card
            FROM models{where}
            ORDER BY registered_at DESC""",
            values,
        )
        return frame.assign(card=frame.card.map(json.loads))

    def known_versions(self, model: str) -> list[str]:
        "Every version of a model that is registered or has predictions, sorted."
        return self._column(
            """
            SELECT version FROM models WHERE model = $model
            UNION
            SELECT version FROM data_files WHERE kind = 'predictions' AND model = $model
            ORDER BY version""",
            {"model": model},
        )

    def version(self, model: str, version: str) -> pd.Series:
        "One registered version; StoreError names the registered ones."
        registered = self.versions(model)
        named = registered[registered.version == version]
        if named.empty:
            choices = ", ".join(registered.version)
            raise StoreError(
                f"{model} has no registered version {version!r}: "
                + (f"choose one of {choices}." if choices else "none is registered.")
            )
        return named.iloc[0]

    def require_whole(self, model: str, version: str) -> pd.Series:
        """One registered version with all that belongs to it; StoreError names what is missing.

        A run of version 0.1 that was stopped could leave a version without some of it.
        """
        row = self.version(model, version)
        lacking = [name for name, there in self._parts(row) if not there]
        if lacking:
            raise StoreError(
                f"{model} {version} is not whole: it lacks {' and '.join(lacking)}, so it cannot "
                "score. Train it again under another name."
            )
        return row

    def _parts(self, row):
        "What belongs to a version, and whether it is there."
        card, named = row.card, {"model": row.model, "version": row.version}
        path = self.root / row.path  # the folder itself for a version without a file
        digest = sha256_of(path) if path.is_file() else None
        yield "the file that was registered", "sha256" not in card or digest == card["sha256"]
        of_version = "WHERE model = $model AND version = $version"
        held = f"SELECT coalesce(sum(n_labelled), 0)::BIGINT FROM held_out_counts {of_version}"
        yield "held-out days", self._value(held, named) == card.get("held_out_rows", 0)
        # cards of version 0.1 do not say what was kept beside them
        kept = card.get("has_reference", "bins" in card)
        reference = f"SELECT count(*) > 0 FROM reference_counts {of_version}"
        yield "its reference", not kept or self._value(reference, named)
        kept = card.get("has_calibration", card.get("held_out_rows", 0) >= LEAST_LABELLED)
        first = f"SELECT count(*) > 0 FROM calibrations {of_version}"
        yield "its first calibration", not kept or self._value(first, named)


class VersionWrites(VersionReads, FeatureSchemaWrites):
    "Register, set thresholds and references, put back."

    def add_version(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        grid: Grid,
        path: str,
        card: dict,
        threshold: int,
    ) -> None:
        """Register a version with its threshold (points), and fix the kinds of the features that it
        was trained on; StoreError when the name is taken. It does not become active.

        Held-out counts and a reference are added before: their hashes go into the trail with it."""
        threshold = int(as_points(threshold, grid.kind))
        if version in set(self.versions(model).version):
            raise StoreError(
                f"{model} already has a version {version!r}: versions are never replaced, "
                "choose a new name."
            )
        subject, told = f"{model}/{version}", _origin(card)
        with self.transaction():
            self._write(
                "INSERT INTO models VALUES ($model, $version, $grid, $now, $path, $card)",
                {
                    "model": model,
                    "version": version,
                    "grid": grid.name,
                    "now": now,
                    "path": path,
                    "card": json.dumps(card),
                },
            )
            why = "; ".join(filter(None, (told.registered, card.get("incomplete_labels"))))
            sealed = {"sealed": version_seals(self, model, version)[model, version][0]}
            evidence = dict(card.get("metrics") or {}) | sealed
            self.record(now, who, "registered", subject, version, why, evidence)
            # one that is adopted keeps what is in force, unless another is asked for
            if told.registered == "trained" or self.threshold(model, version) != threshold:
                self.record(now, who, "threshold", subject, str(threshold), told.threshold)
            fixed = f"version {version} {told.features}"
            self.fix_features(now, who, model, kinds_of_card(card), fixed)

    def set_threshold(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        points: int,
        why: str,
        evidence: Any = None,
        logged: int | None = None,
    ) -> None:
        """Change the threshold (points) of a version; `logged` is the one its predictions carried,
        recorded first where the trail knows none."""
        points = str(int(as_points(points)))
        if not self.files("predictions", model=model, version=version):
            self.version(model, version)
        subject = f"{model}/{version}"
        if self._is_latest("threshold", subject, who, why, new=points):
            return
        with self.transaction():
            if logged is not None and self.threshold(model, version) is None:
                as_logged = "as logged with the predictions"
                self.record(now, who, "threshold", subject, str(int(logged)), as_logged)
            self.record(now, who, "threshold", subject, points, why, evidence)

    def set_reference(
        self, now: datetime, who: str, model: str, version: str, first: date, last: date, why: str
    ) -> None:
        "Hold a version against days of the log; what stood before goes into the trail."
        subject, days = f"{model}/{version}", f"{first} to {last}"
        if self._is_latest("reference", subject, who, why, new=days):
            return
        with self.transaction():
            if self.in_force("reference", subject) is None:
                self.record(now, who, "reference", subject, _OWN, "as the version began")
            self.record(now, who, "reference", subject, days, why)

    def roll_back(
        self,
        now: datetime,
        who: str,
        what: str,
        subject: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> str:
        """Put back what stood before the latest change of a subject; returns it. StoreError when
        nothing stood before. The same person's, for the same reason, is not a further one."""
        if self._is_rolled_back(what, subject, who, why):
            return self.in_force(what, subject)
        old = self._value(
            """
            SELECT old FROM audit
            WHERE what = $what AND subject = $subject
            ORDER BY seq DESC
            LIMIT 1""",
            {"what": what, "subject": subject},
        )
        if old is None:
            raise StoreError(
                f"there is nothing to roll back: {what} of {subject} has no earlier value."
            )
        told = dict(evidence or {}) | {"rolled_back": True}
        with self.transaction():
            self.record(now, who, what, subject, old, why, told)
        return old

    def _is_rolled_back(self, what, subject, who, why):
        "Whether the latest change of a subject is this person's going back, for this reason."
        where, values = conditions(what=what, subject=subject)
        rows = self._rows(
            f"SELECT who, why, evidence FROM audit{where} ORDER BY seq DESC LIMIT 1", values
        )
        told = json.loads(rows[0][2] or "{}") if rows else {}
        return bool(told.get("rolled_back")) and rows[0][:2] == (who, why)
