"""Which streams of a model drift, since when, and what about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from math import exp, isnan, log, nan

import numpy as np
import pandas as pd
from scipy.special import logit

from ..config import Settings
from ..log.catalog import Reader
from ..log.store import binned_days
from ..stats import sequential
from ..stats.conformal import venn_abers
from ..stats.counts import ScoreCounts, total
from ..stats.drift import (
    FIRST,
    LOGIT_LEVELS,
    LOSS_LEVELS,
    MISSING,
    SHARE_LEVELS,
    UNSEEN,
    FeatureShift,
    feature_shift,
    gravity,
    kind_of_drift,
)
from ..stats.estimates import mlls
from ..stats.performance import Figure, squared_errors
from ..stats.points import Grid

__all__ = [
    "SCORE_CUTS",
    "BUILT_IN",
    "RATIO",
    "SHARES",
    "Cuts",
    "cuts_of",
    "Question",
    "feature_questions",
    "score_question",
    "calibration_question",
    "positive_question",
    "loss_question",
    "labelled_question",
    "ranked_question",
    "Alarm",
    "Drift",
    "Observed",
    "count_rows",
    "observe",
    "follow_version",
    "drift_of",
]


@dataclass(frozen=True, eq=False)
class Cuts:
    "Sets of a feature whose shares are watched: a matrix from places of a vector of counts to sets, and a name for each."

    members: np.ndarray  # (places, cuts) 0/1
    names: tuple[str, ...]
    quality: tuple[bool, ...]  # whether a set is about the data rather than the world


def cuts_of(rule: Mapping, reference: np.ndarray) -> Cuts:
    "The watched sets of a feature by its binning rule and its reference vector (unseen, missing, bins ...)."
    places = len(reference)
    sets, names, quality = [np.eye(places)[MISSING]], ["missing"], [True]
    inside = reference[FIRST:]
    if "categories" in rule:
        common = np.argsort(-inside, kind="stable")[:3]
        sets += [
            np.eye(places)[UNSEEN],
            *(np.eye(places)[FIRST + c] for c in common if inside[c] > 0),
        ]
        names += [
            "never seen in training",
            *(f"= {rule['categories'][c]}" for c in common if inside[c] > 0),
        ]
        quality += [True, *(False for c in common if inside[c] > 0)]
        for third in (
            (1, 2) if len(inside) > 6 and inside.sum() else ()
        ):  # so many categories that none is common: parts of the alphabet
            last = int(np.searchsorted(np.cumsum(inside), inside.sum() * third / 3))
            sets.append((np.arange(places) >= FIRST) & (np.arange(places) <= FIRST + last))
            names.append(f"up to {rule['categories'][last]} in the alphabet")
            quality.append(False)
    elif inside.sum() and len(rule["cuts"]):
        below = np.cumsum(inside)[:-1] / inside.sum()
        chosen = sorted({int(np.argmin(np.abs(below - q))) for q in (0.25, 0.5, 0.75)})
        chosen = [c for c in chosen if 0 < below[c] < 1] or sorted(
            {0, len(below) - 1}
        )  # a constant: what lies below it, and what above
        sets += [(np.arange(places) >= FIRST) & (np.arange(places) <= FIRST + c) for c in chosen]
        names += [f"below {rule['cuts'][c]:.4g}" for c in chosen]
        quality += [False] * len(chosen)
    return Cuts(np.array(sets, dtype=np.float64).T, tuple(names), tuple(quality))


def _places(rule):
    "Length of a vector of counts under a binning rule."
    return FIRST + (len(rule["categories"]) if "categories" in rule else len(rule["cuts"]) + 1)


def _padded(table, places):
    return np.pad(table, ((0, 0), (0, max(0, places - table.shape[1]))))[:, :places]


def _weekdays(days):
    return np.array([d.weekday() for d in days], dtype=int)


@dataclass(frozen=True, eq=False)
class Question:
    "A stream with what is needed to speak about it: what was watched where, its kind, and its daily series."

    stream: sequential.Stream
    about: str  # feature | score | labels | volume
    series: np.ndarray  # (days,) the watched share or value, NaN where unknown
    normal: np.ndarray  # (days,) what the reference expects
    where: tuple[str, ...] = ()  # names of the watched sets
    at: np.ndarray | None = None  # (days,) the set with the largest recent change
    quality: tuple[bool, ...] = ()
    residual: Figure = Figure(nan)  # lag-one autocorrelation of the reference days
    rests_on: int | None = None  # days of the reference; None where none is needed
    lag: int = 0  # days after which it is asked
    levels: tuple = SHARE_LEVELS


def _share_question(
    name,
    about,
    hits,
    n,
    weekday,
    reference_hits,
    reference_n,
    reference_weekday,
    tolerance,
    weight,
    cuts: Cuts | None = None,
    recent=7,
    event_variance=None,
):
    reference = sequential.day_reference(
        reference_hits, reference_n, reference_weekday, event_variance=event_variance
    )
    if reference is None:
        return None
    priority = (
        [1 + q for q in cuts.quality] if cuts else None
    )  # what is missing is missing from every other share, too: it comes first
    effect, lower, at = sequential.recent_shares(
        hits, n, weekday, reference, recent, priority=priority
    )
    expected, row = reference.at(weekday)[0], np.arange(len(n))
    with np.errstate(divide="ignore", invalid="ignore"):
        share, before = (
            np.where(n[:, None] > 0, hits / n[:, None], nan),
            reference_hits / reference_n[:, None],
        )
    stream = sequential.Stream(
        name,
        sequential.share_bets(
            hits, n, weekday, reference, tolerance, cuts.quality if cuts else False
        ),
        effect,
        lower,
        tolerance,
        weight,
        "of events",
    )
    main = int(np.argmax(reference.share[0] * (1 - reference.share[0])))
    residual = sequential.autocorrelation(
        before[:, main], reference_weekday if reference.by_weekday else None
    )
    last = at[-1] if len(at) else 0
    return Question(
        stream,
        about,
        share[row, last] if len(n) else np.empty(0),
        expected[row, last] if len(n) else np.empty(0),
        cuts.names if cuts else (name,),
        at,
        cuts.quality if cuts else (False,),
        residual,
        int((reference_n > 0).sum()),
    )


def _later(question, lag, days):
    "The same question asked `lag` days later: nothing is known on the first mornings."
    if question is None or not lag:
        return question
    move = lambda a, fill: np.concatenate(
        [np.full((min(lag, days), *a.shape[1:]), fill, dtype=a.dtype), a]
    )[:days]
    s = question.stream
    stream = replace(
        s, bets=move(s.bets, 0.0), effect=move(s.effect, nan), lower=move(s.lower, 0.0)
    )
    return replace(
        question, stream=stream, at=None if question.at is None else move(question.at, 0), lag=lag
    )


SCORE_CUTS = (0.25, 0.5, 0.75, 0.95)
BUILT_IN = {
    "score",
    "calibration",
    "positive rate",
    "loss",
    "share labelled",
    "volume",
    "latency",
}  # a feature of such a name is called "feature ..."


def feature_questions(
    days, tables, reference_days, reference_tables, bins: Mapping, settings: Settings, weight: float
) -> list[Question]:
    "A question for each feature that has a reference and counts; `days` are those of the tables' rows."
    called = lambda name: (
        f"feature {name}" if name in BUILT_IN or name.startswith("feature ") else name
    )
    found, weekday, reference_weekday = [], _weekdays(days), _weekdays(reference_days)
    for name, rule in bins.items():
        if name not in tables or name not in reference_tables:
            continue
        now, before = (
            _padded(tables[name], _places(rule)),
            _padded(reference_tables[name], _places(rule)),
        )
        cuts = cuts_of(rule, before.sum(axis=0))
        found.append(
            _share_question(
                called(name),
                "feature",
                now @ cuts.members,
                now.sum(axis=1),
                weekday,
                before @ cuts.members,
                before.sum(axis=1),
                reference_weekday,
                settings.drift_tolerance,
                weight,
                cuts,
                settings.recent_days,
            )
        )
    return [q for q in found if q is not None]


def _hits_below(tables, cuts):
    return np.array(
        [[c.n[c.points < cut].sum() for cut in cuts] for c in tables], dtype=np.float64
    ).reshape(len(tables), len(cuts))


def score_question(
    days: Mapping[date, ScoreCounts],
    reference: Mapping[date, ScoreCounts],
    settings: Settings,
    weight: float,
) -> Question | None:
    "Does the score lie as on the reference days? At the quartiles and the upper twentieth of the reference."
    if not reference:
        return None
    together = total(reference.values())
    share = np.cumsum(together.n) / max(1, together.n.sum())
    at = (
        sorted(
            {
                int(together.points[min(np.searchsorted(share, q), len(share) - 1)]) + 1
                for q in SCORE_CUTS
            }
        )
        if len(share)
        else []
    )
    if not at:
        return None
    show = lambda points: f"below {float(together.grid.inverse(points)):.3g}"
    cuts = Cuts(np.empty((0, 0)), tuple(show(p) for p in at), (False,) * len(at))
    sizes = lambda tables: np.array([c.total[0] for c in tables], dtype=np.float64)
    return _share_question(
        "score",
        "score",
        _hits_below(days.values(), at),
        sizes(days.values()),
        _weekdays(days),
        _hits_below(reference.values(), at),
        sizes(reference.values()),
        _weekdays(reference),
        settings.drift_tolerance,
        weight,
        cuts,
        settings.recent_days,
    )


def _on_cells(tables, cells):
    "Positive and negative counts (days, cells) of tables on the cells (their lowest points) of a coarser grid."
    positive, negative = np.zeros((2, len(tables), len(cells)))
    for i, c in enumerate(tables):
        where = np.searchsorted(cells, c.points)
        positive[i, where], negative[i, where] = c.n_positive, c.n_negative
    return positive, negative


def calibration_question(
    days: Mapping[date, ScoreCounts],
    reference: Mapping[date, ScoreCounts],
    settings: Settings,
    weight: float,
) -> Question | None:
    "Do labels come out as the reference's probabilities say? In logits; None where the reference is too short or the scores are no probabilities."
    coarse = {d: c.coarsen(50) for d, c in reference.items() if c.total[1]}
    if not coarse or next(iter(coarse.values())).grid.kind != "logit":
        return None
    now = [c.coarsen(50) for c in days.values()]
    cells = np.unique(np.concatenate([c.points for c in (*coarse.values(), *now)]))
    fitted = venn_abers(total(coarse.values())).probability(cells)
    before = _on_cells(list(coarse.values()), cells)
    variance, unsure = sequential.offset_variance(*before, fitted)
    if isnan(variance):
        return None
    positive, negative = _on_cells(now, cells)
    offset, chance = sequential.day_offsets(positive, negative, fitted)
    error, tolerance = chance + variance, settings.calibration_tolerance + 2 * unsure
    window = lambda v: np.array(
        [np.nansum(v[max(0, i - settings.recent_days + 1) : i + 1]) for i in range(len(v))]
    )
    weights = 1 / error
    with np.errstate(divide="ignore", invalid="ignore"):
        effect, spread = window(weights * offset) / window(weights), 1 / np.sqrt(window(weights))
    bets = sequential.calibration_bets(
        positive, negative, fitted, sum(before).sum(axis=0), variance, tolerance
    )
    stream = sequential.Stream(
        "calibration",
        bets,
        effect,
        np.nan_to_num(np.maximum(0.0, np.abs(effect) - 1.96 * spread)),
        tolerance,
        weight,
        "logits",
    )
    residual = sequential.autocorrelation(sequential.day_offsets(*before, fitted)[0])
    return Question(
        stream,
        "labels",
        offset,
        np.zeros(len(offset)),
        ("log-odds of the label",),
        quality=(False,),
        residual=residual,
        rests_on=len(coarse),
        levels=LOGIT_LEVELS,
    )


def positive_question(
    days: Mapping[date, ScoreCounts],
    reference: Mapping[date, ScoreCounts],
    settings: Settings,
    weight: float,
) -> Question | None:
    "Is the share of positives among complete labels that of the reference?"
    columns = lambda tables: (
        np.array([[c.total[2]] for c in tables.values()], dtype=np.float64).reshape(-1, 1),
        np.array([c.total[1] for c in tables.values()], dtype=np.float64),
    )
    (hits, n), (before, m) = columns(days), columns(reference)
    return (
        _share_question(
            "positive rate",
            "labels",
            hits,
            n,
            _weekdays(days),
            before,
            m,
            _weekdays(reference),
            settings.drift_tolerance,
            weight,
            recent=settings.recent_days,
        )
        if len(m)
        else None
    )


def loss_question(
    days: Mapping[date, ScoreCounts],
    reference: Mapping[date, ScoreCounts],
    settings: Settings,
    weight: float,
) -> Question | None:
    "Do the scores miss complete labels by more than on the reference days, by the mean squared error? Only a rise counts; None where the scores are no probabilities."
    tables = [*reference.values(), *days.values()]
    if not reference or tables[0].grid.kind != "logit":
        return None
    missed, squares = np.array([squared_errors(c) for c in tables]).T[:, :, None]
    n, m = np.array([c.total[1] for c in tables], dtype=np.float64), len(reference)
    labelled = max(1.0, n[:m].sum())
    varies = max(
        0.0, squares[:m].sum() / labelled - (missed[:m].sum() / labelled) ** 2
    )  # a squared error varies less than a hit: what days differ beyond it is their own effect
    question = _share_question(
        "loss",
        "labels",
        missed[m:],
        n[m:],
        _weekdays(days),
        missed[:m],
        n[:m],
        _weekdays(reference),
        settings.drift_tolerance,
        weight,
        recent=settings.recent_days,
        event_variance=varies,
    )
    if question is None:
        return None
    s = question.stream
    rises = replace(
        s,
        bets=s.bets[:, : s.bets.shape[1] // 2],
        effect=np.maximum(s.effect, 0.0),
        lower=np.where(s.effect > 0, s.lower, 0.0),
        unit="of squared error",
    )
    return replace(question, stream=rises, where=("mean squared error",), levels=LOSS_LEVELS)


def labelled_question(
    days: Mapping[date, ScoreCounts], settings: Settings, weight: float, learn: int = 28
) -> Question | None:
    "Do as many events get a label as on the version's first 28 days with events? None before that."
    hits, n = (
        np.array([[c.total[1]] for c in days.values()], dtype=np.float64).reshape(-1, 1),
        np.array([c.total[0] for c in days.values()], dtype=np.float64),
    )
    weekday, seen = _weekdays(days), np.flatnonzero(n > 0)
    if len(seen) <= learn or not hits.any():
        return None
    learn = int(seen[learn - 1]) + 1
    question = _share_question(
        "share labelled",
        "labels",
        hits,
        n,
        weekday,
        hits[:learn],
        n[:learn],
        weekday[:learn],
        settings.drift_tolerance,
        weight,
        recent=settings.recent_days,
    )
    if question is not None:
        question.stream.bets[:learn] = 0  # the days that were learned from prove nothing
    return question


RATIO = log(1.2)


def ranked_question(
    name: str, days: list[date], values, weight: float, recent: int = 7
) -> Question:
    "Is a positive daily value (events, milliseconds) as usual for its weekday? The effect is the mean of the recent days' logs against the weekday means of the weeks before."
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.asarray(values, dtype=np.float64))
    logs[~np.isfinite(logs)] = nan
    weekday = _weekdays(days)
    lots = np.array([np.random.default_rng([d.toordinal(), len(name)]).random() for d in days])
    levels, normal = sequential.level_bets(logs, weekday, RATIO)
    apart, ranks = logs - normal, sequential.conformal_bets(logs, lots, weekday)
    effect = np.array(
        [
            np.mean(known)
            if len(known := (part := apart[max(0, i - recent + 1) : i + 1])[~np.isnan(part)])
            else nan
            for i in range(len(days))
        ]
    )
    lower = np.nan_to_num(np.abs(effect))
    ranks[lower <= RATIO] = np.minimum(ranks[lower <= RATIO], 0)
    bets = np.concatenate(
        [levels, np.repeat(ranks, levels.shape[1], axis=1)], axis=1
    )  # stakes are equal: as many on ranks as on levels
    return Question(
        sequential.Stream(name, bets, effect, lower, RATIO, weight, "log ratio"),
        "volume",
        np.exp(logs),
        np.exp(normal),
        (name,),
        quality=(True,),
        levels=(RATIO, log(1.5), log(2), log(4)),
    )


SHARES = {
    "inputs": 0.5,
    "calibration": 0.2,
    "positive rate": 0.1,
    "loss": 0.05,
    "share labelled": 0.05,
    "volume": 0.05,
    "latency": 0.05,
}


@dataclass(frozen=True)
class Alarm:
    "An open alarm on a morning."

    stream: str
    kind: str
    severity: str
    log10_evidence: float  # the most since it opened; above 0: it would raise the alarm on its own
    effect: float
    lower: float
    unit: str
    where: str
    since: date  # when the change most likely began
    opened_on: date
    muted: bool = False

    def says(self) -> str:
        "What moved, in one sentence."
        if self.unit == "log ratio":
            return f"{self.stream} is {exp(self.effect):.2f} times what it was"
        if self.unit == "logits":
            return f"at the same score the log-odds of the label are {abs(self.effect):.2f} {'higher' if self.effect > 0 else 'lower'} than on the held-out days"
        if self.stream == "loss":
            return (
                f"the mean squared error of the scores rose by {self.effect:.3f}"
                if self.effect > 0
                else "the mean squared error of the scores is no longer higher"
            )
        what = {
            "positive rate": "the share of positives",
            "share labelled": "the share of events with a label",
        }.get(self.stream, f"{self.stream}: the share {self.where}")
        return (
            f"{what} {'rose' if self.effect > 0 else 'fell'} by {100 * abs(self.effect):.1f} points"
        )

    def advice(self) -> str:
        "What to do, in one sentence."
        return {
            "data quality": "Repair the feed before anything else; until then scores that use it are not to be trusted.",
            "concept": "The same inputs mean something else: check the labels, then consider a challenger trained on recent days.",
            "label shift": "The mix of events changed, not their look: recalibrate, and look at the threshold.",
            "covariate": "Inputs moved: find out why, and see whether the calibration holds.",
            "operation": "Ask who runs the service: more or fewer events, or slower answers, are no matter of the model.",
        }[self.kind]


@dataclass(frozen=True, eq=False)
class Drift:
    "What the questions said on every morning from the first to `days[-1]`."

    days: list[date]
    questions: list[Question]
    followed: sequential.Followed
    muted: np.ndarray
    calendar: pd.DataFrame
    offset: Figure  # by how many logits recent labels differ from the probabilities; 95 % interval
    mix_offset: Figure  # what the score distribution says about the prior's log-odds
    level: float
    vectors: Mapping[str, tuple[np.ndarray, np.ndarray, Mapping]] = field(
        default_factory=dict
    )  # feature -> counts of the recent days, of the reference, binning rule

    @cached_property
    def shifts(self) -> list[FeatureShift]:
        "How each feature of the recent days differs from its reference, the largest change first."
        found = [
            feature_shift(
                name, "category" if "categories" in rule else "numeric", recent, reference
            )
            for name, (recent, reference, rule) in self.vectors.items()
        ]
        return sorted(
            found,
            key=lambda f: -max(0.0 if isnan(f.effect) else f.effect, f.missing[0] - f.missing[1]),
        )

    @cached_property
    def alarms(self) -> list[Alarm]:
        "The alarms open on the last morning, gravest first."
        if not self.days:
            return []
        found, last = [], len(self.days) - 1
        opened = np.flatnonzero(self.followed.open[last])
        half = lambda f: (f.upper - f.lower) / 2 / 1.96 if not isnan(f.lower) else nan
        quality = lambda i: bool(
            self.questions[i].quality[
                self.questions[i].at[last] if self.questions[i].at is not None else 0
            ]
        )
        inputs = any(
            self.questions[i].about in ("feature", "score") and not quality(i) for i in opened
        )
        off = any(self.questions[i].stream.name == "calibration" for i in opened)
        labels = kind_of_drift(
            False,
            inputs,
            self.offset.value,
            half(self.offset),
            self.mix_offset.value,
            half(self.mix_offset),
        )
        for i in opened:
            q, s = self.questions[i], self.questions[i].stream
            kind = self._kind(q, quality(i), labels, inputs, off)
            began = (
                int(self.followed.open[: last + 1, i][::-1].argmin())
                if not self.followed.open[: last + 1, i].all()
                else last + 1
            )
            evidence = float(
                (self.followed.evidence[last + 1 - began :, i].max() - self.followed.bar[i])
                / log(10)
            )
            where = q.where[q.at[last]] if q.at is not None else q.where[0]
            found.append(
                Alarm(
                    s.name,
                    kind,
                    gravity(s.effect[last], True, q.levels),
                    evidence,
                    float(s.effect[last]),
                    float(s.lower[last]),
                    s.unit,
                    where,
                    self.days[max(0, self.followed.since[last, i] - q.lag)],
                    self.days[last + 1 - began],
                    bool(self.muted[last]),
                )
            )
        order = ("critical", "high", "medium", "low", "unknown")
        return sorted(found, key=lambda a: (order.index(a.severity), -a.log10_evidence))

    @staticmethod
    def _kind(q, quality, labels, inputs, off):
        "What an alarm of a stream is about, given what the labels say and which others are open."
        if q.about == "volume":
            return "operation"
        if quality or q.stream.name == "share labelled":
            return "data quality"
        if q.about != "labels":
            return "label shift" if labels == "label shift" and q.about == "score" else "covariate"
        return (
            labels
            if labels in ("concept", "label shift")
            else "covariate"
            if inputs and not off
            else "concept"
        )

    @property
    def severity(self) -> str:
        "The gravest open alarm's that is not muted; none without any; unknown when nothing is watched."
        heard = [a for a in self.alarms if not a.muted]
        return heard[0].severity if heard else "none" if self.questions else "unknown"

    @property
    def autocorrelated(self) -> list[str]:
        "Streams whose reference days are not independent of the day before."
        return [q.stream.name for q in self.questions if q.residual.lower > 0]

    @property
    def caveats(self) -> list[str]:
        "Why the promised level cannot be claimed; empty where it can. One stream in forty looks autocorrelated by chance, so up to one in five is let pass."
        found, short = (
            [],
            [q.stream.name for q in self.questions if q.rests_on is not None and q.rests_on < 28],
        )
        if len(self.autocorrelated) > 0.2 * max(1, len(self.questions)):
            found.append(
                f"the reference days of {', '.join(self.autocorrelated)} resemble the day before, so days are not independent"
            )
        if short:
            found.append(
                f"{', '.join(short)} rest on {min(q.rests_on for q in self.questions if q.rests_on is not None)} reference days, too few to know how much days differ (28 are enough)"
            )
        return found


def _muted_days(days, calendar):
    muted = np.zeros(len(days), dtype=bool)
    for entry in calendar[calendar.mutes].itertuples():
        muted |= np.array([entry.first.date() <= d <= entry.last.date() for d in days], dtype=bool)
    return muted


@dataclass(frozen=True, eq=False)
class Observed:
    "What was counted of one version: scores and labels by day, features by day, their references, latency, and what the calendar says."

    counts: Mapping[date, ScoreCounts]
    reference: Mapping[
        date, ScoreCounts
    ]  # held-out days of training; empty for a version trained elsewhere
    feature_days: list[date] = field(default_factory=list)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)  # (days, places)
    reference_days: list[date] = field(default_factory=list)
    reference_features: Mapping[str, np.ndarray] = field(default_factory=dict)  # (days, places)
    bins: Mapping[str, Mapping] = field(default_factory=dict)
    latency: Mapping[date, float] = field(default_factory=dict)  # mean milliseconds
    calendar: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(
            {"first": [], "last": [], "mutes": np.array([], dtype=bool), "name": []}
        )
    )


def _tables(counted, bins):
    "Days, and for each feature a table (days, places), of a frame event_date, feature, bin, n."
    days = sorted(counted.event_date.unique())
    place, found = (
        {d: i for i, d in enumerate(days)},
        {f: np.zeros((len(days), _places(rule)), dtype=np.int64) for f, rule in bins.items()},
    )
    for feature, rows in counted.groupby("feature"):
        np.add.at(found[feature], (rows.event_date.map(place), rows["bin"] + 2), rows.n)
    return days, found


def count_rows(
    rows: pd.DataFrame,
    points,
    bins: Mapping[str, Mapping],
    reference: pd.DataFrame,
    held_out: Mapping[date, ScoreCounts],
    grid: Grid = Grid(),
) -> Observed:
    """What daily runs would have counted, from a table in memory: `rows` with `day`, `label` (NaN where unknown) and the features of `bins`, their points, the counted `reference`
    (event_date, feature, bin, n) and the held-out days. For trying things before anything is logged."""
    label, points = rows.label.to_numpy(), np.asarray(points)
    counts = {
        day: ScoreCounts.from_events(points[at], label[at], grid)
        for day, at in sorted(rows.groupby("day").indices.items())
    }
    return Observed(
        counts,
        held_out,
        *_tables(binned_days(rows, rows.day, bins), bins),
        *_tables(reference, bins),
        bins,
    )


def observe(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    as_of: datetime | None = None,
    bins: Mapping | None = None,
) -> Observed:
    "Read what was counted of a version up to a day, as known at a time."
    counts = reader.score_counts(model, None, day, version=version, as_of=as_of)
    latency = reader.latency(model, None, day, version=version, as_of=as_of)
    return Observed(
        counts,
        reader.held_out_counts(model, version),
        *reader.feature_counts(model, version, None, day, as_of=as_of),
        *reader.reference_counts(model, version),
        bins or {},
        {d: h.mean for d, h in latency.items()},
        reader.calendar(model, as_of),
    )


def _questions(seen: Observed, days, by_day, reference, learned, muted, settings):
    "All questions to a version, and the one about calibration apart."
    row, lag = {d: i for i, d in enumerate(seen.feature_days)}, settings.label_delay_days
    tables = {
        f: np.array([t[row[d]] if d in row else np.zeros(t.shape[1], dtype=np.int64) for d in days])
        for f, t in seen.features.items()
    }
    mature = {d: by_day[d] for d in days[: max(0, len(days) - lag)]}
    labelled = {
        d: c for d, c in (mature if learned else reference).items() if d in reference and c.total[1]
    }
    inputs = SHARES["inputs"] / (
        1 + sum(f in tables and f in seen.reference_features for f in seen.bins)
    )
    calibration = calibration_question(mature, labelled, settings, SHARES["calibration"])
    ripe = {
        d: by_day[d] for d in days[: max(0, len(days) - 3 * lag)]
    }  # labels that trickle in later must not look like fewer labels
    late = (
        (calibration, lag),
        (positive_question(mature, labelled, settings, SHARES["positive rate"]), lag),
        (loss_question(mature, labelled, settings, SHARES["loss"]), lag),
        (labelled_question(ripe, settings, SHARES["share labelled"]), 3 * lag),
    )
    for q, _ in late:
        if q is not None:
            q.stream.bets[muted[: len(q.stream.bets)]] = 0
    found = [
        score_question(by_day, reference, settings, inputs),
        *feature_questions(
            days, tables, seen.reference_days, seen.reference_features, seen.bins, settings, inputs
        ),
        *(_later(q, wait, len(days)) for q, wait in late),
        ranked_question(
            "volume",
            days,
            [c.total[0] for c in by_day.values()],
            SHARES["volume"],
            settings.recent_days,
        ),
        ranked_question(
            "latency",
            days,
            [seen.latency.get(d, nan) for d in days],
            SHARES["latency"],
            settings.recent_days,
        ),
    ]
    found = [q for q in found if q is not None]
    for q in found:
        if not q.lag:
            q.stream.bets[muted] = 0  # the events of a muted day count for nothing
        if learned and q.about != "volume":
            q.stream.bets[: learned + q.lag] = 0  # the days that were learned from prove nothing
    return found, calibration, tables, labelled


def _beginning(days, last, gap=60):
    "The first day after the last long silence: one row with a date of long ago must not be the beginning."
    days = sorted(days) or [last]
    starts = [b for a, b in zip(days, days[1:]) if (b - a).days > gap]
    return starts[-1] if starts else days[0]


def follow_version(seen: Observed, day: date, settings: Settings) -> Drift:
    """Follow a version from its first day to `day`.

    Days of labels count when they are `label_delay_days` old. References: the days of training for features, the held-out days for the score and the labels; for a version trained elsewhere its own first 28 days with events, and no features. What came before a silence of more than 60 days is left out.
    """
    first = _beginning([d for d, c in seen.counts.items() if c.total[0]], day)
    days = [
        first + timedelta(i) for i in range((day - first).days + 1)
    ]  # a day without events is a day
    empty = (
        ScoreCounts.empty(next(iter(seen.counts.values())).grid)
        if seen.counts
        else ScoreCounts.empty()
    )
    by_day = {d: seen.counts.get(d, empty) for d in days}
    with_events = [i for i, d in enumerate(days) if by_day[d].total[0]]
    learned = 0 if seen.reference else (with_events[27] + 1 if len(with_events) > 27 else len(days))
    reference = seen.reference or {d: by_day[d] for d in days[:learned] if by_day[d].total[0]}
    muted = _muted_days(days, seen.calendar)
    questions, calibration, tables, labelled = _questions(
        seen, days, by_day, reference, learned, muted, settings
    )
    followed = sequential.follow(
        [q.stream for q in questions], settings.drift_level, hold=settings.recent_days, muted=muted
    )
    recent = slice(max(0, len(days) - settings.recent_days), None)
    vectors = {
        f: (
            *(
                _padded(t, _places(rule)).sum(axis=0)
                for t in (tables[f][recent], seen.reference_features[f])
            ),
            rule,
        )
        for f, rule in seen.bins.items()
        if f in tables and f in seen.reference_features
    }
    return Drift(
        days,
        questions,
        followed,
        muted,
        seen.calendar,
        _offset(calibration),
        _mix_offset(by_day, labelled, settings),
        settings.drift_level,
        vectors,
    )


def drift_of(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    settings: Settings,
    as_of: datetime | None = None,
    state: Mapping | None = None,
) -> Drift:
    "Follow a version by what is stored, as known at a time; `state` is what was stored when the version was registered."
    return follow_version(
        observe(reader, model, version, day, as_of, (state or {}).get("bins")), day, settings
    )


def _offset(question):
    "The recent offset of the labels, with its interval."
    if question is None or not len(question.stream.effect) or isnan(question.stream.effect[-1]):
        return Figure(nan)
    effect = float(question.stream.effect[-1])
    half = (
        abs(effect) - float(question.stream.lower[-1])
        if question.stream.lower[-1] > 0
        else max(abs(effect), question.stream.tolerance)
    )
    return Figure(effect, effect - half, effect + half)


def _mix_offset(days, reference, settings):
    "The change of the prior's log-odds that the scores of the recent mature days suggest (MLLS)."
    known = total(reference.values()) if reference else ScoreCounts.empty()
    recent = list(days.values())[-settings.recent_days - settings.label_delay_days :][
        : settings.recent_days
    ]
    if (
        known.grid.kind != "logit"
        or not 0 < known.total[2] < known.total[1]
        or not sum(c.total[0] for c in recent)
    ):
        return Figure(nan)
    coarse = total(c.coarsen(50) for c in recent)
    base = known.total[2] / known.total[1]
    found = mlls(coarse, venn_abers(known.coarsen(50)).probability(coarse.points), base)
    to_logit = lambda share: float(logit(min(max(share, 1e-6), 1 - 1e-6)) - logit(base))
    return Figure(to_logit(found.value), to_logit(found.lower), to_logit(found.upper), found.n)
