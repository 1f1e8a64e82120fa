"""What an event of another system says: a prediction of the log, or an outcome.

An event is an object, or a CloudEvent whose `data` is one. Its keys are columns of the log by their
names, or by names that were told (`Reading`); other keys of a prediction are its features. The same
event gives the same row whenever it is read: its id comes from the event, from its envelope or from
its place in the source, its time likewise, and never from a clock.
"""

import json
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ..log.canonical import BOOLEANS, NAMES_NOTHING
from ..log.columns import COLUMNS, OUTCOME, OUTCOME_NAMES, PREDICTION, REQUIRED, ROUTES
from ..log.errors import StoreError
from ..log.json_rows import object_of_line
from ..log.one_point import LIMITS, points_of
from ..log.plain import Several, microseconds, plain, spelt
from ..log.reading import Limits
from ..stats.decisions import LEVELS
from .cloud_events import CloudEvent, is_cloud_event, read_cloud_event

__all__ = ["KINDS", "Entry", "Outcome", "Prediction", "Reading", "read_event"]

KINDS = {"aiops_wb.prediction": "predictions", "aiops_wb.outcome": "outcomes"}
"Types of CloudEvents that say what their data is."

_IDS = uuid.UUID("5b0d4bb4-53c8-5c0e-9d3f-5d6f3f0f6f11")
_TEXT = frozenset(name for of in COLUMNS.values() for name, t in of.items() if t == "VARCHAR")
_TIMES = frozenset(("predicted_at", "observed_at"))
_MADE_HERE = frozenset(("points", "decided_by"))
_NEVER = frozenset((*OUTCOME_NAMES, "source"))
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_NUMBERS = ("score", "latency_ms", "propensity", "arm_propensity")
_WORDS = {"route": ROUTES, "risk_level": LEVELS, "grid": tuple(LIMITS)}
_IN_LOG = ("entity_id", "site_id", "calibration_id", "risk_level", "route", "ladder")
_IN_LOG += ("automated", "latency_ms", "propensity", "event_key", "arm", "arm_propensity")
_FEATURE = "feature:"


class Entry(NamedTuple):
    """An event as it came. `source` and `place` say where from, to a person; `identity`, together
    with its text, stands for an event that has no id (None: it has to have one)."""

    raw: str | bytes
    source: str
    place: str
    identity: str | None = None
    at: datetime | None = None  # when the source took it, as far as the source says so
    envelope: Mapping[str, str] | None = None  # of a CloudEvent in binary mode: attribute -> text
    loose: bool = False  # an object of texts, of which some are numbers
    mark: Any = None  # the source's own name of it

    @property
    def text(self) -> str:
        "What came, as text that can be kept anywhere."
        if isinstance(self.raw, bytes):
            return self.raw.decode(errors="backslashreplace")
        return self.raw.encode(errors="backslashreplace").decode()


class Prediction(NamedTuple):
    "A prediction, to be logged: names, the threshold in points where it is told, and the rest."

    tenant: str
    model: str
    version: str
    grid: str
    threshold: int | None
    score: float
    predicted_at: datetime
    prediction_id: str
    features: dict[str, Any]
    columns: dict[str, Any]


class Outcome(NamedTuple):
    "A label, to be logged."

    source: str
    prediction_id: str | None
    label: int
    observed_at: datetime
    predicted_at: datetime | None
    event_key: str | None


