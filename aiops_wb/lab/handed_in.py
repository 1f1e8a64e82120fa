"""A proposal, handed in from a notebook: taken in at once where nobody else writes.

A kernel that is left open must never keep the night waiting. So it holds no catalog: it hands the
proposal in as a file of the spool, takes it in while the writer's lock is free, and leaves it to
whoever writes next where it is not.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..cli.call import Call
from ..log.acts import hand_in
from ..log.errors import Busy, StoreError
from ..log.taken_acts import DONE, FAILED
from ..watch.acts import take_in_now

__all__ = ["Answer", "answer_of", "propose"]

WAITING = "handed in; the night takes it in"
"What is said of a proposal that no writer has seen yet."


class Answer(NamedTuple):
    "What became of a proposal: waiting, done or refused; all empty before there is one."

    id: str = ""
    state: str = ""
    says: str = ""


def propose(call: Call, what: Mapping[str, Any]) -> Answer:
    "Hand a proposal in, and say what became of it; StoreError where it is none, or cannot be kept."
    data, spool = call.settings.data, call.settings.spool_of(call.settings.data)
    key = hand_in(spool, "propose", what, call.who, call.now(), data=data)
    why = _left_because(call, key)
    return answer_of(call, Answer(key, "waiting", f"{WAITING}{f': {why}' if why else '.'}"))


def _left_because(call, key) -> str:
    "Why an act that was handed in waits, in a sentence; empty where it was taken in."
    try:
        taken = take_in_now(call.settings.data, call.settings, call.now(), call.who)
    except StoreError as error:
        return str(error)
    if isinstance(taken, Busy):
        return "somebody else writes to the log just now."
    return next((t.says for t in taken if t.id == key and t.state == FAILED), "")


def answer_of(call: Call, before: Answer) -> Answer:
    "What became of a proposal by now."
    if not before.id:
        return before
    with call.reading() as log:
        taken = log.act(before.id)
    if taken is None:
        return before
    hint = f": 'aiops-wb thresholds approve {taken.proposal} --why ...' puts it into force."
    says = f"{taken.says}{hint}" if taken.state == DONE else taken.says
    return Answer(before.id, taken.state, says)
