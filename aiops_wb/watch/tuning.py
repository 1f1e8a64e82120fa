"""A threshold follows its labels, once a week: proposed, or changed where people allow it, and put
back where an alarm opens behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ..config import Settings
from ..log.errors import StoreError
from ..log.proposals import Proposal
from ..log.store import Store
from ..stats.choosing import Goal
from ..stats.tuning import Situation
from .alarm_rows import alarms_of_day
from .threshold_changes import change_evidence, propose, roll_back
from .tuning_rules import Ground, Looked, TuningRules, muted_days
from .view import View

__all__ = ["AUTHOR", "Alarms", "look_at", "open_alarms", "propose_tuned", "tune_each_morning"]

AUTHOR = "auto-tune"
"Who the trail names for what a morning proposes, changes or puts back."


@dataclass(frozen=True)
class Alarms:
    "Open alarms of a day that are not muted; why they are not known, empty where they are."

    open: tuple[str, ...]
    unknown: str = ""


def open_alarms(view: View) -> Alarms:
    "Open alarms of a day, of drift, data quality and silence alike."
    if view.not_watched:
        return Alarms((), f"{view.version} is not watched, {view.not_watched}")
    alarms = [a for a in alarms_of_day(view) if not a.muted]
    heard = tuple(f"{a.stream} ({a.kind}, {a.severity})" for a in alarms)
    if heard or view.severity != "unknown":
        return Alarms(heard)
    return Alarms((), "whether anything drifts is unknown: what could tell cannot be watched")


def look_at(view: View, now: datetime, goal: Goal | None = None) -> Looked:
    """All that has to hold before another threshold than that of the version may be proposed, each
    with its evidence. `goal`: another than that of the settings; StoreError where there is none."""
    rules = TuningRules.of(view.settings, goal)
    if rules.goal is None:
        raise StoreError(
            "what is the threshold to be tuned for? Name a goal, such as --max-fdr 0.2, or set one "
            "of tune_cost_missed, tune_max_fdr, tune_max_fpr and tune_alerts_per_day."
        )
    heard, reader, named = open_alarms(view), view.reader, (view.model, view.version)
    waiting = reader.open_proposals(*named, None)
    situation = Situation(
        now,
        view.dial.on,
        changed=_changed(view),
        alarms=heard.open,
        unknown=heard.unknown,
        proposals=tuple(p.key for p in waiting),
    )
    complete = view.complete_days
    ground = Ground(
        min(reader.days(view.model, view.as_of, view.version)),
        complete.newest,
        complete.why_none,
        view.grid,
        view.counts,
        complete.owed,
        muted_days(reader.calendar(view.model, view.as_of)),
    )
    return ground.look(view.threshold, rules, situation)


def _changed(view):
    "When the threshold or the version was changed last, or a proposal of it was turned down."
    reader, named = view.reader, (view.model, view.version)
    latest = reader.latest_change(*named, None)
    closed = [p.decided_at for p in reader.proposals(view.model) if p.decided_at and not p.scope]
    known = [latest and latest.at, reader.activated_at(view.model), *closed]
    return max((at for at in known if at is not None), default=None)


def propose_tuned(
    store: Store, now: datetime, who: str, view: View, looked: Looked, why: str = ""
) -> Proposal:
    "Propose what a look that passes every check names."
    tuned = looked.tuned
    told = f"tuned for {tuned.goal}; {tuned.reason}"
    reason = f"{why}: {told}" if why else told
    evidence = looked.as_evidence()
    return propose(store, now, who, view, None, tuned.candidate, reason, evidence)


def tune_each_morning(
    store: Store, model: str, day: date, now: datetime, settings: Settings
) -> Iterator[str]:
    """Put back what was tuned where an alarm has opened since, else look whether another threshold
    is shown to be better, and propose it or change to it; what there is to say."""
    view = View(store, model, day, None, settings)
    yield from _put_back(store, view, now)
    looked = look_at(View(store, model, day, None, settings), now)
    better = looked.tuned is not None and looked.tuned.candidate is not None
    if not better:
        return
    score = view.probability(looked.tuned.candidate)
    if not looked.passes:
        why = "; ".join(c.reason for c in looked.stopped)
        if {c.name for c in looked.stopped} & {"dial", "labels", "alarms"}:
            yield f"{model}: a threshold of {score:.3f} is shown to be better, but {why}"
        return
    if settings.tune == "apply" and not settings.threshold_four_eyes:
        evidence = change_evidence(view, None, view.threshold, looked.tuned.candidate)
        why = f"tuned for {looked.tuned.goal}; {looked.tuned.reason}"
        told = evidence | looked.as_evidence()
        change = now, AUTHOR, model, view.version, looked.tuned.candidate
        store.set_threshold(*change, why, told, logged=view.threshold)
        yield f"{model}: the threshold is {score:.3f} now, {why}"
        return
    of = propose_tuned(store, now, AUTHOR, view, looked)
    yield (
        f"{model}: {of.key} proposes a threshold of {score:.3f} instead of "
        f"{view.probability(of.instead_of):.3f}, {of.why}; 'aiops-wb thresholds approve {of.key} "
        "--why ...' puts it into force"
    )


def _put_back(store, view, now):
    "Put back what a morning changed by itself, or say so of what a person approved."
    change = store.latest_change(view.model, view.version, None)
    tuned = change and _tuned(store, change)
    if not tuned:
        return
    opened = _opened_since(view, change.at)
    if not opened:
        return
    days = view.settings.tune_rollback_days
    why = f"{', '.join(opened)} opened within {days} days of the change"
    if change.who == AUTHOR:
        after = view.probability(roll_back(store, now, AUTHOR, view, None, why).after)
        yield f"{view.model}: the threshold is {after:.3f} again, because {why}"
    else:
        yield (
            f"{view.model}: {why} to the tuned threshold that {change.who} approved; 'aiops-wb "
            f"thresholds rollback --model {view.model} --why ...' puts back the one before"
        )


def _tuned(store, change):
    "Whether a change came of a look, by itself or by a proposal."
    if change.evidence.get("rolled_back"):
        return False
    key = change.evidence.get("proposal")
    told = store.proposal(key).evidence if key else change.evidence
    return "tuning" in told


def _opened_since(view, changed):
    "Alarms of the version, not muted, that opened so soon after a change of its threshold."
    first = changed.astimezone(ZoneInfo(view.reader.timezone)).date()
    last = first + timedelta(view.settings.tune_rollback_days)
    if view.day > last:
        return []
    told = view.reader.drift_events(view.model, first, None, version=view.version)
    found = {
        f"{row.stream} ({row.kind}, {row.severity})": None
        for row in told.itertuples()
        if first <= row.opened_on.date() <= last and not row.muted and row.state != "closed"
    }
    return list(found)
