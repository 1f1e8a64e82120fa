"""Whatever takes points refuses a probability that is given by mistake, and says what to write."""

import importlib
import inspect
import pkgutil
from datetime import UTC, date, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

import aiops_wb
from aiops_wb.config import Settings
from aiops_wb.log.dial import Dial, DialWrites
from aiops_wb.log.proposals import ProposalWrites
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.versions import VersionWrites
from aiops_wb.models.booster_file import agreement
from aiops_wb.models.cards import held_out_figures, kept_figures
from aiops_wb.models.differences import explain_models
from aiops_wb.models.explain import faithfulness
from aiops_wb.models.kept_reasons import keep_reasons, without_reasons
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.three_cases import three_cases
from aiops_wb.models.training import held_out_metrics, train
from aiops_wb.models.version import ModelVersion
from aiops_wb.render.plots.certainty import certainty_curve
from aiops_wb.render.plots.drift import score_shift
from aiops_wb.render.plots.thresholds import threshold_curve
from aiops_wb.stats.arrival import arrivals
from aiops_wb.stats.automation import (
    Certainty,
    Grounds,
    Record,
    TicketRule,
    day_rule,
    level_at,
    rate_rule,
    record_rule,
    row_rule,
    select,
    thresholds_down,
    venn_abers_rule,
)
from aiops_wb.stats.choosing import Choice, MaxFDR, MaxFPR
from aiops_wb.stats.conformal import (
    GroupConditional,
    LabelConditional,
    calibrate,
    covariate_weights,
    venn_abers,
)
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.coverage import automation_risk, interval_sets
from aiops_wb.stats.decisions import Ladder
from aiops_wb.stats.estimates import (
    bbse,
    delay_adjusted,
    expected_over_days,
    expected_performance,
    maturation,
)
from aiops_wb.stats.pace import Pace, pace_by_band
from aiops_wb.stats.performance import confusion, summary
from aiops_wb.stats.points import Grid, as_points
from aiops_wb.stats.promises import observed
from aiops_wb.stats.selective import (
    Exploration,
    Reviewed,
    blind_below,
    exploration,
    weighted,
    weighted_curve,
)
from aiops_wb.stats.sides import Side
from aiops_wb.stats.thresholds import DayCurves, curve, simulate
from aiops_wb.stats.tuning import Daily, Situation, steps, tune
from aiops_wb.watch.alarms import count_rows
from aiops_wb.watch.dial import Calls
from aiops_wb.watch.lived import Growing
from aiops_wb.watch.model_day import ModelDay
from aiops_wb.watch.other_thresholds import OtherThresholds
from aiops_wb.watch.registered import Chosen
from aiops_wb.watch.selective import Selective
from aiops_wb.watch.threshold_changes import propose, set_threshold
from aiops_wb.watch.threshold_promises import Bound, end_bounds, issue_bound, promised
from aiops_wb.watch.tuning_rules import Ground, TuningRules
from aiops_wb.watch.words import labelled_like

NOW = datetime(2026, 3, 2, tzinfo=UTC)
GRID = Grid()
P = np.linspace(0.01, 0.99, 600)
LABELS = np.random.default_rng(0).random(600) < P
COUNTS = ScoreCounts.from_events(GRID.quantise(P), LABELS)
ALL = np.ones(len(COUNTS.points))
BOUNDS = venn_abers(COUNTS)
TABLE = LabelConditional(COUNTS)
GROUPS = GroupConditional({"a": TABLE})
MATURING = maturation([(0, 3, 3), (1, 3, 3)], 12)
PACE = Pace(np.array([0]), *np.ones((2, 2, 3)), np.ones(2))
ARRIVED = arrivals(*np.zeros((4, 2), dtype=int), today=3, bands=2)
RULE = TicketRule("off", None, 0.1, None, "rows", "", "", 0)
STANDS = Certainty(calibrate(COUNTS), {0.9: TABLE.set_bounds(0.9)}, BOUNDS, RULE)
ROWS = pd.DataFrame({"day": [date(2026, 3, 1)] * 2, "label": [0.0, 1.0]})
VERSION = ModelVersion.__new__(ModelVersion)
object.__setattr__(VERSION, "grid", GRID)
NAMED = {"tenant": "t", "model": "m", "version": "v", "grid": "logit"}
LOGGER = SimpleNamespace(
    spool="/nowhere", constant=NAMED, threshold=0, grid=GRID, _beside={}, _buffering={}
)


