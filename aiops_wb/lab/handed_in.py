"""A proposal, handed in from a notebook: taken in at once where nobody else writes.

A kernel that is left open must never keep the night waiting. So it holds no catalog: it hands the
proposal in as a file of the spool, takes it in while the writer's lock is free, and leaves it to
whoever writes next where it is not.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..cli.call import Call
from ..log.acts import hand_in
from ..log.errors import StoreError
from ..watch.acts import take_in_now

__all__ = ["Answer", "answer_of", "propose"]

WAITING = "Handed in; the night takes it in"
"What is said of a proposal that no writer has seen yet."


class Answer(NamedTuple):
    "What became of a proposal: waiting, done or refused; all empty before there is one."

    id: str = ""
    state: str = ""
    says: str = ""


def propose(call: Call, what: Mapping[str, Any]) -> Answer:
    "Hand a proposal in, and say what became of it; StoreError where it is none, or cannot be kept."
    data, settings = call.settings.data, call.settings
    of = Answer(hand_in(data / "spool", "propose", what, call.who, call.now()), "waiting")
    try:
        busy = take_in_now(data, settings, call.now(), call.who)
    except StoreError as error:  # it is handed in all the same
        busy = error
    waits = f"{WAITING} ({busy})." if isinstance(busy, StoreError) else f"{WAITING}."
    return answer_of(call, of._replace(says=waits))


def answer_of(call: Call, before: Answer) -> Answer:
    "What became of a proposal by now."
    if not before.id:
        return before
    with call.reading() as log:
        taken = log.act(before.id)
    if taken is None:
        return before
    return Answer(before.id, taken.state, taken.says)
