"""How far features lie from their reference, bin by bin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ..log.errors import StoreError
from ..log.names import nearest
from ..stats.drift import FIRST, MISSING, UNSEEN, FeatureShift
from ..watch.words import percent
from .answers import Answer
from .published import Asked, text_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart

__all__ = ["Moved", "drift"]


class _Shifts(NamedTuple):
    "Features of recent days beside their reference, as the drawings take them."

    shifts: Sequence[FeatureShift]
    vectors: Mapping[str, tuple]


@dataclass(frozen=True, eq=False, repr=False)
class Moved(Answer):
    """How far features lie from their reference. Of one feature `frame` has a row for each bin, of
    all a row for each feature."""

    feature: str | None = None
    tolerance: float = nan
    of: _Shifts = field(default=_Shifts((), {}), repr=False)

    def table(self) -> pd.DataFrame:
        "Shares as percentages."
        if self.feature is None:
            return super().table()
        shares = {
            n: [percent(x, 1) for x in self.frame[n]] for n in ("recent", "reference", "change")
        }
        return pd.DataFrame({"bin": self.frame["bin"], **shares}) if len(self.frame) else self.frame

    def plot(self) -> "Chart":
        "The bins of a feature beside its reference; of all features how far each moved."
        from ..render.plots import feature_bins, feature_ranking
        from ..render.plots.chart import in_a_cell

        if self.feature is None:
            return feature_ranking(self.of.shifts, self.tolerance)
        return in_a_cell(feature_bins(self.of, limit=1, columns=1), height=2.6)


def drift(asked: Asked, feature: str | None = None) -> Moved:
    "A feature in its bins, or every feature with how far it moved, the largest change first."
    view = asked.view
    seen, tolerance = view.drift, view.settings.drift_tolerance
    shifts = {shift.name: shift for shift in seen.shifts}
    if feature is None:
        return _every_feature(asked, view, seen, tolerance)
    if text_of(feature, "feature") not in shifts:
        known = asked.reader.features_of(
            asked.model, asked.reader.feature_kinds(asked.model, asked.as_of)
        )
        if feature not in known:
            raise StoreError(f"{asked.model} has no feature {feature!r}{nearest(feature, known)}")
        why = "none has a reference to compare with"
        if shifts:
            why = "it has no reference to compare with, as the version was trained without it"
        says = f"Whether {feature} moved is unknown: {why}."
        return Moved(says, pd.DataFrame(columns=_BIN), asked.notes(), feature, tolerance)
    shift, vectors = shifts[feature], seen.vectors[feature]
    frame = _bins(*vectors)
    notes = [f"Open alarm: {a.says()}." for a in seen.alarms if a.stream == feature]
    said = _moved(shift, tolerance, view)
    return Moved(
        said,
        frame,
        (*asked.notes(), *notes),
        feature,
        tolerance,
        _Shifts([shift], {feature: vectors}),
    )


_BIN = ["bin", "recent", "reference", "change", "n_recent", "n_reference"]


def _every_feature(asked, view, seen, tolerance):
    frame = pd.DataFrame(
        [
            {
                "feature": s.name,
                "change": s.effect,
                "lower": s.lower,
                "upper": s.upper,
                "psi": s.psi,
                "psi_without_drift": s.psi_no_drift,
                "jensen_shannon": s.jensen_shannon,
                "missing_recent": s.missing[0],
                "missing_reference": s.missing[1],
                "unseen": s.unseen[0],
                "n_recent": s.n,
                "n_reference": s.m,
            }
            for s in seen.shifts
        ]
    )
    if frame.empty:
        says = "Whether features moved is unknown: none has a reference to compare with."
    else:
        moved = [s.name for s in seen.shifts if s.practical(tolerance)]
        named = (
            f": {', '.join(moved[:5])}{' and others' if len(moved) > 5 else ''}" if moved else ""
        )
        says = (
            f"{len(moved)} of {len(frame)} features moved by more than the tolerated "
            f"{tolerance:.1%}{named}."
        )
    told = [f"Open alarm of {a.severity} severity: {a.says()}." for a in seen.alarms]
    if not told and not seen.off and seen.watched:
        told = [f"No alarm is open on {view.day}."]
    elif not told:
        off = f"the watch is switched off {seen.off}" if seen.off else "nothing can be watched yet"
        told = [f"Whether an alarm would be open is unknown: {off}."]
    return Moved(
        says, frame, (*asked.notes(), *told), None, tolerance, _Shifts(seen.shifts, seen.vectors)
    )


def _moved(shift, tolerance, view):
    days, name = view.settings.recent_days, view.reference.name
    if isnan(shift.effect):
        return f"Whether {shift.name} moved is unknown: one side has no known value."
    size, low, high = (percent(x, 1) for x in (shift.effect, shift.lower, shift.upper))
    what = "above or below some value" if shift.kind == "numeric" else "in one category"
    more = "more than" if shift.practical(tolerance) else "not for certain more than"
    return (
        f"{shift.name} of the {days} days to {view.day} lies apart from the {name} by {size} of "
        f"events ({low} to {high}) {what}: {more} the tolerated {tolerance:.1%}."
    )


def _bins(recent, reference, rule) -> pd.DataFrame:
    "Shares of each bin of a feature; missing values and unknown categories have bins of their own."
    if "categories" in rule:
        names = [str(category) for category in rule["categories"]]
    else:
        ends = [f"{cut:.6g}" for cut in rule["cuts"]]
        names = [f"below {ends[0]}"] if ends else ["any value"]
        names += [f"{a} to {b}" for a, b in zip(ends, ends[1:])] + (
            [f"from {ends[-1]}"] if ends else []
        )
    places = [*range(FIRST, FIRST + len(names)), MISSING, UNSEEN]
    n, m = (np.asarray(side, dtype=float)[places] for side in (recent, reference))
    shares = [side / max(1.0, side.sum()) for side in (n, m)]
    columns = [*names, "missing", "never seen"], *shares, shares[0] - shares[1], n, m
    return pd.DataFrame(dict(zip(_BIN, columns))).astype({"n_recent": int, "n_reference": int})
