"""One score as points, with the standard library alone: the twin of `stats.points.Grid`.

A scoring service logs single events and need not load numpy for it. A test holds both equal at the
float32 and float64 neighbours of every edge.
"""

from math import isfinite, log, log1p
from struct import Struct

__all__ = ["PER_UNIT", "LIMITS", "points_of"]

PER_UNIT = 1000
LIMITS = {"logit": 16_000, "linear": 32_000}
"The largest points of each kind of grid."

_FLOAT32 = Struct("f")


def points_of(score: float, kind: str = "logit") -> int:
    "Points of a score on the fine grid of a kind; ValueError when the score is impossible there."
    if kind == "logit":
        if not 0.0 <= score <= 1.0:
            raise _impossible(score, kind, "a number in [0, 1]")
        score = _FLOAT32.unpack(_FLOAT32.pack(score))[0]
        if not 0.0 < score < 1.0:
            return -16_000 if score < 0.5 else 16_000
        points = round(PER_UNIT * (log(score) - log1p(-score)))
        return -16_000 if points < -16_000 else 16_000 if points > 16_000 else points
    if not isfinite(score):
        raise _impossible(score, kind, "a finite number")
    limit = LIMITS[kind]
    bound = limit / PER_UNIT + 1  # what float32 cannot hold lies beyond it
    score = _FLOAT32.unpack(_FLOAT32.pack(max(-bound, min(bound, score))))[0]
    return max(-limit, min(limit, round(PER_UNIT * score)))


def _impossible(score, kind, allowed):
    return ValueError(f"score {score} is not allowed: a {kind} score must be {allowed}.")
