"""What a doctor asks of nights: clock, zone, whether rows and mornings come as they should, the
trail, the schedule, the backups."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from .anchor import read_anchors, verify_trail
from .asked import Asked, Check, Told, ago
from .backup_files import backups, read_manifest
from .catalog import Reader, open_snapshot
from .errors import StoreError
from .installed import Machine, Standing, standing
from .lease import DAILY, ended
from .schedule import named, seasons_told, times_in

__all__ = ["OF_NIGHTS"]

HOUR, DAY = timedelta(hours=1), timedelta(1)
SLACK = timedelta(minutes=5)
"What clocks of two machines may differ by."
MORNING_AGE, BACKUP_AGE = 2 * DAY, 7 * DAY
"A good morning, a backup, that is older than this is worth a look."
GRACE = 6 * HOUR
"What a morning may take until it counts as one that did not come."
KNOWN_LOADS = 5
"Days with rows from which on how often they come is known."

_LAGS = """
SELECT (any_value(committed_at) AT TIME ZONE $zone)::DATE - max(event_date) AS days
FROM batches JOIN data_files USING (batch_id)
WHERE batches.kind = 'predictions' AND only_model IS NULL
GROUP BY batch_id ORDER BY batch_id DESC LIMIT 31"""
_LOADS = """
SELECT DISTINCT (committed_at AT TIME ZONE $zone)::DATE AS day FROM batches
WHERE kind = $kind AND loaded > 0 AND only_model IS NULL ORDER BY day DESC LIMIT 60"""
_TODAY = "SELECT ($now::TIMESTAMPTZ AT TIME ZONE $zone)::DATE"
_MORNING = "SELECT max(started_at) FROM runs WHERE step = 'figures' AND state = 'ok'"
_ANY_TIME = "SELECT greatest(max(committed_at), (SELECT max(started_at) FROM runs)) FROM batches"


@contextmanager
def _log(asked: Asked) -> Iterator[Reader | None]:
    "The published log; None where there is none that can be read, which another check says."
    try:
        log = open_snapshot(asked.data)
    except (StoreError, OSError, duckdb.Error):
        yield None
        return
    with log:
        yield log


_UNREAD = ("look", "not known: nothing is published that can be read", "")


def _clock(asked: Asked) -> Told:
    "Whether the time of this machine goes on from what was recorded."
    with _log(asked) as log:
        if log is None:
            yield _UNREAD
            return
        newest, lags = log._value(_ANY_TIME), log._column(_LAGS, {"zone": log.timezone})
    now = f"{asked.now:%Y-%m-%d %H:%M}Z"
    if newest is not None and newest - asked.now > SLACK:
        state = "wrong" if newest - asked.now >= HOUR else "look"
        later = ago(newest - asked.now)
        says = f"it is {now} here, and the log goes to {newest:%Y-%m-%d %H:%M}Z, {later} later"
        yield (
            state,
            f"{says}: the clock is behind, or was ahead then",
            "set the clock (timedatectl)",
        )
        return
    usual = median(lags[1:]) if len(lags) > KNOWN_LOADS else None
    if usual is not None and lags[0] - usual >= 1:
        says = f"the newest predictions came {lags[0]:,} days after their day, usually {usual:g}"
        yield "look", f"{says}: the clock is ahead, or they came late", "look at the clock (date)"
        return
    yield "ok", f"it is {now}, after all that was recorded", ""


def _zone(asked: Asked) -> Told:
    "Whether days are counted as settings, system and schedule say."
    with _log(asked) as log:
        if log is None:
            yield _UNREAD
            return
        zone = log.timezone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "wrong", f"the rules of the zone {zone} are missing", "install tzdata"
        return
    settings, machine = asked.settings, Machine()
    if "timezone" in settings.model_fields_set and settings.timezone != zone:
        says = (
            f"the log counts days of {zone}, for good; timezone = '{settings.timezone}' is not used"
        )
        yield "look", says, f"set timezone = '{zone}'"
        return
    for one in standing(named(asked.data), machine):
        if problem := _other_zone(one, zone, machine, asked.now):
            how = "--cron" if one.kind == "cron" else f"--{one.kind}"
            yield "look", problem, f"'aiops-wb schedule install {how}' writes it anew"
            return
    yield "ok", f"days of {zone}; the zone of the system is {machine.zone.key}", ""


def _other_zone(one: Standing, zone, machine, now) -> str:
    "What a schedule says otherwise of zones; empty where it does not."
    if one.kind == "cron":
        meant = seasons_told("\n".join(one.texts.values()))
        if meant and {at for at, _ in one.times} != set(times_in(*meant, machine.zone, now)):
            at = f"{meant[0]:%H:%M} of {meant[1]}"
            return f"the crontab means {at}, and the zone of the system is another since"
        zones = {meant[1]} if meant else set()
    else:
        zones = {name for _, name in one.times}
    other = zones - {zone}
    return f"the schedule runs by {min(other)}, days are those of {zone}" if other else ""


def _morning(asked: Asked) -> Told:
    "When the last good morning was."
    with _log(asked) as log:
        if log is None:
            yield _UNREAD
            return
        last = log._value(_MORNING)
    if last is None:
        yield "ok", "none has run yet", ""
        return
    says = f"the last good one was {ago(asked.now - last)} ago"
    if asked.now - last > MORNING_AGE:
        yield "look", says, "'aiops-wb daily' makes up for what was missed and says what fails"
    else:
        yield "ok", says, ""


def _predictions(asked: Asked) -> Told:
    "When predictions came last, against how often they come."
    yield _rows_of(asked, "predictions")


def _labels(asked: Asked) -> Told:
    "The same of labels."
    yield _rows_of(asked, "outcomes")


def _rows_of(asked, kind):
    with _log(asked) as log:
        if log is None:
            return _UNREAD
        lives = log._value(_MORNING) is not None
        days = log._column(_LOADS, {"kind": kind, "zone": log.timezone})
        today = log._value(_TODAY, {"now": asked.now, "zone": log.timezone})
    return _late(days, today, lives)


def _late(days, today, lives):
    "What there is to say of the last rows of a kind; `days` on which some came, newest first."
    if not days:
        return "ok", "none ever came", ""
    says = f"the last came {(today - days[0]).days:,} days ago"
    if len(days) < KNOWN_LOADS or not lives:
        return "ok", f"{says}; how often they come is not known yet", ""
    most = max((b - a).days for a, b in zip(days[1:], days))
    if (today - days[0]).days > most + 1:
        do = "look whether services write into the spool, and what 'aiops-wb ingest' says"
        return "look", f"{says}, and never were they {most + 2:,} days apart before", do
    return "ok", f"{says}; at most {most:,} days lay between them", ""


def _chain(asked: Asked) -> Told:
    "Whether the audit trail holds, by itself and against the file of anchors."
    file = asked.settings.audit_anchor
    with _log(asked) as log:
        if log is None:
            yield _UNREAD
            return
        try:
            anchors = read_anchors(file).anchors if file else []
        except StoreError as error:
            yield "look", str(error).rstrip("."), ""
            anchors = []
        found = verify_trail(log, anchors)
        findings = [*found.findings, *log.length_findings()]
    if findings:
        do = "'aiops-wb audit verify' tells more; nothing that decides is changed until then"
        yield "wrong", f"the audit trail is broken: {findings[0]}", do
        return
    held = f"{found.anchored:,} of them anchored outside" if file else "none anchored outside"
    yield "ok", f"{found.rows:,} rows of the audit trail hold, {held}", ""


def _schedule(asked: Asked) -> Told:
    "Whether the morning begins by itself, is on, and did run."
    if not asked.data.is_dir():
        yield "look", f"{asked.data} is not there yet", "'aiops-wb ingest' makes it"
        return
    with _log(asked) as log:
        morning = None if log is None else log._value(_MORNING)
    ran = ended(asked.data, DAILY)  # where nothing was due, a good morning has no figures
    plan, machine = named(asked.data), Machine()
    stands = standing(plan, machine)
    if not stands:
        yield _unscheduled(morning, asked.now)
    for one in stands:
        yield _stands(
            one, plan, machine, max(filter(None, (morning, ran)), default=None), asked.now
        )


_INSTALL = "'aiops-wb schedule install' lets the morning begin by itself"


def _unscheduled(morning, now):
    if morning is not None and now - morning > MORNING_AGE:
        says = f"no schedule is installed, and the last good morning was {ago(now - morning)} ago"
        return "look", says, _INSTALL
    return "ok", "no schedule is installed here: something else starts 'aiops-wb daily'", ""


def _stands(one: Standing, plan, machine, ran, now):
    "What there is to say of a schedule that is installed."
    place = next(iter(one.texts)) if one.kind == "cron" else f"{plan.name}.timer"
    scope = " --user" if one.kind == "user" else ""
    if one.kind != "cron":
        if len(one.texts) < 2:
            again = f"'aiops-wb schedule install --{one.kind}' writes both anew"
            return "wrong", f"{place} stands without its timer or its service", again
        if not machine.has_systemd:
            return "wrong", f"{place} is installed, and systemd does not run here", _INSTALL
        if not one.enabled:
            do = f"systemctl{scope} enable --now {plan.name}.timer"
            return "wrong", f"{place} is installed and switched off", do
        if one.kind == "user" and not (machine.lingering / plan.owner).exists():
            says = f"{place} runs only while {plan.owner} is logged in"
            return "look", says, f"loginctl enable-linger {plan.owner}"
    coming = one.next_run(now)
    if coming is None:
        return "look", f"{place} is installed; when it runs is not read from it", ""
    due = coming - DAY
    if _since(one) < due and now - due > GRACE and (ran is None or ran < due):
        at = f"{due:%Y-%m-%d %H:%M} ({due.tzname()})"
        says = f"{place} should have run on {at}, and no run came to its end since"
        log = (
            f"journalctl{scope} -u {plan.name}.service"
            if one.kind != "cron"
            else "the mail of cron"
        )
        return "wrong", says, f"{log} tells what came of it"
    return "ok", f"{place} runs next on {coming:%Y-%m-%d %H:%M} ({coming.tzname()})", ""


def _since(one: Standing) -> datetime:
    "Since when a schedule is as it is; of a crontab nobody knows, and it counts as old."
    if one.kind == "cron":
        return datetime.min.replace(tzinfo=UTC) + 2 * DAY
    return datetime.fromtimestamp(max(os.stat(place).st_mtime for place in one.texts), UTC)


def _backup(asked: Asked) -> Told:
    "How old the newest backup is, where settings say where they lie."
    folder = asked.settings.backup_folder
    if folder is None:
        yield "ok", "not known: backup_folder of the settings says where backups lie", ""
        return
    made = backups(folder) if Path(folder).is_dir() else []
    do = f"aiops-wb backup {folder}"
    if not made:
        yield "look", f"there is no backup in {folder}", do
        return
    try:
        age = asked.now - read_manifest(made[-1]).made_at
    except StoreError as error:
        yield "wrong", str(error).rstrip("."), do
        return
    says = f"{made[-1]} was made {ago(age)} ago"
    yield ("look", says, do) if age > BACKUP_AGE else ("ok", says, "")


OF_NIGHTS: dict[str, Check] = {
    "clock": _clock,
    "zone": _zone,
    "morning": _morning,
    "predictions": _predictions,
    "labels": _labels,
    "chain": _chain,
    "schedule": _schedule,
    "backup": _backup,
}
"Name of a check -> what it does, in the order in which they are told."
