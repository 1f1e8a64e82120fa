"""A picture for each question; a module for each report."""

from .bridge import waterfall
from .certainty import (
    certainty_curve,
    coverage_days,
    coverage_groups,
    decision_flow,
    interval_widths,
    intervals,
)
from .chart import BLUE, FAINT, GREEN, GREY, INK, ORANGE, RED, ROUTES, STYLE, Chart
from .drift import (
    FIRST_STREAMS,
    evidence,
    feature_bins,
    feature_ranking,
    score_shift,
    stream_values,
)
from .performance import history, label_pace, reliability
from .reasons import reason_bars
from .replayed import lived_again, trained_again
from .retrain import evidence_path
from .thresholds import threshold_curve

__all__ = [
    "INK",
    "FAINT",
    "BLUE",
    "ORANGE",
    "RED",
    "GREEN",
    "GREY",
    "ROUTES",
    "STYLE",
    "FIRST_STREAMS",
    "Chart",
    "history",
    "waterfall",
    "reliability",
    "score_shift",
    "evidence",
    "stream_values",
    "feature_ranking",
    "feature_bins",
    "label_pace",
    "threshold_curve",
    "intervals",
    "certainty_curve",
    "coverage_days",
    "coverage_groups",
    "interval_widths",
    "decision_flow",
    "reason_bars",
    "evidence_path",
    "lived_again",
    "trained_again",
]
