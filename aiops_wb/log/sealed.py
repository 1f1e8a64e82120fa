"""Whether what decides is what the audit trail says: versions and their files, calibrations, the
kinds of features and what is published of them, the calendar, and models with fixed cuts.

A log that was made before hashes were recorded gets them with the next ingest, in one row that says
so; until then what was never recorded is told apart from what was found to be whole.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .base import unpublished
from .catalog import Reader
from .chain import ACCEPTED
from .feature_schema import LATEST
from .known_days import said_of_entry
from .published import published_text, schema_path
from .seals import COUNTED, calibration_seals, version_seals
from .store import Store
from .sums import sha256_of

__all__ = [
    "STANDS",
    "Deciding",
    "as_it_stands",
    "deciding_findings",
    "record_what_stands",
    "what_decides",
]

STANDS = "what stands"
"What is changed by the row that records hashes of what was made before there were any."

_KINDS = ("calibration", "version", "feature", "fixed cuts", "calendar entry")
_MAY_LACK = ("feature", "fixed cuts")
"Kinds of which a log that was made before hashes has no row in its trail at all."
_PARTS = {"row": "its card", "held_out_counts": "held-out days", "reference_counts": "reference"}


@dataclass(frozen=True)
class Deciding:
    "What was compared with the trail, what differs, and what the trail never knew."

    compared: int
    findings: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()  # of a log made before: nobody can tell whether it changed

    @property
    def intact(self) -> bool:
        "Whether nothing was found; what was never recorded is not intact."
        return not self.findings and not self.unrecorded


def what_decides(reader: Reader, closely: bool = True) -> Deciding:
    """Compare what decides with what the trail recorded of it, and the files of versions and the
    published kinds of features with the catalog; unless `closely`, without the counts that versions
    began with, which take longest."""
    rows = _rows(reader, closely)
    stands, trail = _stands(reader, rows), _Trail.of(reader)
    findings, unrecorded = [], []
    for kind in _KINDS:
        differs, unknown = trail.compare(kind, stands[kind])
        findings += differs
        unrecorded += unknown
    findings += _twice(rows) + _files(reader) + _published(reader)
    return Deciding(sum(map(len, stands.values())), tuple(findings), tuple(unrecorded))


def deciding_findings(reader: Reader, closely: bool = True) -> list[str]:
    "What of all that decides is not what the trail recorded, one sentence each."
    return list(what_decides(reader, closely).findings)


@dataclass
class _Trail:
    "What the trail recorded, by kind and name."

    whole: bool  # whether it must know everything
    known: dict[str, dict[str, Any]] = field(default_factory=lambda: {k: {} for k in _KINDS})
    named: dict[str, set[str]] = field(default_factory=lambda: {k: set() for k in _KINDS})

    @classmethod
    def of(cls, reader):
        trail = cls(_from_the_start(reader))
        rows = reader._rows(
            """
            SELECT what, subject, new, CASE WHEN json_valid(evidence) THEN evidence END
            FROM audit
            WHERE what IN (
                'registered', 'calibration', 'feature', 'calendar', 'holidays', $stands, $accepted)
            ORDER BY seq""",
            {"stands": STANDS, "accepted": ACCEPTED},
        )
        for what, subject, new, evidence in rows:
            trail.learn(what, subject, new, _mapping(json.loads(evidence) if evidence else None))
        return trail

    def learn(self, what, subject, new, evidence):
        "What one row says."
        sealed = _mapping(evidence.get("sealed"))
        match what:
            case "calibration":
                self.add("calibration", new, sealed.get("row"))
            case "registered":
                self.add("version", subject, sealed or None)
            case "feature":
                self.add("feature", subject, new)
            case "calendar":
                self.add("calendar entry", subject, [new, evidence.get("model")])
            case "holidays":  # all days of a country that were entered, or taken out, at once
                for entry, says in _mapping(evidence.get("entries")).items():
                    self.add("calendar entry", entry, [says, None])
            case _:  # all that stood: of what was recorded before, an owner's word alone counts
                anew = what == ACCEPTED
                for kind in _KINDS:
                    stood = _mapping(sealed.get(kind))
                    self.known[kind] = dict(stood) if anew else stood | self.known[kind]
                    self.named[kind] = stood.keys() | (set() if anew else self.named[kind])
                self.whole = True

    def add(self, kind, name, said):
        "Learn what is said of a name; None: no more than that it was there."
        self.named[kind].add(name)
        if said is not None:
            self.known[kind][name] = said

    def compare(self, kind, stands: Mapping[str, Any]):
        "Sentences about what differs, and names of what was never recorded."
        known, named = self.known[kind], self.named[kind]
        differs, unknown = [], []
        for name, now in sorted(stands.items()):
            if name in known:
                if how := _how(now, known[name]):
                    differs.append(f"{kind} {name} is not what the trail recorded{how}")
            elif not self.whole and (name in named or kind in _MAY_LACK):
                unknown.append(f"{kind} {name}")
            elif name in named:
                differs.append(f"{kind} {name} was recorded without its hash")
            else:
                differs.append(f"{kind} {name} stands in no row of the trail")
        gone = sorted((named | known.keys()) - stands.keys())
        differs += [f"{kind} {name} is in the trail and gone from the catalog" for name in gone]
        return differs, unknown


def _mapping(told):
    return told if isinstance(told, dict) else {}


def _how(now, recorded):
    "How what stands differs from what was recorded, in words; empty where it does not."
    if isinstance(now, dict) and isinstance(recorded, dict):
        parts = [_PARTS[part] for part in now if now[part] != recorded.get(part)]
        return f" ({', '.join(parts)})" if parts else ""
    if now == recorded:
        return ""
    if isinstance(now, str) and len(now) == 64:
        return " (its hash differs)"
    return f": {_said(now)} in the catalog, {_said(recorded)} in the trail"


def _said(told):
    "What is said of a feature or of an entry of the calendar, which may be struck out."
    parts = told if isinstance(told, list) else [told]
    return " of ".join(str(part) for part in parts if part is not None) or "struck out"


def _from_the_start(reader):
    "Whether the log was made with hashes in its trail."
    return reader._value("SELECT max(value) FROM workbench WHERE key = 'trail'") == "whole"


def as_it_stands(reader: Reader) -> dict[str, dict[str, Any]]:
    "All that decides, by kind and name: hashes, or what the trail says of it in words."
    return _stands(reader, _rows(reader, closely=True))


def _rows(reader, closely):
    "Kind -> name -> the hashes of the rows with it: one, if nobody put a further one in."
    counted = COUNTED if closely else ()
    versions = version_seals(reader, counted=counted)
    return {
        "calibration": calibration_seals(reader),
        "version": {"/".join(named): parts for named, parts in versions.items()},
    }


def _stands(reader, rows):
    cuts = reader._column("SELECT DISTINCT model FROM fixed_cuts ORDER BY 1")
    return {
        **{kind: {name: one[0] for name, one in named.items()} for kind, named in rows.items()},
        "feature": _kinds(reader),
        "fixed cuts": dict.fromkeys(cuts, True),
        "calendar entry": _entries(reader),
    }


def _kinds(reader):
    "Subject in the trail (model/feature) -> kind, where the kind is fixed or the trail names it."
    told = set(reader._column("SELECT DISTINCT subject FROM audit WHERE what = 'feature'"))
    rows = reader._rows(f"SELECT model, feature, kind, fixed FROM ({LATEST.format(where='')})")
    named = ((f"{model}/{feature}", kind, fixed) for model, feature, kind, fixed in rows)
    return {subject: kind for subject, kind, fixed in named if fixed or subject in told}


def _entries(reader):
    "Entry of the calendar -> what it says and of which model, as the trail has it."
    rows = reader._rows(
        """
        SELECT entry_id, removed, model,
               first, last, name, mutes, coalesce(holiday, false), tenant FROM calendar
        QUALIFY row_number() OVER (
            PARTITION BY entry_id ORDER BY recorded_at DESC, rowid DESC) = 1"""
    )
    return {
        key: [None, None] if removed else [said_of_entry(*said), model]
        for key, removed, model, *said in rows
    }


def _twice(rows):
    "Rows that stand more than once where each is written once."
    return [
        f"{kind} {name} stands {len(hashes)} times in the catalog"
        for kind, named in rows.items()
        for name, hashes in sorted(named.items())
        if len(hashes) > 1
    ]


def _files(reader):
    "Files of versions that are not those that were registered."
    findings = []
    rows = "SELECT model, version, path, state FROM models WHERE path <> '' ORDER BY ALL"
    for model, version, path, state in reader._rows(rows):
        expected = json.loads(state).get("sha256")
        if not expected:  # version 0.1 had versions without one
            continue
        try:
            found = sha256_of(reader.root / path)
        except OSError as error:
            why = error.strerror or str(error)
            findings.append(f"the file of {model} {version} cannot be read ({path}: {why})")
            continue
        if found != expected:
            findings.append(f"{path} is not the file that was registered as {model} {version}")
    return findings


def _published(reader):
    """Kinds of features that are not published as they are; while something waits to be published,
    nobody can tell."""
    if unpublished(reader.root):
        return []
    findings, words = [], reader.null_words()
    for model in reader._column("SELECT DISTINCT model FROM features ORDER BY 1"):
        path = schema_path(reader.spool, model)
        try:
            found = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            found = None if path.exists() else ""
        if found != published_text(model, reader.fixed_kinds(model), words):
            findings.append(
                f"{path} is not what was published of the features of "
                f"{model}: the next ingest writes it again"
            )
    return findings


def record_what_stands(store: Store, now: datetime, who: str) -> bool:
    """Record, once, the hashes of what was made before the trail held them; whether that was done.
    Nothing where the log was made with them, or the trail does not hold."""
    if _from_the_start(store) or store.in_force(STANDS, STANDS) or store.trail_problem():
        return False
    why = "made before hashes were recorded: whether it was changed before is not known"
    store.record(now, who, STANDS, STANDS, "recorded", why, {"sealed": as_it_stands(store)})
    return True
