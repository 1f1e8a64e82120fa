"""Calibrations: stored under an id, in force from a time, and what each day was decided with."""

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from ..stats.automation import Certainty
from ..stats.conformal import Calibration, SetBounds
from .audit import AuditWrites
from .base import conditions, moment
from .batches import BatchReads
from .promises import PromiseWrites, of_rule
from .seals import calibration_seals

__all__ = ["BY_HAND", "CalibrationReads", "CalibrationWrites", "Interval", "calibrated_on"]

BY_HAND = "by hand, from "
"How the reason of a calibration begins that a person made."


class Interval(NamedTuple):
    "A probability interval of a score, and the days of the events that it was calibrated on."

    lower: float
    upper: float
    points: int
    days: tuple[date, ...]  # in order

    @property
    def width(self) -> float:
        "As a probability."
        return self.upper - self.lower

    @property
    def span(self) -> tuple[date, date]:
        "The first and the last of its days."
        return self.days[0], self.days[-1]

    def as_json(self) -> list:
        "As JSON values."
        return [*self[:3], list(map(str, self.days))]


def calibrated_on(held_out: Iterable[date], stands: Certainty, days: int) -> tuple[date, ...]:
    """The days of the labelled events that a calibration rests on: so many up to the newest whose
    labels were in; of one that was made when its version was registered, the held-out days."""
    if stands.counted is None:
        return tuple(sorted(held_out))
    return tuple(stands.counted - timedelta(back) for back in range(days - 1, -1, -1))


