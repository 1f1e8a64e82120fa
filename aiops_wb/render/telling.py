"""A morning is over: people are told what changed or failed, and whoever counts on it has a sign
of life.

What is promised of a message: from the first run on that knows an address, it gets each item **at
least once**, if it takes what it is sent within a week. What failed is told by the runs in which it
fails, and no more once it is made up for. An attempt is on the disk before anything else is done,
so an item comes twice only where the machine stopped between the receiver's answer and that, or
where the receiver took what it did not confirm in time; the message ends with the same id then,
unless something new is told with it. The sign of life says nothing and is given at most once a run.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..config import Settings
from ..log.catalog import open_snapshot
from ..log.errors import Busy, StoreError, raise_if_interrupted
from ..log.outbox import ATTEMPT, Outbox
from ..watch.heartbeat import beat
from ..watch.messages import Item, Recipient, Told, recipients, send
from .message import recent, written
from .pages import manifests, note_untold

__all__ = ["HEARTBEAT", "known_attempts", "not_taken", "sign_of_life", "tell_people"]

logger = logging.getLogger(__name__)

HEARTBEAT = "heartbeat"
"What the sign of life is called among deliveries."
PATIENCE = 10
"Seconds in which another process that hands cases on may end."


def known_attempts(data: Path, sinks: Sequence[str]) -> pd.DataFrame:
    """Attempts at some addresses, of the published catalog and of the outbox; of the outbox alone
    where there is no catalog to be read."""
    waiting = Outbox(data).attempts()
    parts = [waiting[waiting.sink.isin(sinks)]]
    try:
        with open_snapshot(data) as reader:
            parts.append(reader.attempts_at(sinks).astype(object))
    except Exception as problem:  # a morning that could not open its log is told all the same
        raise_if_interrupted(problem)
        logger.debug("what was sent before is not known: %s", problem)
    parts = [part for part in parts if len(part)] or [pd.DataFrame(columns=list(ATTEMPT))]
    known = pd.concat(parts, ignore_index=True).astype(object)
    return known.where(known.notna(), None)


def tell_people(
    data: Path,
    reports: Path,
    now: datetime,
    settings: Settings,
    failed: Sequence[Item],
    say: Callable[[str], None],
) -> list[str]:
    """Tell each address what it has not been told: what changed by the newest pages, what failed.

    Returns a sentence for each that could not be told, which stand on the newest day's pages as
    well; what else fails is such a sentence, too.
    """
    if not settings.messages:
        return []
    by_day = manifests(reports)
    try:
        with Outbox(data).held(PATIENCE) as outbox:
            problems = _told(outbox, data, by_day, now, settings, failed, say)
    except Busy as error:
        problems = [f"messages wait for the next run: {error}"]
    except (StoreError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # a manifest may come from anywhere, and a disk be full
        problems = [f"no message could be made: {type(error).__name__}: {error}"]
    try:
        if by_day:
            note_untold(reports, next(iter(by_day)), problems)
    except Exception as problem:  # the pages are there, and what is wrong is said elsewhere
        raise_if_interrupted(problem)
        logger.warning("who could not be told is not said on the pages: %s", problem)
    return problems


def _told(outbox, data, by_day, now, settings, failed, say):
    "Send what is to be sent, each attempt on the disk at once; a sentence for each that failed."
    to = recipients(settings.messages)
    told = Told(known_attempts(data, [one.name for one in to]))
    new = [one.introduced(now) for one in to if told.since(one.name) is None]
    if new:
        outbox.add(*new)
    items = {one: _items(told, one, by_day, settings, failed) for one in to}
    problems, tried = [], []
    for one in to:
        if not items[one]:
            continue
        if until := told.rests_until(one.name, now):
            why = told.failures(one.name).detail.iloc[-1]
            problems.append(
                _said(one, why, f"it is not tried again before {until:%Y-%m-%d %H:%M} UTC")
            )
        else:
            tried.append(one)
    messages = [
        (one.of_apprise, written(by_day, items[one], settings, one.models)) for one in tried
    ]
    for place, problem in send(messages, settings.message_timeout) if messages else ():
        one = tried[place]
        outbox.add(*(one.attempt(item.id, now, problem) for item in items[one]))
        if problem:
            problems.append(_said(one, problem, "it is tried again by the next run"))
        else:
            say(f"message to {one.address}: {messages[place][1].title}")
    return problems


def _items(told, to: Recipient, by_day, settings, failed):
    "What an address has not been told and is to be."
    taken = told.taken(to.name)
    changes = recent(by_day, told.since(to.name), told.waiting(to.name))
    every = {item.id: item for item in [*failed, *changes]}
    wanted = settings.message_on
    every = {id: item for id, item in every.items() if item.kind in wanted and id not in taken}
    return [item for item in every.values() if to.hears_of(item)]


def _said(to, why, then):
    return f"the message to {to.address} was not taken ({why}); {then}"


def sign_of_life(
    data: Path, now: datetime, settings: Settings, say: Callable[[str], None]
) -> str | None:
    "Give the sign of life of a good morning, and record it; what there is to say of a failure."
    to = settings.heartbeat_url
    if to is None:
        return None
    problem = beat(to, settings.heartbeat_timeout)
    row = Recipient(to).attempt(HEARTBEAT, now, problem)
    try:
        with Outbox(data).held(PATIENCE) as outbox:
            outbox.add(row | {"sink": HEARTBEAT, "key": f"{HEARTBEAT} {now.isoformat()}"})
    except (OSError, Busy) as error:
        logger.warning("the heartbeat is not recorded: %s", error)
    said = f"heartbeat to {to}: {problem or 'taken'}"
    say(said)
    return said if problem else None


def not_taken(data: Path, settings: Settings) -> list[dict[str, Any]]:
    "Addresses that took nothing of what they were sent last: since when, how often, and why."
    sinks = {one.name: str(one.address) for one in recipients(settings.messages)}
    if settings.heartbeat_url:
        sinks[HEARTBEAT] = f"{HEARTBEAT} {settings.heartbeat_url}"
    told = Told(known_attempts(data, list(sinks))) if sinks else None
    failures = {to: told.failures(sink) for sink, to in sinks.items()}
    return [
        {
            "to": to,
            "since": failed.attempted_at.iloc[0],
            "times": len(failed),
            "why": failed.detail.iloc[-1],
        }
        for to, failed in failures.items()
        if len(failed)
    ]
