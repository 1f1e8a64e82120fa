"""Every table and figure of a model's day, whole, as it was recorded: of a version that was trained
here and whose scores moved, and of one that others trained, with tenants and sites."""

import json

import pandas as pd
import pytest
import serving
import test_groups
from recorded import hold
from serving import LAST, MODEL

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.render.tables import (
    bridge,
    certainty,
    drift,
    performance,
    reasons,
    retrain,
    thresholds,
)
from aiops_wb.watch import figures, headlines, slider
from aiops_wb.watch.false_positives import GROUPS, false_positives
from aiops_wb.watch.view import View


@pytest.fixture(scope="module", params=["trained", "groups"])
def view(request, tmp_path_factory):
    if request.param == "trained":
        bench = serving.made()
        return View(open_snapshot(bench.data), MODEL, LAST, None, serving.settings(bench))
    folder = tmp_path_factory.mktemp("whole")
    return test_groups.view_of(test_groups.logged(folder, test_groups.made()))


def whole(told):
    "A table, a frame or a list of them as text, numbers to six digits."
    if isinstance(told, (list, tuple)):
        return "\n\n".join(map(whole, told))
    if isinstance(told, str):
        return told
    frame = getattr(told, "frame", told)
    if not isinstance(frame, pd.DataFrame):
        return repr(told)
    shown = frame.to_string(float_format=lambda v: f"{v:.6g}", max_colwidth=None)
    return f"{getattr(told, 'text', '')}\n{shown}"


TABLES = {
    "calibration": certainty.calibration_table,
    "promise": certainty.promise_table,
    "coverage": certainty.coverage_table,
    "coverage of groups": lambda view: certainty.group_coverage_tables(view, limit=3),
    "operator": certainty.operator_tables,
    "alarms": drift.alarm_table,
    "streams": drift.stream_tables,
    "features": drift.feature_table,
    "drift": drift.drift_table,
    "attribution": drift.attribution_table,
    "performance": performance.performance_table,
    "labels": performance.label_table,
    "arrival": performance.arrival_table,
    "false positives": performance.false_positive_table,
    "segments": performance.segment_table,
    "open alarms": reasons.open_alarm_table,
    "versions": retrain.version_table,
    "simulation": thresholds.simulation_table,
    "bridge": bridge.bridge_table,
    "bridge of recall": lambda view: bridge.bridge_table(view, "recall"),
    "figures": figures.day_figures,
    "figures of drift": figures.drift_figures,
    "figures of unknown drift": figures.unknown_drift,
    "slider": lambda view: json.dumps(
        [slider.of_all(view), slider.of_segments(view, slider.parts_of(view))], default=str
    ),
    "headlines": lambda view: [repr(getattr(headlines, name)(view)) for name in HEADLINES],
    "false positives of the largest": lambda view: [
        repr(of) for by in GROUPS for of in false_positives(view, by, 1)
    ],
}
HEADLINES = [name for name in headlines.__all__ if name not in ("Headline", "reasons_headline")]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_it_was(view, name, request):
    hold(__file__, f"{name}, {request.node.callspec.params['view']}", whole(TABLES[name](view)))
