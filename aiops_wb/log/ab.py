"""A/B tests: which arm decides an entity's events, and what became of the entities.

The plan of a test is a row of the audit trail, whole, written when it begins; another one ends it.
It decides as long as what it began beside stands: when the version that scores, its threshold or
the dial is changed meanwhile, by whomever, nobody is in an arm any more, nor when it is put back.
"""

import json
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from ..stats.ab import MILLION, Arm, Plan
from .audit import AuditWrites
from .base import conditions, known_by
from .dial import DialReads, subject_of
from .duck import literal
from .errors import StoreError
from .events import EventReads
from .known import KNOWN_SINCE
from .schema import EMPTY

__all__ = ["OFF", "AbReads", "AbWrites", "AbTest", "in_b_sql", "plan_of", "told_arm"]

WHAT = "ab"
OFF = "off"
"What the trail says where no test runs any more."


def plan_of(told: str | None) -> Plan | None:
    "The plan that a row of the trail says is in force; None where it says of none."
    if told in (None, OFF):
        return None
    known = json.loads(told)
    return Plan(**known | {name: Arm(*known[name]) for name in ("a", "b")})


def told_arm(plan: Plan, arm: str) -> str:
    "How the arm of a test stands in a row of the log."
    return f"{plan.test}/{arm}"


def in_b_sql(plan: Plan) -> str:
    "Whether an event's entity is in arm B, as SQL; the twin of `arm_of`."
    digits = f"substr(md5(concat({literal(f'ab/{plan.test}/')}, entity_id)), 1, 8)"
    share = round(plan.share * MILLION)
    return f"(CAST('0x' || {digits} AS BIGINT) * {MILLION} < {share} * {2**32})"


class AbTest(NamedTuple):
    "A test of a model: its plan, who began it when and why, when it ended and why; None: it runs."

    plan: Plan
    began: datetime
    who: str
    why: str
    ended: datetime | None
    ended_why: str | None

    def last_cohort(self, today: date, zone: ZoneInfo) -> date:
        """The newest cohort that has entered on a day, or that was followed to the end of its
        window before the test ended."""
        newest = self.plan.newest(today)
        if self.ended is None:
            return newest
        whole = self.ended.astimezone(zone).date() - timedelta(self.plan.window)
        return min(newest, whole)


class AbReads(DialReads, EventReads):
    "Tests of a model, and the entities in them."

    def ab_test(self, model: str, as_of: datetime | None = None) -> Plan | None:
        "The plan by which events of a model are decided at a time; None where no test runs."
        plan = plan_of(self.in_force(WHAT, model, as_of))
        return plan if plan and self.ab_tests(model, as_of)[-1].ended is None else None

    def _overtaken(self, model, plan, as_of):
        "Why a plan decides nothing although nobody stopped it; empty: it does."
        active = self.active_version(model, as_of)
        if active != plan.a.version:
            return f"version {active} was promoted"
        if self.threshold(model, active, as_of) != plan.a.threshold:
            return f"the threshold of {active} was changed"
        if not self.dial(model, as_of).on:
            return "the dial was turned off"
        apart = any(self.own_thresholds(model, arm.version, as_of) for arm in (plan.a, plan.b))
        return "a tenant or a site got a threshold of its own" if apart else ""

    def ab_tests(self, model: str, as_of: datetime | None = None) -> list[AbTest]:
        "Every test of a model, in order, as it was known at a time."
        where, values = conditions(what=WHAT, subject=model, changed_at__le=as_of)
        rows = self._rows(
            f"SELECT changed_at, who, new, why FROM audit{where} ORDER BY seq", values
        )
        found = []
        for at, (began, who, told, why) in enumerate(rows):
            plan, after = plan_of(told), rows[at + 1] if at + 1 < len(rows) else None
            if plan is not None:
                end, reason = self._end(model, plan, began, after, as_of)
                found.append(AbTest(plan, began, who, why, end, reason))
        return found

    def _end(self, model, plan, began, after, as_of):
        "When a test ended and why: by a row of the trail, or by a change of what it stood beside."
        for at in self.changed_at(self.ab_subjects(model, plan)):
            inside = at > began and (after is None or at < after[0])
            if inside and known_by(at, as_of):
                why = self._overtaken(model, plan, at)
                if why:
                    return at, why
        return (after[0], after[3]) if after else (None, None)

    def ab_subjects(self, model: str, plan: Plan) -> list[tuple[str, str]]:
        "What of the trail a test stands beside, as (what, subject)."
        versions = {plan.a.version, plan.b.version}
        scopes = [(v, s) for v in versions for s in (None, *self.threshold_scopes(model, v))]
        return [("model", model), ("dial", model)] + [
            ("threshold", subject_of(model, version, scope)) for version, scope in scopes
        ]

    def ab_changes(self, model: str) -> list[tuple[str, str]]:
        "All that may begin or end a test of a model, as (what, subject); nothing without a test."
        where, values = conditions(what=WHAT, subject=model)
        look = lambda: self._column(f"SELECT new FROM audit{where}", values)
        tests = self._until_written("audit", "plans", look, (WHAT, model))
        plans = filter(None, map(plan_of, tests))
        subjects = {one for plan in plans for one in self.ab_subjects(model, plan)}
        return sorted(subjects | {(WHAT, model)}) if tests else []

    def ab_entities(self, model: str, test: AbTest, as_of: datetime | None = None) -> pd.DataFrame:
        """The entities of a test as known at a time, in order of their names: entity_id, cohort
        (the day of its first event), arm, crossed (whether it was decided by both), and of the
        events of its window n, calls, labelled, positive, false_calls, missed, and late (labels
        that came after its cohort had entered and are not counted).

        Labels count as known when the cohort enters, those of a younger one as known now; an event
        that was taken in more than that age after its day is left out. Reads the rows of the
        days."""
        plan, known = test.plan, self.known(as_of)
        zone = ZoneInfo(self.timezone)
        days = {"event_date__ge": test.began.astimezone(zone).date(), "batch_id__in": known}
        if test.ended:
            days["event_date__le"] = test.ended.astimezone(zone).date()
        files = self.files("predictions", model=model, **days)
        if not files:
            return pd.DataFrame(columns=_COLUMNS)
        rows = self.known_rows((file[0] for file in files), known)
        sql = _ENTITIES.format(
            rows=f"(SELECT * FROM {rows} UNION ALL BY NAME {EMPTY['predictions']})",
            outcomes=self._outcomes(days),
            since=KNOWN_SINCE,
        )
        told = {"a": told_arm(plan, "A"), "b": told_arm(plan, "B"), "zone": self.timezone}
        return self.frame(sql, told | {"window": plan.window, "mature": plan.mature})