class Day:
    "As much of a model's day as is asked for a threshold."

    grid, threshold = GRID, 0


LOTS = Exploration(0.1, "logit", (-16_000,), (100_000,))
LOOKED_AT = [Reviewed.of_events([0, 1], [1, 0.5], [1, 0])] * 8
SEEN = SimpleNamespace(
    reviewed={0: LOOKED_AT[0]},
    figures=True,
    at=lambda x: weighted_curve(LOOKED_AT, x),
    _of=SimpleNamespace(probability=lambda x: float(GRID.inverse(x))),
)
RULES = TuningRules.of(Settings(tune_max_fdr=0.1))
GROUND = Ground(
    date(2026, 3, 1),
    date(2026, 3, 7),
    "",
    GRID,
    lambda first, last: {date(2026, 3, 7): COUNTS},
    lambda day: 0.0,
    lambda day: False,
)
FEW = Bound("alerts", 10)
CALLS = SimpleNamespace(_of=Day(), _counts={0: COUNTS}, days=1)


def others():
    whole = OtherThresholds(Day())
    whole.__dict__.update(_counts=COUNTS, _days={date(2026, 3, 1): COUNTS})
    return whole


MANY = {  # what takes the points of many events
    "stats.points.Grid.cells:points": GRID.cells,
    "stats.points.Grid.inverse:points": GRID.inverse,
    "stats.points.Grid.edges:points": GRID.edges,
    "stats.counts._Columns.__init__:points": lambda x: ScoreCounts(x, *np.ones((3, 2), dtype=int)),
    "stats.counts.ScoreCounts.__init__:points": lambda x: ScoreCounts(
        x, *np.ones((3, 2), dtype=int)
    ),
    "stats.counts.ScoreCounts.of:points": lambda x: ScoreCounts.of(x, [1, 1], [1, 1], [0, 1]),
    "stats.counts.ScoreCounts.from_events:points": ScoreCounts.from_events,
    "stats.sides.Side.__init__:points": lambda x: Side(
        [0], ["a"], ["v"], *np.zeros((3, 2), dtype=int), x, np.ones((3, 2)), {"v": 0}
    ),
    "stats.conformal._PValues.p_values:points": TABLE.p_values,
    "stats.conformal.LabelConditional.sets:points": TABLE.sets,
    "stats.conformal.GroupConditional.p_values:points": lambda x: GROUPS.p_values(x, ["a", "a"]),
    "stats.conformal.GroupConditional.sets:points": lambda x: GROUPS.sets(x, ["a", "a"]),
    "stats.conformal.VennAbers.intervals:points": BOUNDS.intervals,
    "stats.conformal.VennAbers.probability:points": BOUNDS.probability,
    "stats.conformal.covariate_weights:points": lambda x: covariate_weights(COUNTS, COUNTS, x),
    "stats.coverage.interval_sets:points": lambda x: interval_sets(calibrate(COUNTS), 0.9, x, GRID),
    "stats.estimates.Maturation.chances:points": lambda x: MATURING.chances(x, 1),
    "stats.pace.Pace.ever:points": PACE.ever,
    "stats.pace.Pace.chances:points": lambda x: PACE.chances(x, 1),
    "stats.automation.select:points": lambda x: select(COUNTS, x),
    "stats.selective.Exploration.chance:points": LOTS.chance,
    "stats.selective.Exploration.chooses:points": lambda x: LOTS.chooses("m", ["a", "b"], x),
    "stats.selective.Reviewed.of_events:points": lambda x: Reviewed.of_events(x, [1, 1], [0, 1]),
    "stats.selective.weighted_curve:thresholds": lambda x: weighted_curve(LOOKED_AT, x),
    "watch.selective.Selective.at:thresholds": lambda x: Selective.at(SEEN, x),
    "stats.tuning.Daily.of:thresholds": lambda x: Daily.of({date(2026, 3, 1): COUNTS}, x),
    "stats.thresholds.DayCurves.at:thresholds": lambda x: DayCurves.at(
        {date(2026, 3, 1): COUNTS}, np.append(x.dtype.type(-GRID.limit), x)
    ),
}
ONE = {  # what takes a threshold, or the points of one event
    "stats.counts._Table.at_or_above:threshold": COUNTS.at_or_above,
    "stats.performance.confusion:threshold": lambda x: confusion(COUNTS, x),
    "stats.performance.summary:threshold": lambda x: summary(COUNTS, x),
    "models.cards.held_out_figures:threshold": lambda x: held_out_figures([COUNTS], x),
    "models.cards.kept_figures:threshold": lambda x: kept_figures({NOW.date(): COUNTS}, x),
    "stats.thresholds.simulate:candidate": lambda x: simulate(COUNTS, x, 0),
    "stats.thresholds.simulate:current": lambda x: simulate(COUNTS, 0, x),
    "stats.estimates.expected_performance:threshold": lambda x: expected_performance(
        COUNTS, ALL, x
    ),
    "stats.estimates.expected_over_days:threshold": lambda x: expected_over_days(
        [COUNTS], [COUNTS], BOUNDS.probability, x
    ),
    "stats.estimates.delay_adjusted:threshold": lambda x: delay_adjusted(
        [(COUNTS, 1)], BOUNDS.probability, MATURING, x
    ),
    "stats.estimates.bbse:threshold": lambda x: bbse(COUNTS, COUNTS, x),
    "stats.coverage.automation_risk:floor": lambda x: automation_risk(COUNTS, x),
    "stats.automation.TicketRule.__init__:threshold": lambda x: TicketRule(
        "rows", x, 0.1, None, "rows", "", "", 0
    ),
    "stats.automation.TicketRule.certain:points": TicketRule(
        "rows", 0, 0.1, None, "rows", "", "", 0
    ).certain,
    "stats.automation.thresholds_down:floor": thresholds_down,
    "stats.promises.observed:threshold": lambda x: observed("fdr", [COUNTS], x),
    "stats.automation.row_rule:floor": lambda x: row_rule(COUNTS, floor=x),
    "stats.automation.row_rule:start": lambda x: row_rule(COUNTS, start=x),
    "stats.automation.day_rule:floor": lambda x: day_rule([COUNTS] * 9, floor=x),
    "stats.automation.day_rule:start": lambda x: day_rule([COUNTS] * 9, start=x),
    "stats.automation.Record.of:floor": lambda x: Record.of([COUNTS] * 9, x),
    "stats.automation.Record.down_to:floor": lambda x: Record.of([COUNTS] * 9, 0).down_to(x),
    "stats.automation.record_rule:start": lambda x: record_rule(
        Record.of([COUNTS] * 9, 0), start=x
    ),
    "stats.automation.rate_rule:floor": lambda x: rate_rule(COUNTS, floor=x),
    "stats.automation.select:floor": lambda x: select(COUNTS, [0, 1], floor=x),
    "stats.automation.venn_abers_rule:floor": lambda x: venn_abers_rule(BOUNDS, floor=x),
    "stats.automation.level_at:points": level_at,
    "stats.tuning.steps:current": lambda x: steps(x, 100),
    "stats.tuning.tune:current": lambda x: tune(
        Daily.of({date(2026, 3, 1): COUNTS}, [0, 1]), x, MaxFDR(0.1)
    ),
    "watch.tuning_rules.Ground.look:current": lambda x: GROUND.look(x, RULES, Situation(NOW)),
    "stats.automation.Certainty.interval:points": STANDS.interval,
    "stats.automation.Certainty.set_of:points": STANDS.set_of,
    "stats.choosing._Chosen.score:points": Choice(
        MaxFPR(0.1), 0, 0.1, None, None, 1.0, None, 1
    ).score,
    "stats.automation.Certainty.decide:points": STANDS.decide,
    "stats.decisions.Ladder.level:points": Ladder.of().level,
    "stats.decisions.Ladder.at:threshold": Ladder.of().at,
    "stats.selective.Exploration.expected:threshold": lambda x: LOTS.expected(COUNTS, x),
    "stats.selective.blind_below:threshold": lambda x: blind_below(COUNTS, x),
    "stats.selective.exploration:threshold": lambda x: exploration(COUNTS, x, 0.1),
    "stats.selective.weighted:threshold": lambda x: weighted(LOOKED_AT, x),
    "watch.selective.Selective.of_candidate:candidate": lambda x: Selective.of_candidate(SEEN, x),
    "log.dial.Dial.ladder:threshold": lambda x: Dial(True).ladder(x, GRID),
    "watch.dial.Calls.at:threshold": lambda x: Calls.at(CALLS, x),
    "models.training.held_out_metrics:threshold": lambda x: held_out_metrics(COUNTS, x),
    "models.scorer.Scorer.__init__:threshold": lambda x: Scorer(VERSION, x, None, None),
    "watch.model_day.ModelDay.probability:points": lambda x: ModelDay.probability(Day(), x),
    "watch.other_thresholds.OtherThresholds.simulate:candidate": lambda x: others().simulate(x),
    "render.plots.certainty.certainty_curve:floor": lambda x: certainty_curve(
        STANDS, COUNTS, x, 0.1
    ),
    "render.plots.drift.score_shift:at": lambda x: score_shift(COUNTS, COUNTS, x),
    "render.plots.thresholds.threshold_curve:current": lambda x: threshold_curve(
        curve(COUNTS), GRID, x
    ),
    "render.plots.thresholds.threshold_curve:candidate": lambda x: threshold_curve(
        curve(COUNTS), GRID, 0, x
    ),
}
REFUSED = {  # what looks at the points before it asks for anything else: it is called in the air
    "stats.pace.pace_by_band:cuts": lambda x: pace_by_band(ARRIVED, [x]),
    "log.spool.PredictionLogger.__init__:threshold": lambda x: PredictionLogger(
        "/nowhere", "m", "v", threshold=x
    ),
    "log.spool.PredictionLogger.beside:threshold": lambda x: PredictionLogger.beside(
        LOGGER, "v2", x
    ),
    "log.versions.VersionWrites.add_version:threshold": lambda x: VersionWrites.add_version(
        None, NOW, "ana", "m", "v", GRID, "", {}, x
    ),
    "log.versions.VersionWrites.set_threshold:points": lambda x: VersionWrites.set_threshold(
        None, NOW, "ana", "m", "v", x, "why"
    ),
    "log.dial.DialWrites.set_own_threshold:points": lambda x: DialWrites.set_own_threshold(
        None, NOW, "ana", "m", "v", ("t", None), x, "why"
    ),
    "log.proposals.ProposalWrites.propose_threshold:points": (
        lambda x: ProposalWrites.propose_threshold(None, NOW, "ana", "m", "v", None, x, 0, "why")
    ),
    "watch.threshold_changes.propose:points": lambda x: propose(
        None, NOW, "ana", Day(), None, x, "why"
    ),
    "watch.threshold_changes.set_threshold:points": lambda x: set_threshold(
        None, NOW, "ana", Day(), None, x, "why"
    ),
    "watch.threshold_promises.promised:points": lambda x: promised(Day(), FEW, x),
    "watch.threshold_promises.issue_bound:points": lambda x: issue_bound(
        None, NOW, Day(), x, FEW, None
    ),
    "watch.threshold_promises.end_bounds:points": lambda x: end_bounds(None, NOW, Day(), x),
    "models.training.train:threshold": lambda x: train(ROWS, "m", "v", threshold=x),
    "watch.dial.Calls.within:threshold": lambda x: Calls.within(CALLS, None, x, "t", None),
    "models.booster_file.agreement:points": lambda x: agreement(VERSION, ROWS, [x, x]),
    "watch.alarms.count_rows:points": lambda x: count_rows(ROWS, [x, x], {}, None, {}),
    "stats.automation.Grounds.record:floor": lambda x: Grounds({}, [COUNTS] * 9, GRID, {}).record(
        x
    ),
    "watch.lived.Growing.at_or_above:threshold": lambda x: Growing.at_or_above(
        SimpleNamespace(_starts=np.arange(3), grid=GRID), 0, x
    ),
    "watch.registered.Chosen.figures:threshold": lambda x: Chosen.figures(None, x),
    "models.explain.faithfulness:threshold": lambda x: faithfulness(None, ROWS, ROWS, ROWS, x),
    "models.differences.explain_models:thresholds": lambda x: explain_models(
        VERSION, VERSION, ROWS, [], (x, x)
    ),
    "models.kept_reasons.keep_reasons:threshold": lambda x: keep_reasons(None, None, x),
    "models.three_cases.three_cases:threshold": lambda x: three_cases(
        None, None, ROWS, ROWS, {}, x
    ),
    "watch.words.labelled_like:points": lambda x: labelled_like({}, [], x),
    "models.kept_reasons.without_reasons:threshold": lambda x: without_reasons(
        None, None, ROWS, ROWS, x
    ),
}
MADE = "made by functions of this table"
SHARES = "risk cuts are probabilities"
OTHERS = {  # what is called alike and is something else
    "stats.selective.Reviewed.__init__:points": MADE,
    "stats.selective.WeightedCurve.__init__:thresholds": MADE,
    "stats.thresholds._CurveCounts.__init__:thresholds": MADE,
    "stats.thresholds._DayTables.__init__:thresholds": MADE,
    "stats.thresholds._Replayed.__init__:candidate": MADE,
    "stats.thresholds._Replayed.__init__:current": MADE,
    "stats.choosing._Chosen.__init__:threshold": MADE,
    "stats.choosing._Chosen.__init__:at": "counts at a threshold",
    "stats.control._Found.__init__:threshold": MADE,
    "stats.coverage.AutomationRisk.__init__:thresholds": MADE,
    "stats.pace.Pace.__init__:cuts": MADE,
    "stats.automation.Record.__init__:thresholds": MADE,
    "stats.tuning.Daily.__init__:thresholds": MADE,
    "stats.tuning.Tuned.__init__:candidate": MADE,
    "stats.tuning.Tuned.__init__:current": MADE,
    "log.proposals.Proposal.__init__:points": MADE,
    "watch.threshold_changes.Standing.__init__:points": MADE,
    "log.known_then.Changes.__init__:points": MADE,
    "watch.relive.Decided.__init__:threshold": MADE,
    "watch.ab.ArmFigures.__init__:threshold": MADE,
    "log.production.Production.__init__:threshold": MADE,
    "stats.automation._Steering.starting:floor": "a score, which it says",
    "watch.recalibrate.starting:floor": "a score, which it says",
    "stats.drift.KS.__init__:at": MADE,
    "stats.streams.Question.__init__:at": "places of sets",
    "render.vocabulary.looked_at:at": "places of sets",
    "render.plots.narrow.stacked:cuts": "places on a sheet",
    "stats.conformal.is_narrow:threshold": "the width of an interval",
    "stats.automation.level_at:cuts": SHARES,
    "stats.decisions.risk_level:cuts": SHARES,
    "stats.decisions.decide:cuts": SHARES,
    "stats.decisions.Ladder.of:cuts": "risk cuts are scores",
    "log.dial.Dial.__init__:cuts": "risk cuts are scores",
    "log.dial.DialWrites.turn_dial:cuts": "risk cuts are scores",
    "log.deciding.decided:cuts": SHARES,
    "log.deciding.decided_elsewhere:cuts": SHARES,
    "log.registering.register:cuts": SHARES,
    "log.day_files.write_day_files:cuts": SHARES,
    "log.ingest.AtOnce.__init__:cuts": SHARES,
    "models.scorer.Scorer.in_force:cuts": SHARES,
    "stats.automation.certainty:floor": "the probability where high risk begins",
    "stats.automation._Steering.__init__:floor": "a score, which it says",
    "stats.automation.Control.__init__:floor": "a score, which it says",
    "watch.registered.Registered.figures:threshold": "not looked at: figures are of the card",
    "log.features.count_numbers:cuts": "values of a feature",
    "watch.promotion.usual_calls:cuts": SHARES,
    "models.challenge.conclude:cuts": SHARES,
    "models.shadow.follow:cuts": SHARES,
    "models.shadow.unkept:cuts": SHARES,
    "models.shadow.Side.calls:points": "as the side itself scored them",
    "models.kept_reasons.Kept.__init__:threshold": MADE,
    "models.differences.explain_shift:current": "events",
    "models.challenge.check:floor": "days",
    "models.challenge.prepare:floor": "days",
    "models.complete.CompleteDays.__init__:floor": "days",
    "models.complete.complete_days:floor": "days",
    "models.complete.labelled_days:floor": "days",
}
NAMES = {"points", "threshold", "thresholds", "floor", "candidate", "current", "cuts", "start"}
NAMES |= {"at"}
OF_OTHER_TYPES = ("date", "str")  # the start of days, the time at which something was
PACKAGES = ("stats", "log", "models", "watch", "render")


