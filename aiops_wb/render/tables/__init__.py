"""Tables for people; a module for each report."""

from ..table import Table, note
from ..vocabulary import shown
from .bridge import bridge_table
from .cases import Waterfall
from .certainty import (
    alert_table,
    calibration_table,
    coverage_table,
    group_coverage_tables,
    operator_tables,
    promise_table,
)
from .drift import alarm_table, attribution_table, drift_table, feature_table, stream_tables
from .performance import (
    arrival_table,
    false_positive_table,
    label_table,
    performance_table,
    segment_table,
)
from .reasons import (
    NOT_KEPT,
    faithfulness_table,
    open_alarm_table,
    reason_table,
    shift_table,
    width_table,
)
from .retrain import challenger_segments, check_table, version_table
from .thresholds import simulation_table, threshold_table

__all__ = [
    "NOT_KEPT",
    "Table",
    "note",
    "shown",
    "performance_table",
    "bridge_table",
    "label_table",
    "arrival_table",
    "false_positive_table",
    "segment_table",
    "alarm_table",
    "attribution_table",
    "stream_tables",
    "feature_table",
    "drift_table",
    "calibration_table",
    "promise_table",
    "coverage_table",
    "group_coverage_tables",
    "operator_tables",
    "alert_table",
    "simulation_table",
    "threshold_table",
    "reason_table",
    "faithfulness_table",
    "shift_table",
    "open_alarm_table",
    "width_table",
    "Waterfall",
    "challenger_segments",
    "check_table",
    "version_table",
]