_COLUMNS = (
    *("entity_id", "cohort", "arm", "crossed", "n", "calls"),
    *("labelled", "positive", "false_calls", "missed", "late"),
)
_ENTITIES = """
    WITH since AS (SELECT batch_id, {since} AS since FROM batches),
    seen AS MATERIALIZED (
        SELECT prediction_id, entity_id, arm, predicted_at, event_date::DATE AS day,
               route IN ('ticket', 'alert') AND coalesce(propensity, 1) = 1 AS called
        FROM {rows} LEFT JOIN since USING (batch_id)
        WHERE arm IN ($a, $b) AND entity_id IS NOT NULL
          AND coalesce(since, '-infinity') <=
              timezone($zone, (event_date::DATE + $mature + 1)::TIMESTAMP)),
    entities AS (
        SELECT entity_id, min(day) AS cohort, right(arg_min(arm, (predicted_at, prediction_id)), 1)
                   AS arm, count(DISTINCT arm) > 1 AS crossed
        FROM seen GROUP BY entity_id),
    inside AS MATERIALIZED (
        SELECT prediction_id, entity_id, cohort, called,
               timezone($zone, (cohort + $window + $mature)::TIMESTAMP) AS enters
        FROM seen JOIN entities USING (entity_id)
        WHERE day < cohort + $window),
    told AS (
        SELECT prediction_id, label, observed_at, batch_id,
               coalesce(since, '-infinity') <= enters AS in_time
        FROM (SELECT * FROM ({outcomes}) SEMI JOIN inside USING (prediction_id))
        LEFT JOIN since USING (batch_id) JOIN inside USING (prediction_id)),
    labels AS (
        SELECT prediction_id, label FROM told WHERE in_time
        QUALIFY row_number() OVER (
            PARTITION BY prediction_id
            ORDER BY batch_id DESC, observed_at DESC, label DESC) = 1),
    later AS (SELECT DISTINCT prediction_id, true AS late FROM told ANTI JOIN labels
              USING (prediction_id))
    SELECT entity_id, any_value(e.cohort) AS cohort, any_value(arm) AS arm,
           any_value(crossed) AS crossed, count(*) AS n, count(*) FILTER (called) AS calls,
           count(label) AS labelled, count(*) FILTER (label = 1) AS positive,
           count(*) FILTER (called AND label = 0) AS false_calls,
           count(*) FILTER (NOT called AND label = 1) AS missed, count(late) AS late
    FROM inside JOIN entities e USING (entity_id) LEFT JOIN labels USING (prediction_id)
    LEFT JOIN later USING (prediction_id)
    GROUP BY entity_id ORDER BY entity_id"""


class AbWrites(AbReads, AuditWrites):
    "Tests begun and ended, recorded."

    def begin_ab(
        self,
        now: datetime,
        who: str,
        model: str,
        plan: Plan,
        why: str,
        evidence: dict | None = None,
    ) -> Plan:
        """Let a test decide from now on; returns its plan, that of the same test where the same
        person began it for the same reason. StoreError where another one runs."""
        stands = self.ab_test(model)
        same = stands is not None and replace(stands, test=plan.test) == plan
        if same and self._is_latest(WHAT, model, who, why):
            return stands
        if stands is not None:
            raise StoreError(
                f"test {stands.test} of {model} runs: end it with 'aiops-wb ab stop' before "
                "another one begins."
            )
        self.record(now, who, WHAT, model, json.dumps(asdict(plan)), why, evidence)
        return plan

    def end_ab(self, now: datetime, who: str, model: str, why: str) -> None:
        """End the test of a model: from now on nobody is in an arm. StoreError where none runs,
        unless this person ended it for this reason."""
        if plan_of(self.in_force(WHAT, model)) is not None:
            self.record(now, who, WHAT, model, OFF, why)
        elif not self._is_latest(WHAT, model, who, why, new=OFF):
            raise StoreError(f"no test of {model} runs: 'aiops-wb ab start' begins one.")
