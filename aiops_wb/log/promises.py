"""Promises: every bound that was shown, from when it was issued, and how each day or week ended."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

import pandas as pd

from ..stats.automation import WATCHED, Certainty
from ..stats.points import as_points
from ..stats.promises import KINDS
from .base import Writing, conditions, moment
from .batches import BatchReads
from .errors import StoreError

__all__ = ["UNITS", "Look", "Promise", "PromiseReads", "PromiseWrites", "Unit", "of_rule"]

UNITS = ("day", "week", "year")


class Promise(NamedTuple):
    """A bound as it is shown. `confidence` None: of the mean over units; `version` '': of whatever
    version decides; `target` None: nothing is promised any more."""

    model: str
    version: str
    kind: str
    target: float | None
    confidence: float | None
    unit: str
    starts: date
    says: str
    threshold: int | None = None
    evidence: str | None = None
    tenant: str = ""
    segment: str = ""

    @property
    def subject(self) -> dict[str, str]:
        "What it speaks of: a later promise of the same replaces it."
        names = ("model", "version", "kind", "tenant", "segment")
        return {name: getattr(self, name) for name in names}


class Unit(NamedTuple):
    "A day, a week or a year of a promise that came due."

    promise_id: str
    first: date
    last: date
    state: str
    allowed: float
    lost: float | None
    n: float
    bad: float
    reason: str | None = None


class Look(NamedTuple):
    "Up to which day, by which batch and when days were looked at for what came due."

    through: date = date(1970, 1, 8)
    batch: int = 0
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def of_rule(
    model: str, version: str, calibration_id: str, stands: Certainty, starts: date
) -> Promise | None:
    "What the rule for tickets of a calibration promises; None where it automates or promises none."
    rule = stands.rule
    if rule.threshold is None or rule.method not in WATCHED:
        return None
    told = {"threshold": rule.threshold, "evidence": calibration_id}
    return Promise(
        model, version, "tickets", rule.target, None, "day", starts, rule.guarantee, **told
    )


_CONTENT = ("unit", "target", "confidence", "threshold", "evidence", "says")


class PromiseReads(BatchReads):
    "What was promised, and what became of it."

    def promises(
        self, model: str | None = None, kind: str | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """Promises in the order in which they were issued: promise_id, model, version, tenant,
        segment, kind, unit, target, confidence, threshold, starts, evidence, says, issued_at."""
        where, values = conditions(model=model, kind=kind, issued_at__le=as_of)
        issued = f"SELECT * FROM promises{where} ORDER BY seq"
        asked = model, kind, *moment(as_of)
        return self._until_written("promises", asked, lambda: self.frame(issued, values))

    def promise_units(
        self, model: str | None = None, kind: str | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """Units that came due, oldest first, as they were known at a time: the columns of their
        promise, first, last, state, allowed, lost, n, bad, reason, known_at, known_batch."""
        where, values = conditions(model=model, known_at__le=as_of)
        of_kind, kinds = conditions(kind=kind)
        return self.frame(
            f"""
            WITH latest AS (
                SELECT * EXCLUDE (model) RENAME (batch_id AS known_batch) FROM promise_units{where}
                QUALIFY row_number() OVER (
                    PARTITION BY promise_id, first ORDER BY batch_id DESC, known_at DESC) = 1)
            SELECT promises.*, latest.* EXCLUDE (promise_id)
            FROM promises JOIN latest USING (promise_id){of_kind}
            ORDER BY first, seq""",
            values | kinds,
        )

    def standing_promise(self, of: Promise) -> tuple[str, Promise] | None:
        "The id of the latest promise about what another speaks of, and that itself."
        where, values = conditions(**of.subject)
        columns = ", ".join(Promise._fields)
        newest = f"SELECT promise_id, {columns} FROM promises{where} ORDER BY seq DESC LIMIT 1"
        asked = tuple(of.subject.values())
        rows = self._until_written("promises", asked, lambda: self._rows(newest, values))
        return (rows[0][0], Promise(*rows[0][1:])) if rows else None

    def promised_since(self, model: str, at: datetime) -> bool:
        "Whether anything was promised of a model after a time."
        where, values = conditions(model=model)
        newest = self._value(f"SELECT max(issued_at) FROM promises{where}", values)
        return newest is not None and newest > at

    def changed_days(self, model: str, look: Look, last: date) -> dict[tuple[date, str], int]:
        """(day, version) -> the last batch that changed the counts of a day up to `last`: of days
        that changed since a look, and from a week before its end on. Without days that were brought
        in as a history: nothing was promised of them."""
        rows = self._rows(
            """
            WITH changed AS (
                SELECT event_date, version, max(batch_id) AS batch_id
                FROM score_counts
                WHERE model = $model AND segment = '' AND event_date <= $last
                  AND (batch_id > $batch OR event_date > $through::DATE - 7)
                GROUP BY ALL)
            SELECT event_date, version, changed.batch_id
            FROM changed
            SEMI JOIN (SELECT event_date, version
                       FROM data_files JOIN batches USING (batch_id)
                       WHERE data_files.kind = 'predictions' AND known_at IS NULL
                         AND model = $model) AS lived USING (event_date, version)""",
            {"model": model, "batch": look.batch, "through": look.through, "last": last},
        )
        return {(day, version): batch for day, version, batch in rows}

    def last_look(self, model: str) -> Look:
        "How far days were last looked at."
        where, values = conditions(model=model)
        newest = f"""
            SELECT through, batch_id, known_at FROM promise_looks{where}
            ORDER BY batch_id DESC, known_at DESC, through DESC LIMIT 1"""
        rows = self._until_written("promise_looks", model, lambda: self._rows(newest, values))
        return Look(*rows[0]) if rows else Look()


class PromiseWrites(PromiseReads, Writing):
    "Promises as they are issued, and units as they come due."

    def issue_promise(self, now: datetime, promise: Promise) -> str:
        """Record a promise that is shown from now on; returns its id. It replaces the one before
        about the same; where that says the very same, it stands and nothing is recorded. StoreError
        for what is no promise."""
        _require_sense(promise)
        standing = self.standing_promise(promise)
        if standing and _content(standing[1]) == _content(promise):
            return standing[0]
        where, values = conditions(**promise.subject)
        seq, nth = self._rows(
            f"""
            SELECT (SELECT count(*) FROM promises) + 1, count(*) + 1
            FROM promises{where}""",
            values,
        )[0]
        named = [promise.model, promise.version, promise.tenant, promise.segment, promise.kind]
        key = "/".join([*filter(None, named), str(nth)])
        columns = {"seq": seq, "promise_id": key, **promise._asdict(), "issued_at": now}
        columns["batch_id"] = self.known_batch()
        places = ", ".join(f"${name}" for name in columns)
        self._write(f"INSERT INTO promises ({', '.join(columns)}) VALUES ({places})", columns)
        return key

    def withdraw_promise(self, now: datetime, promise: Promise, why: str) -> None:
        "Record that nothing is promised any more about what a promise speaks of."
        standing = self.standing_promise(promise)
        if standing and standing[1].target is not None:
            self.issue_promise(now, promise._replace(target=None, says=why))

    def add_promise_units(
        self, now: datetime, model: str, units: Iterable[Unit], through: date | None = None
    ) -> None:
        """Append what became of units, all of them or none; `through`: the day up to which days
        were looked at."""
        rows, told = pd.DataFrame(list(units), columns=Unit._fields), {"model": model}
        told |= {"known_at": now, "batch_id": self.known_batch()}
        with self.transaction():
            if len(rows):
                numbers = dict.fromkeys(("allowed", "lost", "n", "bad"), "float64")
                self._insert("promise_units", rows.astype(numbers).assign(**told))
            if through is not None and self.last_look(model)[:2] != (through, told["batch_id"]):
                self._insert("promise_looks", pd.DataFrame([told | {"through": through}]))


def _content(promise):
    return tuple(getattr(promise, name) for name in _CONTENT)


def _require_sense(promise):
    "StoreError for a kind, a unit or numbers that no promise has."
    kind, unit = promise.kind, promise.unit
    as_points(promise.threshold)
    target, confidence = promise.target, promise.confidence
    if kind not in KINDS:
        raise StoreError(f"promise {kind!r} is not known: choose one of {', '.join(KINDS)}.")
    if unit not in UNITS or (unit == "year") != (kind in ("alarms", "promotions")):
        raise StoreError(
            f"a promise of {kind} has no unit {unit!r}: day or week of a rate, else year."
        )
    if kind in ("fpr", "fdr", "alerts") and promise.threshold is None:
        raise StoreError(f"a promise of {kind} needs the threshold (points) that it is about.")
    if target is None:
        return
    share = target if confidence is None else confidence
    if target < 0 or not 0 < share < 1 or (kind == "alerts" and confidence is None):
        raise StoreError(
            f"a promise of {kind} at most {target} with confidence {confidence} is not allowed: a "
            "confidence lies between 0 and 1, and without one a rate does; alerts need one."
        )
