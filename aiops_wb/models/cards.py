"""What a registered version is, on one card, and two cards side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from ..log.base import known_by
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.feature_schema import features_of_card
from ..log.production import Production
from ..stats.counts import ScoreCounts
from ..stats.performance import Figure, over_days_bootstrap, summary
from ..stats.points import Grid, as_points
from .complete import held_out_words

__all__ = [
    "SHOWN",
    "Card",
    "alike",
    "card_of",
    "feature_differences",
    "held_out_figures",
    "kept_figures",
]

SHOWN = ("pr_auc", "roc_auc", "precision", "recall", "brier", "log_loss")
"Figures of held-out days in a line of text; the others are in JSON."


@dataclass(frozen=True, eq=False)
class Card:
    "A registered version as known at a time."

    model: str
    version: str
    state: str  # champion | previous | challenger | registered
    registered_at: datetime
    file: str  # of the model, within the data folder; '' where it scores elsewhere
    stands: Production
    grid: Grid
    told: Mapping[str, Any]  # what was kept when it was registered
    # of its held-out days at the threshold of `stands`; at that of its training as kept then
    figures: Mapping[str, Figure]

    @property
    def features(self) -> dict[str, str]:
        "Kind of each feature, in the order in which the model takes them."
        return features_of_card(self.told)

    @property
    def held_out(self) -> str:
        "On how many events the held-out figures rest."
        return held_out_words(self.told)

    def as_json(self) -> dict[str, Any]:
        "All of it as JSON can hold it."
        labels, shown = ("incomplete_labels", "labels_unsure"), ("metrics", "figures")
        return {
            "model": self.model,
            "version": self.version,
            "state": self.state,
            "registered_at": self.registered_at,
            "file": self.file or None,
            "grid": self.grid.name,
            "in_force": self.stands.as_evidence(),
            "held_out_figures": {name: _plain(f) for name, f in self.figures.items()},
            "labels": {name: self.told.get(name, "") for name in labels},
            "feature_kinds": self.features,
            **{k: v for k, v in self.told.items() if k not in (*labels, *shown)},
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        "What it is, in words: a name and a text each."
        told = self.told
        yield "state", f"{self.state}, registered {self.registered_at:%Y-%m-%d %H:%M}Z"
        yield "trained on", _trained_on(told)
        yield "held out", f"from {told['held_out_from']}" if "held_out_from" in told else "-"
        yield "labels", self.held_out or "-"
        yield "labels not complete", told.get("incomplete_labels") or "-"
        yield "labels not known to be complete", told.get("labels_unsure") or "-"
        yield "threshold", self._points(self.stands.threshold)
        yield "threshold at first", self._points(told.get("threshold"))
        yield "calibration", self.stands.calibration_id or "-"
        for name in SHOWN:
            if name in self.figures:
                yield f"held-out {name}", _in_words(self.figures[name])
        yield "features", ", ".join(f"{f} ({kind})" for f, kind in self.features.items()) or "-"
        yield "parameters", _listed(_recipe(told))
        yield "packages", _listed(told.get("packages", {}))
        yield "file", self.file or "none: it scores elsewhere"
        yield "hash of the file", told.get("sha256", "-")

    def _points(self, points):
        if points is None:
            return "-"
        return f"{float(self.grid.inverse(points)):.3f} ({points} points)"


def card_of(reader: Reader, model: str, version: str, as_of: datetime | None = None) -> Card:
    "The card of a registered version as known at a time; StoreError when there was none yet."
    row = reader.version(model, version)
    registered = row.registered_at.to_pydatetime()
    if not known_by(registered, as_of):
        raise StoreError(
            f"{model} {version} was registered later, at {registered:%Y-%m-%d %H:%M}Z."
        )
    grid, stands = Grid.parse(row.grid), reader.standing(model, version, as_of)
    figures = _figures(reader, model, version, row.card, stands.threshold)
    state = _state(reader, model, version, as_of)
    return Card(model, version, state, registered, row.path, stands, grid, row.card, figures)


def held_out_figures(days: Sequence[ScoreCounts], threshold: int) -> dict[str, Figure]:
    """Figures of held-out days at a threshold (points), with 95 % intervals by drawing whole days;
    none from fewer than 7 days with labels."""
    threshold = as_points(threshold)
    by_threshold = lambda counts: summary(counts, threshold)
    return over_days_bootstrap(days, by_threshold, np.random.default_rng(0))


def kept_figures(
    days: Mapping[date, ScoreCounts], threshold: int | None
) -> dict[str, dict[str, float | None]]:
    "`held_out_figures` as a card keeps them: value, lower, upper, n of each; None: not known."
    if not days or threshold is None:
        return {}
    of_days = held_out_figures([days[day] for day in sorted(days)], threshold)
    return {name: _plain(figure) for name, figure in of_days.items()}


def _figures(reader, model, version, card, threshold):
    "Figures as they were kept, else as the counts of held-out days tell them at a threshold."
    at = card.get("threshold") if threshold is None else threshold
    if at == card.get("threshold") and (kept := card.get("figures")):
        unknown = lambda value: np.nan if value is None else value
        return {n: Figure(**{k: unknown(v) for k, v in f.items()}) for n, f in kept.items()}
    days = reader.held_out_counts(model, version)
    return held_out_figures(days.values(), at) if days and at is not None else {}


def feature_differences(one: Card, other: Card) -> dict[str, list[str]]:
    "Features that only one of two versions takes, and those that each takes as something else."
    first, second = one.features, other.features
    bins = one.told.get("bins", {}), other.told.get("bins", {})
    both = [f for f in first if f in second]
    return {
        "only_first": [f for f in first if f not in second],
        "only_second": [f for f in second if f not in first],
        "other_kind": [f for f in both if first[f] != second[f]],
        "other_categories": [f for f in both if _categories(bins[0], f) != _categories(bins[1], f)],
        "other_cuts": [f for f in both if _cuts(bins[0], f) != _cuts(bins[1], f)],
    }


def alike(one: Card, other: Card) -> Iterator[tuple[str, str, str]]:
    "Two cards side by side: a name, and what each has there."
    first, second = dict(one.rows()), dict(other.rows())
    for name in [*first, *(n for n in second if n not in first)]:
        yield name, first.get(name, "-"), second.get(name, "-")


def _state(reader, model, version, as_of):
    if reader.active_version(model, as_of) == version:
        return "champion"
    if version in reader.challengers(model, as_of):
        return "challenger"
    return "previous" if reader.previous(model, as_of) == version else "registered"


def _categories(bins, feature):
    return bins.get(feature, {}).get("categories")


def _cuts(bins, feature):
    return bins.get(feature, {}).get("cuts")


def _trained_on(told):
    if "window" not in told:
        return "-"
    first, last = told["window"]
    if adopted := told.get("adopted"):
        return f"elsewhere; adopted on {adopted['reference']}"
    return f"{told['rows']:,} rows, days from {first} to {last}"


def _recipe(told):
    rounds = {"rounds": told["rounds"]} if "rounds" in told else {}
    return {**told.get("parameters", {}), **rounds}


def _listed(named):
    return ", ".join(f"{name} {value}" for name, value in named.items()) or "-"


def _in_words(figure):
    if np.isnan(figure.value):
        return "-"
    if np.isnan(figure.lower):
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.lower:.3f} to {figure.upper:.3f})"


def _plain(figure):
    return {k: None if np.isnan(v) else v for k, v in figure._asdict().items()}
