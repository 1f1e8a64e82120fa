"""Acts are taken in: each exactly as the command would do it, once, with the row that says so."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..config import Settings
from ..log.acts import Act, keep_until_published, tidy, waiting
from ..log.anchor_command import anchor_trail, doubt_unanchored
from ..log.audit import ALREADY
from ..log.durable import fsync
from ..log.errors import BrokenTrail, Busy, StoreError, raise_if_interrupted
from ..log.ingest import set_aside_acts
from ..log.store import Store, open_store
from ..log.taken_acts import DONE, FAILED, REFUSED, TakenAct
from ..log.tokens import record_tokens
from .threshold_changes import (
    Changed,
    approve,
    as_threshold,
    in_force,
    newest_view,
    propose,
    roll_back,
    set_threshold,
    whose,
)
from .threshold_promises import Bound
from .view import View

__all__ = ["take_in_acts", "take_in_now", "told_of"]

logger = logging.getLogger(__name__)


class _Came(NamedTuple):
    "What came of an act: in words, of which model, and which proposal it made or decided."

    says: str
    model: str | None = None
    proposal: str | None = None


@dataclass(frozen=True)
class _Taking:
    "Who takes acts in: a store, the time and the settings."

    store: Store
    now: datetime
    settings: Settings
    views: dict[str, View] = field(default_factory=dict)  # until a threshold is changed

    def came_of(self, act: Act) -> _Came:
        "Do what an act asks for."
        try:
            return _BY_KIND[act.kind](self, act)
        finally:
            if act.kind in _CHANGING:
                self.views.clear()

    def view(self, act: Act) -> View:
        "The view of the model that an act names: to make one costs more than all the rest."
        model = act.what["model"]
        if model not in self.views:
            self.views[model] = newest_view(self.store, model, self.now, self.settings)
        return self.views[model]

    def today(self) -> date:
        "The day by the log's calendar."
        return self.now.astimezone(ZoneInfo(self.store.timezone)).date()


def _scope(what):
    tenant, site = what.get("tenant"), what.get("site")
    return None if tenant is None and site is None else (tenant or "default", site)


def _asked(taking, act):
    "The view, the tenant or site, the points and the bound that a change is about."
    view, scope, what = taking.view(act), _scope(act.what), act.what
    _require_seen(view, scope, what)
    points = what["points"] if "points" in what else as_threshold(view, what["score"])
    bound = Bound.parse(what["promise"], what.get("confidence", 0.9)) if "promise" in what else None
    return view, scope, points, bound


def _require_seen(view, scope, what):
    "StoreError where another version decides than the caller saw, or by another threshold."
    if what.get("version", view.version) != view.version:
        raise StoreError(
            f"{view.version} of {view.model} decides by now, not {what['version']}: look again, "
            "and decide anew."
        )
    if "if_in_force" in what and in_force(view, scope) != what["if_in_force"]:
        stands, seen = in_force(view, scope), what["if_in_force"]
        raise StoreError(
            f"the threshold in force is {view.probability(stands):.3f} ({stands} points) by now, "
            f"not {view.probability(seen):.3f} ({seen} points): look again, and decide anew."
        )


def _propose(taking, act):
    view, scope, points, bound = _asked(taking, act)
    told = (taking.store, taking.now, act.who, view, scope, points, act.what["why"])
    of = propose(*told, bound=bound)
    says = (
        f"{of.key}: {of.model} {of.version}, threshold{_own(scope)} "
        f"{view.probability(of.points):.3f} instead of {view.probability(of.instead_of):.3f}, "
        "is proposed"
    )
    return _Came(says, of.model, of.key)


def _set(taking, act):
    view, scope, points, bound = _asked(taking, act)
    told = (taking.store, taking.now, act.who, view, scope, points, act.what["why"])
    return _changed(set_threshold(*told, bound))


def _roll_back(taking, act):
    view, scope = taking.view(act), _scope(act.what)
    _require_seen(view, scope, act.what)
    return _changed(roll_back(taking.store, taking.now, act.who, view, scope, act.what["why"]))


def _approve(taking, act):
    key = act.what["proposal"]
    told = (taking.now, act.who, key, act.what["why"], taking.settings)
    return _changed(approve(taking.store, *told), key)


def _changed(changed: Changed, proposal=None):
    view = changed.view
    promised = f"; promised: {changed.promise}" if changed.promise else ""
    ended = "".join(f"; no longer promised: {says}" for says in changed.ended)
    says = (
        f"{view.model} {view.version}: threshold{_own(changed.scope)} is now "
        f"{view.probability(changed.after):.3f} ({changed.after} points){promised}{ended}"
    )
    return _Came(says, view.model, proposal)


def _own(scope):
    return f" of {whose(scope)}" if scope else ""


def _reject(taking, act):
    key, store = act.what["proposal"], taking.store
    model = store.proposal(key).model
    state = store.reject_threshold(taking.now, act.who, key, act.what["why"])
    return _Came(f"{key} is {state}; the threshold stays as it is", model, key)


def _acknowledge(taking, act):
    ids = act.what["ids"]
    models = taking.store.acknowledge(taking.now, act.who, ids, act.what["why"])
    return _Came(f"{', '.join(ids)}: acknowledged", _only(models))


def _close(taking, act):
    ids = act.what["ids"]
    told = act.what["why"], act.what.get("outcome")
    models = taking.store.close_cases(taking.now, act.who, ids, *told)
    how = f" ({told[1]})" if told[1] else ""
    return _Came(f"{', '.join(ids)}: closed{how}", _only(models))


def _assign(taking, act):
    ids, to = act.what["ids"], act.what["to"]
    models = taking.store.assign_cases(taking.now, act.who, ids, to, act.what["why"])
    return _Came(f"{', '.join(ids)}: given to {to}", _only(models))


def _comment(taking, act):
    ids = act.what["ids"]
    models = taking.store.comment_on_cases(taking.now, act.who, ids, act.what["text"])
    return _Came(f"{', '.join(ids)}: commented on", _only(models))


def _mute(taking, act):
    ids, until = act.what["ids"], date.fromisoformat(act.what["until"])
    days = until, taking.today()
    models = taking.store.mute(taking.now, act.who, ids, *days, act.what["why"])
    return _Came(f"{', '.join(ids)}: muted until {until}", _only(models))


def _only(models):
    return next(iter(models)) if len(models) == 1 else None


_BY_KIND: dict[str, Callable[[_Taking, Act], _Came]] = {
    "propose": _propose,
    "set": _set,
    "approve": _approve,
    "reject": _reject,
    "rollback": _roll_back,
    "acknowledge": _acknowledge,
    "close": _close,
    "mute": _mute,
    "assign": _assign,
    "comment": _comment,
}

_CHANGING = ("set", "approve", "rollback")
"Kinds of acts after which a threshold may be another."


def take_in_acts(store: Store, now: datetime, settings: Settings) -> list[TakenAct]:
    """Do what the acts in the spool ask for, in their order; each is one transaction with the row
    that records it, and waits no longer when that is committed.

    What cannot be done is recorded as refused, with the reason. Whatever else goes wrong leaves an
    act waiting (failed) and costs the others nothing. The trail learns of tokens, too.
    """
    spool, taking = store.spool, _Taking(store, now, settings)
    record_tokens(store, now)
    acts, taken = waiting(spool, store.root), []
    with store.one_thread():
        for act in acts:
            if known := store.act(act.id):  # stopped before its file was gone, or handed in again
                logger.info("act %s was taken in before: %s", act.id, known.says)
            else:
                taken.append(_taken_in(taking, act))
            if known or taken[-1].state != FAILED:
                keep_until_published(spool, act.id)
    if acts:
        fsync(spool / "acts")
        tidy(spool, now)
    return taken


def told_of(taken: Sequence[TakenAct]) -> list[str]:
    "A sentence about each act that was taken in."
    words = {DONE: "", REFUSED: " is refused", FAILED: " failed, and waits"}
    return [f"{t.act.kind} by {t.act.who}{words[t.state]}: {t.says}" for t in taken]


def _taken_in(taking, act):
    store = taking.store
    try:
        rows = store.audit_head()[0]
        with store.transaction():
            came = taking.came_of(act)
            last = store.audit_head()[0]
            if last == rows:  # given twice, it is done once
                came = came._replace(says=f"{came.says}{ALREADY}")
            taken = _of(taking, act, DONE, *came, last if last > rows else None)
            store.add_act(taken, store.known_batch())
        logger.info("act %s by %s: %s", act.id, act.who, taken.says)
        return taken
    except BrokenTrail as problem:  # no fault of the act: it waits until somebody has looked
        return _of(taking, act, FAILED, str(problem))
    except (StoreError, ValueError) as problem:
        return _refused(taking, act, problem)
    except Exception as problem:  # whatever it is, it costs no other act anything
        raise_if_interrupted(problem)
        logger.warning("act %s by %s failed and waits: %s", act.id, act.who, problem)
        return _of(taking, act, FAILED, f"{type(problem).__name__}: {problem}")


def _refused(taking, act, problem):
    "Record why an act is not done."
    taken = _of(taking, act, REFUSED, str(problem), _model_of(taking.store, act))
    taking.store.add_act(taken, taking.store.known_batch())
    logger.info("act %s by %s is refused: %s", act.id, act.who, problem)
    return taken


def _of(taking, act, state, says, model=None, proposal=None, seq=None):
    return TakenAct(act, state, says, model, taking.now, proposal, seq)


def _model_of(store, act):
    "The model that an act names, or its proposal is of; None where that is not known."
    named = act.what.get("model")
    of = (p.model for p in store.proposals() if p.key == act.what.get("proposal"))
    return named if named in store.models() else next(of, None)


def take_in_now(
    data: Path, settings: Settings, now: datetime, who: str = "acts"
) -> list[TakenAct] | Busy:
    """Take the waiting acts in, publish, and anchor the trail; the Busy of another writer, which is
    returned: then the acts wait for who writes next. Opens nothing where none waits.

    What is handed in meanwhile is taken in, too: of several that do this at once one takes all in.
    """
    taken, spool = [], settings.spool_of(data)
    while {act.id for act in waiting(spool, data)} - {one.id for one in taken}:
        try:
            taken += _opened(data, settings, now, who)
        except Busy as busy:
            return taken or busy
    return taken


def _opened(data, settings, now, who):
    "Take the waiting acts in by a writer of their own."
    kept = settings.snapshots_kept
    zone = settings.timezone if "timezone" in settings.model_fields_set else None
    where = {"spool": settings.spool, "group": settings.group}
    with open_store(data, who, zone, briefly=True, **where) as store, store.published(kept):
        doubt_unanchored(store, settings)
        if settings.events_to:
            store.give_name()
        set_aside_acts(store, now, who, store.spool)
        taken = take_in_acts(store, now, settings)
        store.publish(kept)
        anchor_trail(store, settings, now)
        return taken