@dataclass(frozen=True)
class Reading:
    """How events are spelt. `mapping`: our name -> their key, with dots a path into objects;
    `constants`: columns that are the same for all."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        known = PREDICTION.keys() | OUTCOME.keys()
        for names, what, never in (
            (self.mapping, "mapped", {"points"}),
            (self.constants, "set", {"points", "score", "label", "prediction_id"}),
        ):
            if unknown := sorted(set(names) - known | set(names) & never):
                allowed = ", ".join(name for name in {**PREDICTION, **OUTCOME} if name not in never)
                raise StoreError(
                    f"{unknown[0]!r} cannot be {what}: events have the columns {allowed}."
                )


def read_event(entry: Entry, reading: Reading) -> Prediction | Outcome:
    "What an event says; ValueError says why it cannot be taken."
    told = _object(entry, reading.limits)
    envelope, row = _opened(entry, told)
    if entry.loose:
        row = {name: _loose(name, cell, reading) for name, cell in row.items()}
    kind = _kind(row, envelope, reading)
    values = {name: _value(row, name, reading) for name in COLUMNS[kind]}
    _dated(values, "observed_at" if kind == "outcomes" else "predicted_at", entry, envelope)
    if kind == "outcomes":
        return _outcome(values)
    if values["prediction_id"] is None:
        values["prediction_id"] = _id_of(entry, envelope)
    return _prediction(values, _features(row, reading))


def _object(entry, limits):
    try:
        text = entry.raw if isinstance(entry.raw, str) else entry.raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not valid UTF-8") from None
    return object_of_line(text, limits)


def _opened(entry, told):
    "The envelope, where there is one, and the row in it."
    if entry.envelope is not None:
        whole = {**entry.envelope, "data": told}
        envelope = read_cloud_event(whole)
    elif is_cloud_event(told):
        envelope = read_cloud_event(told)
    else:
        return None, told
    if not isinstance(envelope.data, dict):
        raise ValueError("data of the CloudEvent is no object")
    return envelope, envelope.data


def _kind(row, envelope: CloudEvent | None, reading):
    "What a row is; ValueError where it could be both, or neither."
    if envelope is not None and envelope.type in KINDS:
        return KINDS[envelope.type]
    has = {name: _value(row, name, reading) is not None for name in ("score", "label")}
    if has["score"] == has["label"]:
        which = "both a score and a label" if has["score"] else "neither a score nor a label"
        raise ValueError(f"it has {which}: a prediction has the one, an outcome the other")
    return "predictions" if has["score"] else "outcomes"


def _value(row, name, reading):
    "The value of a column, None where nothing is told."
    value = reading.constants.get(name)
    if value is None:
        value = _found(row, reading.mapping.get(name, name))
    nothing = isinstance(value, str) and not value.strip()
    nothing = nothing or name in _TEXT and isinstance(value, float) and math.isnan(value)
    return None if nothing else value


def _found(row, path):
    "What stands at a key, or at a path of keys with dots between."
    if path in row:
        return row[path]
    first, dot, rest = path.partition(".")
    inner = row.get(first) if dot else None
    return _found(inner, rest) if isinstance(inner, dict) else None


def _loose(name, cell, reading):
    "A text as the number, the boolean or the object that it spells."
    paths = [path for path in reading.mapping.values() if path.startswith(f"{name}.")]
    ours = {our for our, path in reading.mapping.items() if path == name} or {name}
    if not isinstance(cell, str) or (ours <= _TEXT | _TIMES and not paths):
        return cell
    try:
        value = json.loads(cell, parse_constant=lambda word: word)
    except (ValueError, RecursionError):
        return cell
    nested = isinstance(value, (dict, list))
    return cell if nested and name != "features" and not paths else value


def _dated(values, name, entry, envelope):
    "Give a row without a time that of its envelope, or of its source."
    if values[name] is None:
        values[name] = (envelope and envelope.time) or entry.at
    if values[name] is None:
        raise ValueError(f"{name} is missing")


def _id_of(entry, envelope):
    "The id of an event that names none: of its envelope, else of its place and its text."
    if envelope is not None:
        parts = ["event", envelope.source, envelope.id]
    elif entry.identity is not None:
        parts = ["entry", entry.identity, entry.text]
    else:
        raise ValueError("prediction_id is missing")
    return str(uuid.uuid5(_IDS, json.dumps(parts)))


def _prediction(values, features):
    for name in REQUIRED["predictions"]:
        if values[name] is None:
            raise ValueError(f"{name} is missing")
    told = {name: _text(values[name], name) for name in PREDICTION if name in _TEXT}
    told |= {name: _number(values[name], name) for name in _NUMBERS}
    for name, allowed in _WORDS.items():
        if told[name] is not None and told[name] not in allowed:
            raise ValueError(f"{name} {told[name]!r} is not one of {', '.join(allowed)}")
    told["automated"] = _boolean(values["automated"])
    grid = told["grid"] or "logit"
    threshold = _number(values["threshold"], "threshold")
    return Prediction(
        told["tenant"] or "default",
        told["model"],
        told["version"],
        grid,
        None if threshold is None else _threshold(threshold, grid),
        told["score"],
        _time(values["predicted_at"], "predicted_at"),
        told["prediction_id"],
        features,
        {name: told[name] for name in _IN_LOG if told[name] is not None},
    )


def _threshold(score, grid):
    "Points of a threshold; ValueError names it, and not the score."
    try:
        return points_of(score, grid)
    except ValueError as error:
        raise ValueError(f"threshold: {error}") from None


def _outcome(values):
    if values["label"] is None:
        raise ValueError("label is missing")
    named = [_text(values[name], name) for name in ("prediction_id", "event_key")]
    if not any(named):
        raise ValueError(NAMES_NOTHING)
    early = values["predicted_at"]
    return Outcome(
        _text(values["source"], "source") or "events",
        named[0],
        _label(values["label"]),
        _time(values["observed_at"], "observed_at"),
        None if early is None else _time(early, "predicted_at"),
        named[1],
    )


def _features(row, reading):
    "Keys that are nothing else, and the members of `features`."
    theirs = {key for path in reading.mapping.values() for key in (path, path.partition(".")[0])}
    told = {}
    nested = None if "features" in theirs else row.get("features")
    if not isinstance(nested, dict | None):
        raise ValueError("features is no object")
    for name, cell in row.items():
        ours = name in PREDICTION or name in _MADE_HERE or name in theirs
        bare = name.removeprefix(_FEATURE)
        if ours or bare.strip().casefold() in _NEVER or name == "features":
            continue
        told[bare] = cell
    for name, cell in (nested or {}).items():
        bare = name.removeprefix(_FEATURE)
        if bare in told:
            raise ValueError(f"{bare!r} is told twice, of which only one can be the feature")
        if bare.strip().casefold() not in _NEVER:
            told[bare] = cell
    return told


def _text(value, name):
    "A text without blanks around it, None where nothing is told."
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        raise ValueError(f"{name} is not a text")
    return spelt(plain(value, name)).strip() or None


def _number(value, name):
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} {_short(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is not a number that a float64 can hold") from None


def _boolean(value):
    if value is None or isinstance(value, bool):
        return value
    told = BOOLEANS.get(str(value).strip().lower())
    if told is None:
        raise ValueError(f"automated {_short(value)} is not one of {', '.join(BOOLEANS)}")
    return told


def _label(value):
    told = {"true": 1, "false": 0}.get(str(value).strip().lower(), value)
    number = _number(told, "label")
    if number not in (0, 1):
        raise ValueError(f"label {_short(value)} is not 0 or 1")
    return int(number)


def _time(value, name):
    if isinstance(value, str):
        value = value.strip().upper()  # RFC 3339 allows t and z
    try:
        microseconds(value, name)
    except Several:
        raise ValueError(
            f"{name} {_short(value)} is no time with an offset: write 2013-04-01T12:00:00+02:00"
        ) from None
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _short(value):
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text):,} characters)"