def functions(module):
    "Public functions of a module and methods of its classes, by name."
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing) and not name.startswith("_"):
            yield name, thing
        elif inspect.isclass(thing) and (not name.startswith("_") or thing.__subclasses__()):
            for of_class, method in vars(thing).items():
                method = getattr(method, "__func__", method)
                if inspect.isfunction(method) and (
                    of_class == "__init__" or not of_class.startswith("_")
                ):
                    yield f"{name}.{of_class}", method


def taking_points():
    "module.function:parameter of everything that is called as if it took points."
    for found in pkgutil.walk_packages(aiops_wb.__path__, "aiops_wb."):
        place = found.name.removeprefix("aiops_wb.")
        if place.split(".")[0] in PACKAGES:
            for name, function in functions(importlib.import_module(found.name)):
                for one in inspect.signature(function).parameters.values():
                    said = one.annotation
                    of_other = any(kind in str(said) for kind in OF_OTHER_TYPES)
                    other = of_other and said not in (ArrayLike, ArrayLike | None)
                    if one.name in NAMES and not other:
                        yield f"{place}.{name}:{one.name}"


def test_everything_that_takes_points_is_looked_at_here():
    known = MANY.keys() | ONE.keys() | REFUSED.keys() | OTHERS.keys()
    assert set(taking_points()) == known


