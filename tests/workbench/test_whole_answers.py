"""Every answer of the workbench over one log, whole: what it says, shows, holds and draws."""

import pytest
import serving
from in_numbers import in_numbers
from recorded import hold
from serving import MODEL

from aiops_wb import Workbench

ID = "v1-2026-03-02-00440"
QUESTIONS = {
    "card": lambda wb, m: m._card(),
    "top": lambda wb, m: m.top(3),
    "top of a site": lambda wb, m: m.top(2, "2026-02-20", "2026-02-22", site="north"),
    "rows": lambda wb, m: m.rows(where="probability > 0.9 and label == 0"),
    "columns": lambda wb, m: m.rows(columns=["prediction_id", "x", "label"], where="x > 1.9"),
    "no rows": lambda wb, m: m.rows(where="x > 99"),
    "alerts": lambda wb, m: m.alerts("2026-03-01", "2026-03-02"),
    "performance": lambda wb, m: m.performance(),
    "some figures": lambda wb, m: m.performance("recall", "fpr", days=5, threshold=0.5),
    "curve": lambda wb, m: m.curve(days=5),
    "curves": lambda wb, m: m.curve(by="site", days=5),
    "drift": lambda wb, m: m.drift(),
    "drift of a feature": lambda wb, m: m.drift("x"),
    "simulate": lambda wb, m: m.simulate(0.4),
    "why": lambda wb, m: m.why("alerts"),
    "why, reference": lambda wb, m: m.why("precision", against="reference", by="all"),
    "explain": lambda wb, m: m.explain(ID),
    "replay": lambda wb, m: m.replay({"threshold": 0.7}, days=3),
}


@pytest.fixture(scope="module")
def wb():
    return Workbench(serving.made().data)


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_what_it_was(wb, name):
    of = QUESTIONS[name](wb, wb[MODEL])
    exact = of.frame.to_string(float_format=lambda v: f"{v:.6g}") if len(of.frame) < 99 else ""
    types = {column: str(kind) for column, kind in of.frame.dtypes.items()}
    told = [
        of.says,
        str(of.notes),
        repr(of),
        exact,
        str(types),
        in_numbers(of.plot()) if hasattr(of, "plot") else "",
    ]
    hold(__file__, name, "\n".join(told).replace(str(serving.made().data), "DATA"))
