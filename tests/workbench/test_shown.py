"""How answers stand in a notebook: what a table shows and in which order, how wide it is."""

import re

import pandas as pd
import pytest

from aiops_wb.render.plots.chart import in_a_cell, panels
from aiops_wb.workbench.answers import Answer
from aiops_wb.workbench.events import Events, _shown


def events(**more):
    "Two events, as an answer has them."
    frame = pd.DataFrame(
        {
            "prediction_id": ["p-1", "p-2"],
            "predicted_at": pd.to_datetime(["2026-03-01", "2026-03-02"]),
            "tenant": ["acme", "acme"],
            "version": ["v1", "v1"],
            "probability": [0.9, 0.8],
            "threshold": [0.6, 0.6],
            "label": pd.array([1, None], dtype="Int8"),
        }
        | more
    )
    return Events("Two.", frame, ("Beside.",), "late", "probability", tuple(_shown(frame)))


def test_what_all_events_share_is_said_and_what_they_are_called_comes_last():
    of = events()
    assert list(of.table()) == ["predicted_at", "probability", "label", "prediction_id"]
    assert repr(of).splitlines()[:3] == [
        "Two.",
        "The same of each: tenant acme, version v1, threshold 0.600.",
        "Beside.",
    ]
    assert (
        list(of.frame)[:3] == ["prediction_id", "predicted_at", "tenant"] and "acme" in of.to_csv()
    )


@pytest.mark.parametrize("other", [["v1", "v2"], ["v1", None]])
def test_what_differs_is_a_column(other):
    of = events(version=other)
    assert "version" in of.table() and "tenant acme, threshold 0.600." in repr(of)


def test_one_event_shows_all_of_it_and_columns_that_were_named_stand_as_named():
    one = events().frame.head(1)
    alone = Events("One.", one, (), "late", "probability", tuple(_shown(one)))
    assert {"tenant", "version", "threshold"} < set(alone.table()) and "same" not in repr(alone)
    named = Events("Two.", events().frame[["version", "label"]], (), "late")
    assert list(named.table()) == ["version", "label"] and "same" not in repr(named)
    assert "same" not in repr(Events("None.", events().frame.head(0), shown=("label",)))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["3 cases wait", "-"], True),
        (["B6", "9E"], True),
        (["JFK", "LGA"], True),
        (["2026-03-01", "-"], False),
        (["0.875 (0.819 to 0.932)", "-"], False),
        (["-1.26 a day (-4.70 to +2.18)", "5.71"], False),
        (["44.5%", "-2.3%"], False),
    ],
)
def test_words_begin_on_the_left_and_numbers_end_on_the_right(cells, words):
    html = Answer("", pd.DataFrame({"n": [1, 2], "told": cells}))._repr_html_()
    assert ('<th class="text">told</th>' in html) == words


@pytest.mark.parametrize(
    ("cell", "wide"), [("x", 18), ("words " * 30, 18), ("x" * 40, 28), ("x" * 999, 54)]
)
def test_a_name_is_one_line_and_a_sentence_several(cell, wide):
    html = Answer("", pd.DataFrame({"told": [cell]}))._repr_html_()
    assert re.search(r"--words:(\d+)em", html)[1] == str(wide)


def test_a_drawing_fits_into_a_cell():
    chart = in_a_cell(panels(width=9.2, height=1.9)[0], height=2.6)
    assert 'width="758"' in chart._repr_svg_() and chart.get_figheight() == 2.6
    assert in_a_cell(panels(width=7.4)[0]).get_figwidth() == 7.4
