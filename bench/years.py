"""Made years of a scoring service with known truth: 20 features, a score, labels, volume and
latency, as daily counts; and what the product's own watch says of them.
"""

from datetime import date, timedelta

import numpy as np
from scipy.special import expit
from scipy.stats import norm

FIRST = date(2025, 1, 6)  # a Monday
BINS = 20
MEAN = -1.8
CELLS = np.arange(-6000, 3001, 100)  # points of the score: log-odds N(-1.8, 1)
CUTS = norm.ppf(np.arange(1, BINS) / BINS)


def _resembling(effects, correlation):
    "Effects of days (days, ...) of which each resembles the one before."
    for t in range(1, len(effects) if correlation else 0):
        effects[t] = correlation * effects[t - 1] + np.sqrt(1 - correlation**2) * effects[t]
    return effects


class Year:
    """Days of reference, then days that are watched.

    rows: events a day; labels: labelled events a day; wobble: standard deviation of a day's own
    effect on the mean of each feature and of the score's log-odds (in standard deviations);
    weekend: shift of the
    means on Saturday and Sunday; correlation: lag-one autocorrelation of the day effects; shift: of
    the first feature, concept: of the label's log-odds, prevalence: factor on the share of
    positives, from `change` on; day_shift, day_slope: standard deviations of a day's own shift of
    the label's log-odds, and of their slope about the mean score; holidays: so many a year, half of
    them in a row as at a new year, on days that are drawn; each moves all means by about `festive`,
    the label's log-odds by half of it, and loses half of its volume.
    """

    def __init__(
        self,
        seed,
        days=365,
        reference=91,
        features=20,
        rows=2000,
        labels=500,
        wobble=0.0,
        weekend=0.0,
        correlation=0.0,
        change=None,
        shift=0.0,
        concept=0.0,
        prevalence=1.0,
        day_shift=0.0,
        day_slope=0.0,
        holidays=0,
        festive=0.5,
    ):
        rng = np.random.default_rng(seed)
        whole = reference + days
        self.cuts = CUTS
        self.reference, self.days = (
            [FIRST + timedelta(i) for i in range(reference)],
            [FIRST + timedelta(reference + i) for i in range(days)],
        )
        weekday = np.arange(whole) % 7
        after = np.arange(whole) >= (whole if change is None else reference + change)
        effects = _resembling(rng.normal(size=(whole, features + 1)), correlation)
        effects = wobble * effects + weekend * (weekday >= 5)[:, None]
        effects[after, 0] += shift
        chosen, feast = self._holidays(seed, whole, holidays, festive)
        effects[chosen] += feast[:, None]
        below = norm.cdf(CUTS - effects[:, :features, None])
        shares = np.diff(below, axis=2, prepend=0, append=1)
        counts = rng.multinomial(rows, shares)
        self.features = {
            f"x{i:02d}": np.pad(counts[:, i], ((0, 0), (2, 0))) for i in range(features)
        }
        of_labels = np.random.default_rng([seed, 1]).normal(size=(whole, 2))
        own = _resembling(of_labels, correlation) * [day_shift, day_slope]
        own[chosen, 0] += feast / 2
        self.scores = [
            self._score(
                rng,
                rows,
                labels,
                effects[t, features],
                (concept if after[t] else 0.0) + own[t, 0] + own[t, 1] * (CELLS / 1000 - MEAN),
                prevalence if after[t] else 1.0,
            )
            for t in range(whole)
        ]
        self.volume, self.latency = rng.poisson(rows, whole), rng.normal(8, 0.2, whole)
        self.volume[chosen] = self.volume[chosen] * np.exp(-feast * np.log(2) / (festive or 1))
        self.holidays = frozenset(FIRST + timedelta(int(i)) for i in chosen)

    @staticmethod
    def _holidays(seed, whole, a_year, festive):
        "Places of days that are holidays, and what each moves."
        rng = np.random.default_rng([seed, 2])
        run = a_year // 2
        begins = rng.integers(0, 365, -(-whole // 365)) + 365 * np.arange(-(-whole // 365))
        in_a_row = (begins[:, None] + np.arange(run)).ravel()
        single = rng.permutation(whole)[: round((a_year - run) * whole / 365)]
        chosen = np.unique(np.concatenate([in_a_row[in_a_row < whole], single]))
        return chosen, rng.normal(festive, 0.1 * festive, len(chosen))

    @staticmethod
    def _score(rng, rows, labels, effect, concept, prevalence):
        from aiops_wb.stats.counts import ScoreCounts

        shape = norm.pdf(CELLS / 1000, MEAN + effect, 1.0)
        shape /= shape.sum()
        p = expit(CELLS / 1000)
        rate = float((shape * p).sum())
        positive, negative = (
            shape * p * prevalence,
            shape * (1 - p) * (1 - prevalence * rate) / (1 - rate),
        )  # a new mix of the same two kinds
        shape, p = positive + negative, positive / (positive + negative)
        labelled = rng.multinomial(labels, shape)
        hits = rng.binomial(labelled, expit(np.log(p / (1 - p)) + concept))
        return ScoreCounts.of(
            CELLS, labelled + rng.multinomial(rows - labels, shape), labelled, hits
        )

    def questions(self, settings, holidays=frozenset()):
        "The streams that the daily run follows, labels known at once; `holidays` that are marked."
        from aiops_wb.stats.streams import (
            SHARES,
            calibration_question,
            feature_questions,
            loss_question,
            positive_question,
            ranked_question,
            score_question,
        )
        from aiops_wb.watch.alarms import lots
        from aiops_wb.watch.marked import without_events

        m, tolerance, recent = len(self.reference), settings.drift_tolerance, settings.recent_days
        weight = SHARES["inputs"] / (1 + len(self.features))
        before = dict(zip(self.reference, self.scores[:m]))
        now = dict(zip(self.days, self.scores[m:]))
        rule = {name: {"cuts": CUTS.tolist()} for name in self.features}
        return [
            q
            for q in (
                score_question(now, before, tolerance, recent, weight, holidays),
                *feature_questions(
                    self.days,
                    {f: t[m:] for f, t in self.features.items()},
                    self.reference,
                    {f: t[:m] for f, t in self.features.items()},
                    rule,
                    tolerance,
                    recent,
                    weight,
                    holidays=holidays,
                ),
                calibration_question(
                    without_events(now, holidays),
                    without_events(before, holidays),
                    settings.calibration_tolerance,
                    recent,
                    SHARES["calibration"],
                ),
                positive_question(
                    now, before, tolerance, recent, SHARES["positive rate"], holidays
                ),
                loss_question(now, before, tolerance, recent, SHARES["loss"], holidays),
                *(
                    ranked_question(
                        name,
                        self.days,
                        values[m:],
                        lots(name, self.days),
                        SHARES[name],
                        holidays=holidays,
                    )
                    for name, values in (("volume", self.volume), ("latency", self.latency))
                ),
            )
            if q is not None
        ]

    def watched(self, marked=True):
        """Names of the streams, and on which mornings each was in alarm (days, streams), its
        holidays `marked` as such or not."""
        from aiops_wb.config import Settings
        from aiops_wb.stats.sequential import follow

        settings = Settings()
        questions = self.questions(settings, self.holidays if marked else frozenset())
        return [q.stream.name for q in questions], follow(
            [q.stream for q in questions], settings.drift_level
        ).open

    def reference_rule(self, recent=7):
        """On which mornings KS of the last days against the reference had p < 0.01, for each
        feature and the score (days, streams).
        """
        from aiops_wb.stats.counts import total
        from aiops_wb.stats.drift import ks, ks_bracket

        m, alarms = len(self.reference), []
        for table in self.features.values():
            base, sums = table[:m, 2:].sum(axis=0), np.cumsum(table[:, 2:], axis=0)
            alarms.append(
                [
                    ks_bracket(sums[t] - sums[t - recent], base).pvalue < 0.01
                    for t in range(m, len(table))
                ]
            )
        base = total(self.scores[:m])
        alarms.append(
            [
                ks(total(self.scores[t - recent + 1 : t + 1]), base).drifted
                for t in range(m, len(self.scores))
            ]
        )
        return np.array(alarms).T