@pytest.mark.parametrize("name", [*MANY, *ONE, *REFUSED])
def test_a_probability_in_the_place_of_points_is_refused_with_what_to_write(name):
    call = (ONE | MANY | REFUSED)[name]
    for mistaken in (0.7, np.float32(0.7)):
        with pytest.raises(ValueError) as refused:
            call(np.full(2, mistaken) if name in MANY else mistaken)
        assert str(refused.value).startswith("0.7 looks like a probability; ")
        assert "write Grid().quantise(0.7)" in str(refused.value)


@pytest.mark.parametrize("name", [*MANY, *ONE])
def test_zero_and_one_are_points(name):
    call = (ONE | MANY)[name]
    for points in (0, 1):
        call(np.array([0, points])) if name in MANY else call(points)


@pytest.mark.parametrize(
    "points", [0, 1, -16_000, 847.0, None, [0, 1], [], (2.0, 3), np.int16(7), np.arange(3)]
)
def test_points_come_back_as_they_are(points):
    assert as_points(points) is points


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([0, 1, 0.25], "logit", "0.25 looks like a probability"),
        (pd.Series([0.5]), "logit", "write Grid().quantise(0.5)"),
        (1.5, "logit", "1.5 is not in points: they are whole numbers"),
        (-0.5, "logit", "-0.5 is not in points"),
        (float("nan"), "logit", "nan is not in points"),
        (float("nan"), "linear", "nan is not in points"),
        (2.5, "linear", 'write Grid("linear").quantise(2.5)'),
        (0.5, "linear", "0.5 looks like a score"),
    ],
)
def test_what_is_no_points_is_said(given, kind, words):
    with pytest.raises(ValueError) as refused:
        as_points(given, kind)
    assert words in str(refused.value)


def test_a_scale_of_its_own_is_named():
    counts = ScoreCounts.from_events([1000, 2000], [0, 1], Grid("linear"))
    with pytest.raises(ValueError, match=r'Grid\("linear"\)\.quantise\(1\.5\)'):
        confusion(counts, 1.5)
