"""Which streams of a version cannot be watched on a morning, and why."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isinf, isnan, log
from typing import NamedTuple

import numpy as np

from ..stats.holidays import LEAST
from ..stats.sequential import MIN_DAYS
from ..stats.streams import BUILT_IN, Question
from .registered import ENOUGH_DAYS

__all__ = ["WATCHABLE_DAYS", "Situation", "not_asked", "too_little"]

WATCHABLE_DAYS = 28
"A stream that could not find a critical change in so many days is not watched."
OWN_DAY = "the day is one of those that were chosen to compare with, or lies before them"
LABELLED = ("calibration", "positive rate", "loss", "share labelled")


class Situation(NamedTuple):
    "What decides whether a stream can be watched."

    reference_days: int  # with events
    labelled_days: int  # of the reference, with labels that are in
    learning: bool  # whether the version is still its own first reference
    own_day: bool  # whether the day is one of the reference that was chosen, or lies before it
    waits: float  # days until labels are in; infinite where that is not known
    probabilities: bool  # whether the scores are any
    bins: Mapping  # of the features that a version was trained on
    latest: float  # events a day, lately
    festive: np.ndarray = np.zeros(0, dtype=bool)  # (days,) whether each day was a holiday
    recent: int = 7  # days that a change is measured over


def not_asked(questions: Sequence[Question], known: Situation) -> dict[str, str]:
    "Streams that nothing can be asked about, each with the reason."
    asked = {q.stream.name for q in questions}
    return {name: why for name, why in _never_asked(known) if name not in asked}


def too_little(question: Question, bar: float, horizon: int, known: Situation) -> str:
    """Why a question cannot be answered; empty where it can.

    Nothing is asked of the days that are the reference. At the recent number of events a day, and
    as far as the reference's days lie apart, a critical change would take more than four weeks to
    raise an alarm on its own, at the log evidence `bar`, from stakes that are spread over a
    `horizon` of days.
    """
    if question.about != "volume" and known.own_day:
        return OWN_DAY
    if _holidays_alone(question, known):
        return f"its last days were holidays, and fewer than {LEAST} are known to compare with"
    if question.about == "volume":
        return _no_past(question)
    if question.earns is None:
        return ""
    earns, needed = question.earns(), bar + log(question.stream.bets.shape[1] * horizon)
    if earns * WATCHABLE_DAYS >= needed:
        return ""
    days = needed / earns if earns > 0 else inf
    found = f"{days:,.0f} days" if days <= horizon else "more than a year"
    because = f"with {known.latest:,.0f} events a day"
    if question.earns(alike=True) * WATCHABLE_DAYS >= needed:
        because = "usual days differ so much that"
    return f"{because} a critical change would take {found} to find"


def _holidays_alone(question, known):
    "Whether all days that a change would be measured over were holidays, and left out."
    end = len(known.festive) - question.lag
    days = known.festive[max(0, end - known.recent) : max(0, end)]
    effect = question.stream.effect
    return bool(len(effect) and np.isnan(effect[-1]) and len(days) and days.all())


def _no_past(question):
    if not np.isfinite(question.series).any():
        return "none is logged"
    known = not isnan(question.normal[-1])
    return "" if known else f"fewer than {ENOUGH_DAYS} earlier days are known to compare with"


def _never_asked(known) -> Iterator[tuple[str, str]]:
    "Streams that there may be no question of, and why."
    if known.own_day:
        yield "score", OWN_DAY
    elif known.learning:
        so_far = f"its own reference after {ENOUGH_DAYS} days, {known.reference_days} so far"
        yield "score", f"the version was trained elsewhere and is {so_far}"
    else:
        yield "score", _too_short(known.reference_days, "with predictions")
    if not known.bins:
        yield "features", "the version was trained elsewhere: its features have no reference"
    elif not known.learning:
        for feature in known.bins:
            name = f"feature {feature}" if feature in BUILT_IN else feature
            yield name, "it has no reference, or is not logged"
    yield from ((name, _of_labels(name, known)) for name in LABELLED)


def _of_labels(name, known):
    if isinf(known.waits):
        return "labels are not known to be in"
    if name in ("calibration", "loss") and not known.probabilities:
        return "the scores are no probabilities"
    if known.own_day:
        return OWN_DAY
    if name == "share labelled":
        return f"it is compared with the first {ENOUGH_DAYS} days whose labels are long in"
    return _too_short(known.labelled_days, "with labels that are in")


def _too_short(days, what):
    return f"the reference has {days} days {what}, at least {MIN_DAYS} are needed"
