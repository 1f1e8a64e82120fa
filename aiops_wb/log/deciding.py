"""A score is enough: predictions that come without a route are decided when they are taken in.

Each by what was in force at its time: the dial, the threshold of its site, tenant or version, and
the calibration. What a scoring service decided itself stays as it is; a level that it named without
a route is what the route follows from.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ..stats.ab import Plan
from ..stats.decisions import LEVELS, RISK_CUTS, Ladder
from ..stats.points import Grid
from ..stats.selective import MILLION, Exploration
from .ab import in_b_sql, told_arm
from .columns import PREDICTION
from .dial import BEGIN, subject_of
from .duck import identifier, literal
from .errors import StoreError
from .exploring import chances_sql, drawn_sql
from .store import Store

__all__ = ["DECIDED", "Named", "decided", "decided_elsewhere", "named"]

DECIDED = ("calibration_id", "risk_level", "route", "automated", "ladder", "propensity")
DECIDED += ("arm", "arm_propensity")
"Columns of a prediction that are the decision, or say what it rests on."

_STANDING = {
    "model": "VARCHAR",
    "version": "VARCHAR",
    "tenant": "VARCHAR",
    "site_id": "VARCHAR",
    "since": "TIMESTAMPTZ",
    "high": "INTEGER",
    "low": "INTEGER",
    "medium": "INTEGER",
    "critical": "INTEGER",
    "usual": "INTEGER",
    "named": "VARCHAR",
    "calibration_id": "VARCHAR",
    "ticket": "INTEGER",
    "until": "TIMESTAMPTZ",
    "explores": "INTEGER",
    "tested": "INTEGER",
}
"""What stood since a time: points where HIGH begins (missing: as the prediction has it, else
`usual`), where the other levels do, counted from there, and where tickets do, until a calibration
is too old. `named`: the ladder of the version's own threshold. `explores`: which of some chances
events below HIGH have to be looked at; `tested`: which of some tests decides by arms."""


_AT = {name: place for place, name in enumerate(_STANDING)}


class _Plans(NamedTuple):
    "Chances of review and A/B tests that stood at some time."

    explored: list[Exploration]
    tested: list[Plan]


class Named(NamedTuple):
    "Predictions of the same names, and from when to when those without a route are, if any."

    tenant: str
    model: str
    version: str
    grid: str
    first: datetime | None
    last: datetime | None


def named(con, source: str) -> list[Named]:
    "The predictions of a source by their names."
    rows = con.execute(
        f"""
        SELECT tenant, model, version, "grid", min(predicted_at) FILTER (route IS NULL),
               max(predicted_at) FILTER (route IS NULL)
        FROM {source} GROUP BY ALL"""
    )
    return [Named(*row) for row in rows.fetchall()]


def decided(
    store: Store, source: str, found: Sequence[Named], cuts: tuple[float, ...] = RISK_CUTS
) -> str:
    """The rows of a source of predictions, as SQL, with those that nobody decided decided where the
    dial of their model is on, and a column `decided_by`: workbench or service."""
    plans = _Plans([], [])
    rows = [row for one in _undecided(found) for row in _standing(store, *one, cuts, plans)]
    if all(row[_AT["usual"]] is None for row in rows):
        return f"""(
            SELECT *, CASE WHEN route IS NOT NULL THEN 'service' END AS decided_by
            FROM {source})"""
    versions = {row[:2] for row in rows}
    unchanged, scoped = len(rows) == len(versions), _scoped(rows)
    return f"({_decisions(source, _table(rows), unchanged, scoped, plans)})"


def _undecided(found):
    "Model, version and grid of the predictions without a route, and their first and last time."
    times = {}
    for one in found:
        if one.first is not None:
            times.setdefault((one.model, one.version, one.grid), []).extend((one.first, one.last))
    return [(*names, min(of), max(of)) for names, of in times.items()]


def _table(rows):
    "What stood, as SQL."
    values = ", ".join(
        f"({', '.join('NULL' if cell is None else literal(cell) for cell in row)})" for row in rows
    )
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in _STANDING.items())
    return f"(SELECT {typed} FROM (VALUES {values}) AS told({', '.join(_STANDING)}))"


def _scoped(rows):
    "Whether tenants or sites had thresholds of their own."
    return any(row[_AT["tenant"]] is not None for row in rows)


def _standing(store, model, version, grid, first, last, cuts, plans) -> Iterator[tuple]:
    """What stood for a version from a time to another: a row since each change, for each scope.
    Chances and tests that stood are added to `plans`."""
    subject, scopes = subject_of(model, version, None), store.threshold_scopes(model, version)
    subjects = [subject_of(model, version, scope) for scope in scopes]
    changes = store.changed_at(
        [("dial", model), ("exploration", model)]
        + [(what, subject) for what in ("threshold", "calibration")]
        + [("threshold", one) for one in subjects]
        + store.ab_changes(model)
    )
    begin = max((at for at in changes if at <= first), default=BEGIN)
    for since in [begin, *(at for at in changes if first < at <= last)]:
        dial = store.dial(model, since)
        fixed = dial.ladder(None, Grid(grid), cuts) if dial.on else None
        own = store.own_thresholds(model, version, since) if fixed else {}
        usual = store.threshold(model, version, since) if fixed else None
        rests = (
            *_rests_on(store, model, version, since),
            _place(store.exploration(model, since), plans.explored),
            _place(store.ab_test(model, since), plans.tested),
        )
        for scope in [(None, None), *scopes]:
            tenant, site = scope
            if tenant is not None and scope not in own:
                yield (model, version, tenant, site, since, *[None] * 11)
                continue
            high = own[scope] if tenant is not None else usual
            named = fixed and (fixed if usual is None else fixed.at(usual)).name
            yield (model, version, tenant, site, since, high, *_steps(fixed), named, *rests)


def _steps(fixed: Ladder | None):
    "The starts of LOW, MEDIUM and CRITICAL, from that of HIGH, and that itself."
    if fixed is None:
        return (None,) * 4
    low, medium, high, critical = fixed.starts
    return low - high, medium - high, critical - high, high


def _place(plan, plans):
    "The place of a plan among some, to which it is added; None where there is none."
    if plan is None:
        return None
    if plan not in plans:
        plans.append(plan)
    return plans.index(plan)


def _rests_on(store, model, version, at):
    "The calibration in force at a time: its id, the points of its tickets, and its end."
    stands = store.calibration(model, version, at)
    if stands is None:
        return (None,) * 3
    key, known = stands
    made, lives = known.calibration.created_at, known.calibration.time_to_live
    return key, known.rule.threshold, made + lives if made and lives else None


_LEVEL = "CASE {} END".format(
    " ".join(
        f"WHEN points >= high + {step} THEN '{level}'"
        for level, step in zip(reversed(LEVELS[1:]), ("critical", "0", "medium", "low"))
    )
    + f" ELSE '{LEVELS[0]}'"
)
_HIGH = (
    "CASE WHEN risk_level IS NULL THEN points >= high ELSE risk_level IN ('HIGH', 'CRITICAL') END"
)
_CERTAIN = "points >= ticket AND (until IS NULL OR predicted_at <= until)"
_ROUTE = f"CASE WHEN NOT {_HIGH} THEN 'monitor' WHEN {_CERTAIN} THEN 'ticket' ELSE 'alert' END"
_STARTS = ", ".join(
    f"CAST({start} AS STRING)"
    for start in ("high + low", "high + medium", "high", "high + critical")
)
_MADE = {
    "calibration_id": "coalesce(calibration_id, stands)",
    "risk_level": f"coalesce(risk_level, {_LEVEL})",
    "route": _ROUTE,
    "automated": f"NOT {_HIGH} OR coalesce({_CERTAIN}, false)",
    # of a level that was named elsewhere no ladder is known; rows of one need not make its name
    "ladder": "CASE WHEN risk_level IS NOT NULL THEN ladder WHEN high = usual THEN named "
    f"ELSE concat_ws('/', {_STARTS}) END",
}


def _explored(chosen):
    "What is otherwise where events are looked at by chance; `chosen`: which ones, as SQL."
    drawn = f"(NOT {_HIGH} AND propensity IS NULL AND {chosen})"
    return {
        "route": f"CASE WHEN {drawn} THEN 'alert' ELSE {_ROUTE} END",
        "automated": f"NOT coalesce({drawn}, false) AND ({_MADE['automated']})",
        # what came with a chance of its own was drawn, or not, by who says so
        "propensity": f"coalesce(propensity, CASE WHEN millionths IS NULL THEN NULL WHEN {_HIGH} "
        f"THEN 1 ELSE millionths / CAST({MILLION} AS DOUBLE) END)",
    }


_EXPLORED = _explored(drawn_sql("millionths"))
"What is otherwise where events are looked at by chance."
_TESTED = {
    "arm": "coalesce(arm, drawn_arm)",
    "arm_propensity": "CASE WHEN arm IS NULL THEN arm_chance ELSE arm_propensity END",
}
"What is otherwise where an A/B test runs."


def _arms(tests):
    """The arm of an event, its threshold and its chance, as SQL; missing where no test decides, or
    a version scored that its arm does not have."""
    if not tests:
        return "NULL", "NULL::INTEGER", "NULL"
    of = [
        (told_arm(plan, name), arm.threshold, plan.chance(name), arm.version, name == "B", at)
        for at, plan in enumerate(tests)
        for name, arm in (("A", plan.a), ("B", plan.b))
    ]
    drawn = " ".join(
        f"WHEN s.tested = {at} AND {'' if is_b else 'NOT '}{in_b_sql(tests[at])} "
        f"AND r.version = {literal(version)} THEN {literal(told)}"
        for told, _, _, version, is_b, at in of
    )
    cases = [" ".join(f"WHEN {literal(o[0])} THEN {o[k]}" for o in of) for k in (1, 2)]
    high, chance = (f"CASE drawn_arm {case} END" for case in cases)
    return f"CASE WHEN r.entity_id IS NULL THEN NULL {drawn} END", high, chance


def _decisions(source, standing, unchanged, with_scopes, plans):
    "The rows of a source beside what stood at their time, and what follows from it."
    of_version = "s.model = r.model AND s.version = r.version"
    if unchanged:  # all the time: which is told with less
        joined, own = f"FROM {source} AS r LEFT JOIN {standing} AS s ON {of_version}", "NULL"
    else:
        of_version += " AND s.since <= r.predicted_at"
        joined = f"""
        FROM {source} AS r
        ASOF LEFT JOIN (FROM standing WHERE tenant IS NULL) AS s ON {of_version}"""
        own = "NULL"
    if with_scopes:
        joined += f"""
        ASOF LEFT JOIN (FROM standing WHERE tenant IS NOT NULL AND site_id IS NULL) AS t
            ON {of_version.replace("s.", "t.")} AND t.tenant = r.tenant
        ASOF LEFT JOIN (FROM standing WHERE site_id IS NOT NULL) AS u
            ON {of_version.replace("s.", "u.")} AND u.tenant = r.tenant AND u.site_id = r.site_id"""
        own = "coalesce(u.high, t.high)"
    made = ", ".join(
        f"CASE WHEN here THEN {sql} ELSE {name} END AS {name}"
        for name, sql in (
            _MADE | (_EXPLORED if plans.explored else {}) | (_TESTED if plans.tested else {})
        ).items()
    )
    beside_row = ("low", "medium", "critical", "usual", "named", "ticket", "until", "millionths")
    beside_row += ("drawn_arm", "arm_chance")
    chances = " ".join(
        f"WHEN {at} THEN {chances_sql(plan)}" for at, plan in enumerate(plans.explored)
    )
    millionths = f"CASE s.explores {chances} END" if plans.explored else "NULL"
    arm, arm_high, arm_chance = _arms(plans.tested)
    of_row = ", ".join(map(identifier, beside_row))
    beside = "" if unchanged else f"WITH standing AS MATERIALIZED {standing}"
    return f"""{beside}
        SELECT * EXCLUDE (here, high, stands, {of_row}) REPLACE ({made}),
               CASE WHEN here THEN 'workbench' WHEN route IS NOT NULL THEN 'service' END
                   AS decided_by
        FROM (SELECT r.*, r.route IS NULL AND s.usual IS NOT NULL AS here,
                     {arm} AS drawn_arm, {arm_chance} AS arm_chance,
                     coalesce({arm_high}, {own}, s.high, r.threshold, s.usual) AS high,
                     s.low, s.medium, s.critical, coalesce(s.high, s.usual) AS usual, s.named,
                     s.ticket, s.until, s.calibration_id AS stands, {millionths} AS millionths
              {joined})"""


_DIGITS = "0123456789abcdef"
_HEX = " + ".join(
    f"CAST(INSTR('{_DIGITS}', SUBSTR(drawn, {at}, 1)) - 1 AS BIGINT) * {16 ** (8 - at)}"
    for at in range(1, 9)
)
_ELSEWHERE = _MADE | _explored(f"({_HEX}) * {MILLION} < CAST(millionths AS BIGINT) * {2**32}")
"What follows from what stood, in SQL that any engine speaks."
_BESIDE = ("low", "medium", "critical", "named", "ticket", "until")


def decided_elsewhere(
    store: Store,
    found: Sequence[Named],
    columns: Sequence[str],
    cuts: tuple[float, ...] = RISK_CUTS,
) -> tuple[dict[str, str], dict[str, str]]:
    """The same for an engine: what it is told (relation -> SQL of the catalog), and the steps from
    its relation `delivered`, which has these columns, to the one `decided`."""
    plans = _Plans([], [])
    rows = [row for one in _undecided(found) for row in _standing(store, *one, cuts, plans)]
    if all(row[_AT["usual"]] is None for row in rows):
        by = "CASE WHEN route IS NOT NULL THEN 'service' END AS decided_by"
        return {}, {"decided": f"SELECT {', '.join(columns)}, {by} FROM delivered"}
    if plans.tested:
        raise StoreError(
            f"the A/B test {plans.tested[0].test} decides some of these events, and none of them "
            "has a route: decide and log them with their arm where they are scored, or take them "
            "in by 'aiops-wb ingest'."
        )
    standing = f"""
        SELECT *, lead(since) OVER (
                   PARTITION BY model, version, tenant, site_id ORDER BY since) AS ends
        FROM {_table(rows)}"""
    made = _ELSEWHERE if plans.explored else _MADE
    values = [
        f"CASE WHEN here THEN {made[c]} ELSE {c} END AS {c}" if c in made else c for c in columns
    ]
    by = """CASE WHEN here THEN 'workbench' WHEN route IS NOT NULL THEN 'service' END
                AS decided_by"""
    return {"standing": standing}, {
        "beside": _beside_elsewhere(plans.explored),
        "decided": f"SELECT {', '.join([*values, by])} FROM beside",
    }


def _beside_elsewhere(plans):
    "Delivered rows beside what stood at their time; a tenant's or a site's own goes before."
    chances = " ".join(f"WHEN {at} THEN {chances_sql(plan, 'r.')}" for at, plan in enumerate(plans))
    told = [f"s.{name}" for name in _BESIDE]
    told += ["coalesce(s.high, s.usual) AS usual", "s.calibration_id AS stands"]
    told += [f"CASE s.explores {chances} END AS millionths"] if plans else []
    drawn = "substr(md5(concat('explore/', r.model, '/', r.prediction_id)), 1, 8) AS drawn"
    told += [drawn] if plans else []
    then = """{0}.model = r.model AND {0}.version = r.version AND {0}.since <= r.predicted_at
            AND ({0}.ends IS NULL OR r.predicted_at < {0}.ends)"""
    return f"""
        SELECT r.*, r.route IS NULL AND s.usual IS NOT NULL AS here,
               coalesce(u.high, t.high, s.high, r.threshold, s.usual) AS high, {", ".join(told)}
        FROM delivered AS r
        LEFT JOIN (SELECT * FROM standing WHERE tenant IS NULL) AS s ON {then.format("s")}
        LEFT JOIN (SELECT * FROM standing WHERE tenant IS NOT NULL AND site_id IS NULL) AS t
            ON {then.format("t")} AND t.tenant = r.tenant
        LEFT JOIN (SELECT * FROM standing WHERE site_id IS NOT NULL) AS u
            ON {then.format("u")} AND u.tenant = r.tenant AND u.site_id = r.site_id"""


assert set(DECIDED) <= set(PREDICTION)
