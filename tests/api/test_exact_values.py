"""Values as pages and problems write them, at each edge."""

import asyncio
from datetime import UTC, date, datetime
from math import inf, nan
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aiops_wb.api import service
from aiops_wb.api.explanations import _plain
from aiops_wb.api.pages import events
from aiops_wb.api.pages.words import FILTERS, day, limits, mark, moment, number, score, whose
from aiops_wb.api.problems import _told, printed
from aiops_wb.api.service import FIGURES
from aiops_wb.log.errors import StoreError


def test_values_are_written_as_commands_print_them():
    assert [number(x) for x in (None, nan, 0.5, -1234.5678)] == ["-", "-", "0.500", "-1,234.568"]
    assert number(0.25, 1, "+") == "+0.2" and number(2) == "2.000" == score(2)
    at = datetime(2026, 3, 1, 4, 5, 59, tzinfo=UTC)
    assert [moment(x) for x in (None, "", at)] == ["", "", "2026-03-01 04:05Z"]
    assert moment(at.isoformat()) == "2026-03-01 04:05Z"
    assert [day(x) for x in (None, date(2026, 3, 1), f"{at}")] == ["", "2026-03-01", "2026-03-01"]
    figures = [(None, None, None), (0.12345, None, None), (0.12345, 0.1, 1234.5)]
    assert [limits(x) for x in figures] == ["-", "0.123", "0.123 (0.1 to 1.23e+03)"]
    rows = [
        {"tenant": None, "site": None},
        {"tenant": "t", "site": None},
        {"tenant": "t", "site": "s"},
    ]
    assert [whose(row) for row in rows] == ["all events", "tenant t", "site s of tenant t"]
    assert mark("a") == "ca978112ca1b" and mark("\ud800") == mark("?")
    assert sorted(FILTERS) == [
        "day",
        "limits",
        "mark",
        "moment",
        "number",
        "page",
        "score",
        "whose",
    ]


def test_words_of_a_problem_can_be_printed_and_end():
    assert printed("a\nb\x1b") == "a b " and printed(7) == "7"
    assert printed("x" * 500) == "x" * 500 and printed("x" * 501) == "x" * 497 + "..."
    assert printed("x" * 9, most=8) == "xxxxx..."
    error = {"loc": ("body", "why", 0), "msg": "Value error, it is short."}
    assert _told(error) == {"where": "body.why.0", "what": "it is short"}
    assert _told({}) == {"where": "request", "what": "it is not allowed"}


def test_values_of_features_are_plain():
    values = [np.float64(0.5), inf, nan, True, np.int64(3), "x", None, date(2026, 3, 1)]
    assert [_plain(value) for value in values] == [
        0.5,
        "inf",
        "nan",
        True,
        3,
        "x",
        None,
        "2026-03-01",
    ]


def test_gauges_are_of_each_threshold_figure_alarm_and_case():
    day, before = pd.Timestamp(2026, 3, 2), pd.Timestamp(2026, 3, 1)
    figure = sorted(FIGURES)[0]
    metrics = pd.DataFrame(
        [
            ("v1", figure, before, 0.5),
            ("v1", figure, day, nan),
            ("v2", figure, day, 0.75),
            ("v2", figure, before, 0.25),
            ("v1", "another", day, 9.0),
        ],
        columns=["version", "metric", "event_date", "value"],
    )
    asked = []
    alarms = [("m", "high", "open"), ("m", "high", "acknowledged"), ("m", "low", "closed")]
    log = SimpleNamespace(
        models=lambda: ["m", "n"],
        days=lambda model: [date(2026, 3, 1), date(2026, 3, 2)] if model == "m" else [],
        metrics=lambda *of: asked.append(of) or (metrics if of[0] == "m" else metrics.head(0)),
        handled_alarms=lambda: pd.DataFrame(alarms, columns=["model", "severity", "state"]),
        handled_cases=lambda: pd.DataFrame(alarms, columns=["model", "severity", "state"]),
    )
    one = lambda scope, score: SimpleNamespace(model="m", version="v1", scope=scope, score=score)
    stands = [one(None, 0.6), one(("t", None), 0.5), one(("t", "s"), 0.4)]
    of_model = {"m": stands, "n": []}
    snapshot = SimpleNamespace(standing=lambda model, now, settings: of_model[model])
    desk = SimpleNamespace(now=lambda: None, settings=None)
    assert service._told(log, snapshot, desk) == {
        "thresholds": [
            (("m", "v1", "", ""), 0.6),
            (("m", "v1", "t", ""), 0.5),
            (("m", "v1", "t", "s"), 0.4),
        ],
        "figures": [(("m", "v1", figure), 0.5), (("m", "v2", figure), 0.75)],
        "alarms": [(("m", "high"), 2)],
        "cases": [(("m",), 2)],
    }
    assert asked == [("m", date(2026, 3, 2) - service.LOOKS_BACK), ("n", None)]
    (sample,) = service._gauge("x", "Words", 3).samples
    assert (sample.name, sample.labels, sample.value) == ("aiops_wb_x", {}, 3.0)
    (of,) = service._gauge("x", "Words", [(("m",), 2)], ["model"]).samples
    assert (of.labels, of.value) == ({"model": "m"}, 2.0)


@pytest.mark.parametrize(
    ("signed_in", "token", "needed", "may"),
    [
        (True, "a token", True, True),
        (True, None, False, False),
        (True, StoreError("it cannot be read"), False, False),
        (False, None, False, True),
        (False, None, True, False),
    ],
)
def test_a_page_hears_what_is_new_while_its_reader_may_look(
    monkeypatch, signed_in, token, needed, may
):
    def known(session, desk, seen):
        assert (session, desk, seen) == ("session", "desk", False)
        if isinstance(token, Exception):
            raise token
        return token

    asked = []
    live = SimpleNamespace(
        require_room=lambda: asked.append("room"),
        stream=lambda desk, may_look: asked.append((desk, may_look())) or iter(()),
    )
    web = SimpleNamespace(live=live, sessions=SimpleNamespace(token=known))
    monkeypatch.setattr(events, "web_of", lambda request: web)
    monkeypatch.setattr(events, "needs_token", lambda desk: needed)
    visits = SimpleNamespace(signed_in=signed_in, session="session")
    answer = asyncio.run(events.events(None, "desk", visits))
    assert asked == ["room", ("desk", may)] and answer.media_type == "text/event-stream"
