"""Which events below the threshold are looked at by chance, and what they turned out to be.

The chances in force are a row of the audit trail, whole: what a logged row had as its chance can be
told again at any time. Chances are never changed, others come into force.
"""

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from ..stats.selective import MILLION, Exploration, Reviewed
from .audit import AuditWrites
from .base import conditions
from .duck import literal, statements
from .events import EventReads
from .schema import EMPTY

__all__ = [
    "BY_SERVICE",
    "OFF",
    "ExplorationReads",
    "ExplorationWrites",
    "chances_sql",
    "drawn_sql",
    "exploration_of",
]

WHAT = "exploration"
OFF = "off"
"What the trail says where nothing is looked at by chance any more."
BY_SERVICE = "by its service"
"What it says of a model whose predictions come with a propensity of their own."


def exploration_of(told: str | None) -> Exploration | None:
    "The chances that a row of the trail says are in force; None where it says of none."
    if told in (None, OFF, BY_SERVICE):
        return None
    known = json.loads(told)
    steps = {name: tuple(known[name]) for name in ("starts", "millionths")}
    return Exploration(**known | steps)


def chances_sql(of: Exploration, row: str = "") -> str:
    """The chance of an event in millionths by its points, as SQL; missing on another grid. `row`:
    what its columns are called by."""
    steps = " ".join(
        f"WHEN {row}points >= {start} THEN {chance}"
        for start, chance in zip(reversed(of.starts[1:]), reversed(of.millionths[1:]))
    )
    chance = f"CASE {steps} ELSE {of.millionths[0]} END" if steps else f"{of.millionths[0]}"
    return f"CASE WHEN {row}grid = {literal(of.grid)} THEN {chance} END"


def drawn_sql(millionths: str) -> str:
    "Whether an event is drawn, as SQL: the twin of `Exploration.chooses`."
    digits = "substr(md5(concat('explore/', model, '/', prediction_id)), 1, 8)"
    return f"CAST('0x' || {digits} AS BIGINT) * {MILLION} < ({millionths}) * {2**32}"


class ExplorationReads(EventReads):
    "Chances in force, and what was looked at."

    def exploration(self, model: str, as_of: datetime | None = None) -> Exploration | None:
        "The chances of review of a model's events below its threshold; None where it is off."
        return exploration_of(self.in_force(WHAT, model, as_of))

    def explores(self, model: str, as_of: datetime | None = None) -> bool:
        "Whether events of a model ever were looked at by chance, by the workbench or a service."
        return self.in_force(WHAT, model, as_of) is not None

    def explored_at(self, model: str, as_of: datetime | None = None) -> dict[str, Any] | None:
        """The share of a model's events below its threshold that goes to review by chance, and
        reviews a day as they were expected (None: not told); None where exploration is off."""
        where, values = conditions(what=WHAT, subject=model, changed_at__le=as_of)
        rows = self._rows(
            f"SELECT new, evidence FROM audit{where} ORDER BY seq DESC LIMIT 1", values
        )
        plan = exploration_of(rows[0][0]) if rows else None
        if plan is None:
            return None
        told = json.loads(rows[0][1] or "{}")
        return {"share": plan.share, "reviews_per_day": told.get("reviews_per_day")}

    def explorations(self, model: str) -> list[tuple[datetime, Exploration | None]]:
        "Since when, in order, which chances were in force."
        rows = self._rows(
            "SELECT changed_at, new FROM audit WHERE what = $what AND subject = $model "
            "ORDER BY seq",
            {"what": WHAT, "model": model},
        )
        return [(at, exploration_of(told)) for at, told in rows]

    def drawn_then(self, model: str) -> str:
        "Whether an event of a model is drawn by the chances in force at its time, as SQL."
        changes = reversed(self.explorations(model))
        told = [
            f"WHEN predicted_at >= TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat())} "
            f"THEN {'false' if plan is None else drawn_sql(chances_sql(plan))}"
            for at, plan in changes
        ]
        return f"coalesce(CASE {' '.join(told)} END, false)" if told else "false"

    def reviewed(
        self, model: str, version: str, start: date, end: date, as_of: datetime | None = None
    ) -> dict[date, Reviewed]:
        """Day -> what went to review of the events whose chance of it was logged; days without
        such events are left out. Reads the rows of the days."""
        known = self.known(as_of)
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        files = self.files("predictions", model=model, version=version, **period)
        if not files:
            return {}
        # files of older versions lack the column; of a past that was brought in nobody was called
        rows = f"""
            SELECT event_date::DATE AS event_date, prediction_id, points, propensity, route
            FROM (SELECT * FROM {self.known_rows((file[0] for file in files), known)}
                  UNION ALL BY NAME {EMPTY["predictions"]})
            WHERE propensity IS NOT NULL AND (
                coalesce(decided_by, '') <> 'workbench' OR batch_id NOT IN (
                    SELECT batch_id FROM batches WHERE known_at IS NOT NULL))"""
        sql = statements("reductions.sql")
        counted = self.con.execute(
            f"""
            WITH predictions AS MATERIALIZED ({rows}),
                 outcomes AS (SELECT prediction_id, label, observed_at, batch_id
                              FROM ({self._outcomes(period)})
                              SEMI JOIN predictions USING (prediction_id)),
                 labels AS ({sql["labels"]})
            SELECT (event_date - DATE '1970-01-01')::INTEGER AS day, * EXCLUDE (event_date)
            FROM ({sql["reviewed_counts"]})
            ORDER BY event_date, points, chance"""
        ).fetchnumpy()
        return dict(_by_day(counted))


def _by_day(counted):
    "Each day with its table."
    columns = {name: np.asarray(values) for name, values in counted.items()}
    numbers, epoch = columns.pop("day"), date(1970, 1, 1).toordinal()
    for number in np.unique(numbers):
        of_day = [columns[name][numbers == number] for name in Reviewed.__dataclass_fields__]
        yield date.fromordinal(epoch + int(number)), Reviewed(*of_day)


class ExplorationWrites(ExplorationReads, AuditWrites):
    "Chances put in force."

    def explore(
        self,
        now: datetime,
        who: str,
        model: str,
        plan: Exploration | None,
        why: str,
        evidence: Any = None,
    ) -> None:
        "Put chances in force from now on; None: nothing more is looked at by chance."
        told = OFF if plan is None else json.dumps(asdict(plan))
        self.record(now, who, WHAT, model, told, why, evidence)

    def note_services(self, now: datetime, who: str, source: str) -> None:
        """Record which models of a source of predictions (SQL) come with a propensity, once each;
        nothing where the trail does not hold: their rows come in all the same."""
        found = self._column(
            f"SELECT DISTINCT model FROM {source} WHERE propensity IS NOT NULL ORDER BY model"
        )
        for model in found:
            if not self.explores(model) and not self.trail_problem():
                why = "its predictions come with a propensity"
                self.record(now, who, WHAT, model, BY_SERVICE, why)
