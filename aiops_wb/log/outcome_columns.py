"""Columns that are known to be parts of an outcome: they become no feature, whenever they came."""

import json
from collections.abc import Iterable
from datetime import datetime

from .audit import AuditWrites
from .base import Connected
from .columns import OUTCOME_NAMES
from .duck import parquet
from .schema import EMPTY

__all__ = ["OutcomeColumnReads", "OutcomeColumnWrites"]


class OutcomeColumnReads(Connected):
    "What must not be learned from."

    def outcome_columns(self) -> dict[str, dict[str, str]]:
        """Model -> column, in lower case -> what it was mapped as in a file of outcomes; "" holds
        those whose model is not known yet."""
        newest = """
            SELECT coalesce(model, ''), name, role FROM outcome_columns
            QUALIFY row_number() OVER (PARTITION BY model, name ORDER BY rowid DESC) = 1
                AND is_outcome
            ORDER BY rowid"""
        known, rows = {}, self._until_written("outcome_columns", "all", lambda: self._rows(newest))
        for model, name, role in rows:
            known.setdefault(model, {})[name] = role
        return known

    def learned_from(self, model: str, names: Iterable[str]) -> list[str]:
        "The versions of a model that have one of the columns among their features."
        wanted = {name.casefold() for name in names}
        cards = self._rows(
            "SELECT version, state FROM models WHERE model = $model ORDER BY rowid",
            {"model": model},
        )
        return [
            version
            for version, card in cards
            if wanted & {name.casefold() for name in json.loads(card).get("features", ())}
        ]

    def outcomes_among(self, model: str, names: Iterable[str]) -> list[str]:
        "Those of the names that tell an outcome of a model."
        known = {*OUTCOME_NAMES, *self.outcome_columns().get(model, {})}
        return [name for name in names if name.casefold() in known]

    def features_of(self, model: str, names: Iterable[str]) -> list[str]:
        "The others."
        names = list(names)
        outcomes = set(self.outcomes_among(model, names))
        return [name for name in names if name not in outcomes]


class OutcomeColumnWrites(OutcomeColumnReads, AuditWrites):
    "What turned out to be an outcome."

    def add_outcome_columns(
        self, batch: int, now: datetime, who: str, columns: Iterable[tuple[str | None, str, str]]
    ) -> None:
        """Keep those of (model, column, what it was mapped as) that are not known yet; use inside a
        transaction."""
        known, new = self.outcome_columns(), {}
        for model, column, role in columns:
            if column.casefold() not in known.get(model or "", {}):
                new.setdefault(model, {})[column.casefold()] = role
        for model, named in new.items():
            for name, role in named.items():
                self._write(
                    "INSERT INTO outcome_columns VALUES (?, ?, ?, true, ?)",
                    [model, name, role, batch],
                )
            # where the trail does not hold rows come in all the same, and no model learns from it
            if model is not None and not self.trail_problem():
                self._tell(now, who, model, "a file of outcomes maps " + _listed(named))

    def take_back_outcome_column(
        self, now: datetime, who: str, model: str, column: str, why: str
    ) -> bool:
        """A column is a feature of a model after all: whether it was taken for an outcome. The same
        person's, for the same reason, is not a further change."""
        name = column.casefold()
        evidence = {"rolled_back": name}
        if self._is_latest("outcome columns", model, who, why, evidence=json.dumps(evidence)):
            return True
        role = self.outcome_columns().get(model, {}).get(name)
        if role is None:
            return False
        with self.transaction():
            self._write(
                "INSERT INTO outcome_columns VALUES (?, ?, ?, false, ?)",
                [model, name, role, self._value("SELECT max(batch_id) FROM batches")],
            )
            self._tell(now, who, model, why, evidence)
        return True

    def _tell(self, now, who, model, why, evidence=None):
        "Record which columns of a model are outcomes now."
        names = ", ".join(sorted(self.outcome_columns().get(model, {})))
        self.record(now, who, "outcome columns", model, names, why, evidence)

    def late_outcome_columns(self, source: str) -> list[tuple[str, str, str]]:
        """(model, column, role) of files of outcomes that came before their predictions, which are
        among the rows of `source` (SQL)."""
        waiting = self._rows(
            "SELECT name, role, batch_id FROM outcome_columns WHERE model IS NULL AND is_outcome"
        )
        taken_back = self._rows(
            "SELECT model, name, batch_id FROM outcome_columns WHERE NOT is_outcome"
        )
        found = []
        for batch in {batch for *_, batch in waiting}:
            of_batch = [(name, role) for name, role, b in waiting if b == batch]
            for model in self._models_of_outcomes(batch, source):
                # a person who took a column back knew of the files until then
                settled = {n for m, n, since in taken_back if m == model and since >= batch}
                found += [(model, name, role) for name, role in of_batch if name not in settled]
        return found

    def _models_of_outcomes(self, batch, source):
        "The models of the rows of `source` that a batch of outcomes without predictions is about."
        paths = self._column(
            """
            SELECT DISTINCT path FROM data_files
            WHERE kind = 'outcomes' AND event_date IS NULL AND batch_id = $batch""",
            {"batch": batch},
        )
        if not paths:
            return []
        # files of earlier releases have no keys
        told = f"""(SELECT * FROM {parquet(self.root / path for path in paths)}
                    UNION ALL BY NAME {EMPTY["outcomes"]})"""
        either = " UNION ALL ".join(
            f"SELECT model FROM {source} SEMI JOIN {told} USING ({name})"
            for name in ("prediction_id", "event_key")
        )
        return self._column(
            f"SELECT DISTINCT model FROM ({either}) WHERE model IS NOT NULL ORDER BY model"
        )


def _listed(named):
    return ", ".join(f"{name} as {role}" for name, role in sorted(named.items()))
