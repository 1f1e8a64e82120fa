"""What happened in the workbench as CloudEvents: a type and data for each sort of thing.

`id` is the same however often an event is sent, and `source` the same for as long as the log lives.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from ..config import Settings
from ..log.catalog import Reader
from ..log.happened import Happened
from ..watch.sinks import SENT
from .cloud_events import CloudEvent

__all__ = ["ALARM", "CASE", "TRAIL", "TYPES", "cloud_event", "source_of", "type_of"]

PREFIX = "aiops_wb."
UNNAMED = "trail.recorded"
"The type of a row of the trail that has none of its own."

CASE = {"opened": "case.opened", "updated": "case.updated"}
ALARM = {
    "opened": "alarm.opened",
    "graver": "alarm.graver",
    "closed": "alarm.closed",
}

BACK, GONE, ELSE = "(rolled back)", "(nothing)", "(else)"
"A row that puts back what stood before; one whose new value is none; any other."

TRAIL: Mapping[str, Mapping[str, str]] = {
    "case": {ELSE: "case.acknowledged", "closed": "case.closed"},
    "case mute": {ELSE: "case.muted"},
    "case assignee": {ELSE: "case.assigned"},
    "case comment": {ELSE: "case.commented"},
    "alarm": {ELSE: "alarm.acknowledged"},
    "alarm mute": {ELSE: "alarm.muted"},
    "threshold": {ELSE: "threshold.changed", BACK: "threshold.rolled_back"},
    "threshold proposal": {
        ELSE: "threshold.proposed",
        "approved": "threshold.approved",
        "rejected": "threshold.rejected",
        "withdrawn": "threshold.withdrawn",
    },
    "dial": {ELSE: "dial.changed"},
    "registered": {ELSE: "version.registered"},
    "model": {ELSE: "version.promoted", BACK: "version.rolled_back"},
    "challenger": {ELSE: "version.shadow_began", "ended": "version.shadow_ended"},
    "proposal": {ELSE: "version.proposed"},
    "calibration": {ELSE: "calibration.changed", BACK: "calibration.rolled_back"},
    "reference": {ELSE: "reference.changed"},
    "retrain": {ELSE: "retrain.switched"},
    "retrain tenant": {ELSE: "retrain.tenant_switched"},
    "retrain all": {ELSE: "retrain.allowed", "stopped": "retrain.stopped"},
    "retrain approval": {ELSE: "retrain.approved"},
    "ab": {ELSE: "ab.started", "off": "ab.stopped"},
    "exploration": {ELSE: "exploration.changed"},
    "watch": {ELSE: "watch.changed"},
    "never": {ELSE: "labels.never_changed"},
    "outcome columns": {ELSE: "labels.columns_changed"},
    "feature": {ELSE: "feature.changed"},
    "feature allowed": {ELSE: "feature.allowed"},
    "feature name": {ELSE: "feature.named"},
    "null words": {ELSE: "feature.null_words_changed"},
    "sites": {ELSE: "sites.changed"},
    "calendar": {ELSE: "calendar.added", GONE: "calendar.removed"},
    "holidays": {ELSE: "holidays.added", GONE: "holidays.removed"},
    "token": {ELSE: "token.made", "revoked": "token.revoked"},
    "forgotten": {ELSE: "log.forgotten"},
    "compacted": {ELSE: "log.compacted"},
    "day file": {ELSE: "log.day_file_changed"},
    "rejected": {ELSE: "log.rejected_removed"},
    "restore": {ELSE: "log.restored"},
    "what stands": {ELSE: "trail.what_stands"},
    "trail accepted": {ELSE: "trail.accepted"},
}
"What the trail calls a change -> what it became -> the type."

TYPES = frozenset(
    PREFIX + name
    for names in ({ELSE: UNNAMED}, CASE, ALARM, *TRAIL.values())
    for name in names.values()
)
"Every type."

ALARM_DATA = ("event_id", "model", "version", "stream", "kind", "severity", "state", "title")
ALARM_DATA += ("text", "effect", "lower", "unit", "since", "opened_on", "event_date", "muted")
TRAIL_DATA = ("seq", "who", "what", "subject", "old", "new", "why", "hash")


def type_of(what: str, new: str | None, evidence: Any) -> str:
    "The type of a row of the trail."
    names = TRAIL.get(what, {ELSE: UNNAMED})
    back = isinstance(evidence, dict) and evidence.get("rolled_back") is True
    became = BACK if back and BACK in names else GONE if new is None else new
    return PREFIX + names.get(became, names[ELSE])


def cloud_event(of: Happened, source: str) -> CloudEvent:
    "Something that happened, as it is sent."
    kind, subject, data = _BY_SORT[of.sort](of.happened, of.row)
    return CloudEvent(of.id, source, kind, data, _instant(of.at), subject)


def _of_case(happened, row):
    data = {name: _plain(row[name]) for name in SENT} | {"update": happened == "updated"}
    return PREFIX + CASE[happened], row["case_id"], data


def _of_alarm(happened, row):
    data = {name: _plain(row[name]) for name in ALARM_DATA}
    return PREFIX + ALARM[happened], row["event_id"], data


def _of_trail(what, row):
    evidence = None if row["evidence"] is None else json.loads(row["evidence"])
    data = {name: _plain(row[name]) for name in TRAIL_DATA} | {"evidence": evidence}
    # whom a case is about is known here alone, and no more once they are forgotten
    subject = row["case_id"] or row["subject"]
    if what.partition(" ")[0] == "case":
        data["case_id"] = subject
    return type_of(what, row["new"], evidence), subject, data


_BY_SORT = {"case": _of_case, "alarm": _of_alarm, "trail": _of_trail}


def _plain(value):
    "A value as JSON has it."
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _instant(at):
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def source_of(reader: Reader, settings: Settings) -> str | None:
    """How the workbench calls itself: as the settings say, else by the name of its log, which moves
    with it. None where it has none yet: what happens then waits."""
    name = reader.known_as()
    return settings.events_source or (f"urn:aiops-wb:{name}" if name else None)