class CalibrationReads(BatchReads):
    "What predictions are and were decided with."

    def calibration(
        self, model: str, version: str, as_of: datetime | None = None, day: date | None = None
    ) -> tuple[str, Certainty] | None:
        """What predictions are decided with and its id, None when there is none; with `day`, the
        latest that rests on no later day."""
        part = "calibration", f"{model}/{version}"
        asked, look = ("stands", *moment(as_of), day), lambda: self._stands(*part, as_of, day)
        return self._until_written("audit", asked, look, part)  # a new one is recorded there

    def _stands(self, what, subject, as_of, day):
        where, values = conditions(what=what, subject=subject, changed_at__le=as_of)
        rows = self._rows(
            f"""
            SELECT calibration_id, state
            FROM audit JOIN calibrations ON calibration_id = new{where}
              AND ($day::DATE IS NULL OR through <= $day::DATE
                   OR (through IS NULL
                       AND (changed_at AT TIME ZONE $zone)::DATE <= $day::DATE + 1))
            ORDER BY seq DESC
            LIMIT 1""",
            values | {"day": day, "zone": self.timezone},
        )
        return (rows[0][0], Certainty.from_json(json.loads(rows[0][1]))) if rows else None

    def calibrations(self, ids: Iterable[str]) -> dict[str, Certainty]:
        "Stored calibrations by id."
        rows = self._rows(
            """
            SELECT calibration_id, state FROM calibrations
            WHERE calibration_id IN (SELECT unnest($ids))""",
            {"ids": list(ids)},
        )
        return {key: Certainty.from_json(json.loads(document)) for key, document in rows}

    def decided_with(
        self, model: str, version: str, days: Iterable[date], as_of: datetime | None = None
    ) -> dict[date, str]:
        """The calibration that each day was decided with: the one most of its predictions carry;
        where they carry none, the latest that rests on earlier days and was known by the day's end.

        Reads one column of the days' rows.
        """
        days, zone = sorted(days), self.timezone
        if not days:
            return {}
        logged = self._logged(model, version, days, as_of)
        if logged.keys() >= set(days):
            return {day: logged[day] for day in days}
        where, values = conditions(
            what="calibration", subject=f"{model}/{version}", changed_at__le=as_of
        )
        stored = self._rows(
            f"""
            SELECT through, (changed_at AT TIME ZONE $zone)::DATE, new
            FROM audit JOIN calibrations ON calibration_id = new{where}
            ORDER BY seq""",
            values | {"zone": zone},
        )
        standing = {
            day: key
            for day in days
            for through, known, key in stored
            if known <= day and (through is None or through < day)
        }
        return {day: key for day, key in (standing | logged).items() if day in set(days)}

    def _logged(self, model, version, days, as_of):
        "Day -> the calibration that most of its predictions carry, where they carry one."
        known = self.known(as_of)
        files = self.files(
            "predictions",
            model=model,
            version=version,
            event_date__ge=days[0],
            event_date__le=days[-1],
            batch_id__in=known,
        )
        if not files:
            return {}
        rows = self._rows(  # the last of a day's rows, the commonest, is the one that stays
            f"""
            SELECT event_date, calibration_id
            FROM {self.known_rows((file[0] for file in files), known)}
            WHERE calibration_id IS NOT NULL
            GROUP BY ALL
            ORDER BY count(*), calibration_id"""
        )
        return dict(rows)

    def set_bounds_by_day(
        self,
        model: str,
        version: str,
        days: Iterable[date],
        coverage: float = 0.9,
        as_of: datetime | None = None,
    ) -> dict[date, SetBounds]:
        "The bounds of the label-conditional sets that each day was decided with."
        keys = self.decided_with(model, version, days, as_of)
        rows = self._rows(
            f"""
            SELECT calibration_id, json_extract(state, '$.cuts."{coverage:g}"')::BIGINT[]
            FROM calibrations
            WHERE calibration_id IN (SELECT unnest($ids))""",
            {"ids": sorted(set(keys.values()))},
        )
        stored = dict(rows)
        return {day: SetBounds(*stored[key]) for day, key in keys.items() if stored.get(key)}

    def given_calibrations(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> list[tuple[datetime, Certainty, bool]]:
        """What was put in force other than by a night, oldest first: when, what, and whether by
        hand (else at a registration)."""
        where, values = conditions(
            what="calibration", subject=f"{model}/{version}", changed_at__le=as_of
        )
        rows = self._rows(
            f"""
            SELECT changed_at, calibrations.state, starts_with(why, '{BY_HAND}')
            FROM audit JOIN calibrations ON calibration_id = new{where}
              AND (through IS NULL OR starts_with(why, '{BY_HAND}'))
            ORDER BY seq""",
            values,
        )
        return [(at, Certainty.from_json(json.loads(told)), hand) for at, told, hand in rows]

    def calibration_list(self, model: str, version: str | None = None) -> pd.DataFrame:
        """Every stored calibration of a model, newest first: id, version, created_at, through, n,
        quantiles, the rule for tickets and its threshold (points), why it was made."""
        where, values = conditions(model=model, version=version)
        return self.frame(
            f"""
            SELECT calibration_id, version, created_at, through, n, q90, q95, q99,
                   json_extract_string(calibrations.state, '$.rule.method') AS rule,
                   CAST(json_extract(calibrations.state, '$.rule.threshold') AS INTEGER)
                       AS ticket_threshold,
                   audit.why
            FROM calibrations
            LEFT JOIN audit ON audit.what = 'calibration' AND audit.new = calibration_id{where}
            -- one that was put back is there twice: why it was made stands at the first
            QUALIFY row_number() OVER (PARTITION BY calibration_id ORDER BY audit.seq) = 1
            ORDER BY created_at DESC, audit.seq DESC""",
            values,
        )


class CalibrationWrites(PromiseWrites, AuditWrites):
    "A new calibration, put in force, and what it promises."

    def add_calibration(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        calibration: Calibration | Certainty,
        why: str,
        through: date | None = None,
    ) -> str:
        """Store a calibration that rests on labels of days up to `through` and put it in force;
        returns its id."""
        document, key = calibration.to_json(), self._new_id(model, version)
        quantiles = document["quantiles"]
        told = {k: v for k, v in document.items() if k not in ("bounds", "watch")}
        with self.transaction():
            self._write(
                """
                INSERT INTO calibrations VALUES (
                    $key, $model, $version, $now, $through, $n, $q90, $q95, $q99, $state)""",
                {
                    "key": key,
                    "model": model,
                    "version": version,
                    "now": now,
                    "through": through,
                    "n": document["n"],
                    "q90": quantiles.get("0.9"),
                    "q95": quantiles.get("0.95"),
                    "q99": quantiles.get("0.99"),
                    "state": json.dumps(document),
                },
            )
            told |= {"sealed": {"row": calibration_seals(self, key)[key][0]}}
            self.record(now, who, "calibration", f"{model}/{version}", key, why, told)
            self._promise(now, model, version, key, calibration)
        return key

    def _promise(self, now, model, version, key, calibration):
        "What is promised from now on; a calibration of the reference method promises nothing."
        if isinstance(calibration, Certainty):
            today = now.astimezone(ZoneInfo(self.timezone)).date()
            promise = of_rule(model, version, key, calibration, today)
            if promise is not None:
                self.issue_promise(now, promise)

    def _new_id(self, model, version):
        stored = self._value(
            "SELECT count(*) FROM calibrations WHERE model = $model AND version = $version",
            {"model": model, "version": version},
        )
        return f"{model}/{version}/{stored + 1}"
