"""Small parts of pages, exactly: names, cells, defaults of a job, charts in words."""

from concurrent.futures import Executor, Future
from pathlib import Path

import matplotlib as mpl
import pytest
from recorded import hold

from aiops_wb.render.drawing import BEGINS, alone_in, is_drawing
from aiops_wb.render.elsewhere import run_elsewhere
from aiops_wb.render.jobs import Job, ReportResult
from aiops_wb.render.pages import REPORTS, ReportName, _name
from aiops_wb.render.plots.chart import STYLE, panels
from aiops_wb.render.plots.in_words import panels_in_words
from aiops_wb.render.vocabulary import FACTORS, METRICS, heading, metric, shown
from aiops_wb.replay.retrained_page import _cell
from aiops_wb.stats.performance import Figure


def job(name="drift", folder="2026-03-01"):
    return Job(name, Path("n.ipynb"), Path(folder) / f"{name}.html", {"model": "m"}, "Title")


def test_a_job_and_its_result_are_plain_unless_it_is_said():
    assert repr(job()).replace("PosixPath", "Path") == (  # some libraries show paths so
        "Job(name='drift', notebook=Path('n.ipynb'), target=Path('2026-03-01/drift.html'), "
        "parameters={'model': 'm'}, title='Title', navigation=(), engine='inline', own=False, "
        "variables={})"
    )
    assert repr(ReportResult("drift", "ok")) == (
        "ReportResult(name='drift', state='ok', error=None, headline=None, picture=None, why=None, "
        "passing=False, title='', seconds={}, cpu={})"
    )


class Elsewhere(Executor):
    "Keeps what it is asked to do, and has done it at once."

    def __init__(self):
        self.asked = []

    def submit(self, work, *given):
        self.asked.append(given)
        done = Future()
        done.set_result([ReportResult(job.name, "failed", "why") for job in given[1]])
        return done


def test_an_executor_is_given_the_jobs_of_a_folder_together_and_their_limits():
    jobs, told, executor = [job("a"), job("b"), job("c", "2026-03-02")], [], Elsewhere()
    results = run_elsewhere(executor, jobs, on_done=told.append)
    assert [given[1:] for given in executor.asked] == [(jobs[:2], 2, 120, 0), (jobs[2:], 2, 120, 0)]
    assert [r.name for r in results] == ["a", "b", "c"] == [r.name for r in told]
    run_elsewhere(executor, jobs[:1], 3, 60, memory=5, patience=1)
    assert executor.asked[-1][1:] == (jobs[:1], 3, 60, 5)


def test_a_report_is_called_as_it_is_now_or_as_it_was():
    assert _name("drift", {"title": "Old", "question": "Old?"}) == REPORTS["drift"]
    own = {"title": "Mine", "question": "What?"}
    assert _name("mine", own) == ReportName("Mine", "What?")
    assert _name("mine", {"title": "Mine"}) == ReportName("Mine", "Mine")
    assert _name("mine", {"question": "What?"}) == ReportName("mine", "What?")
    assert _name("mine", {}) == ReportName("mine", "mine")


def test_a_cell_of_a_policy_is_a_dash_four_digits_or_as_it_is():
    assert [_cell(None), _cell(0.123456), _cell(2), _cell("x")] == ["-", "0.1235", 2, "x"]


def test_every_figure_has_the_words_the_unit_and_the_digits_that_were_recorded():
    figure = Figure(1234.5678, 1200.1234, 1300.9876, 9)
    told = [f"{name} {heading(name)} {shown(name, figure)} {metric(name)}" for name in METRICS]
    named = [
        f"{prefix}{name}_{of}"
        for prefix in ("adjusted_", "expected_")
        for name in ("recall", "x")
        for of in ("week", "complete")
    ]
    told += [
        f"{name} {heading(name)} {metric(name).title}"
        for name in [*named, "weighted_fpr", "own_one"]
    ]
    alone = [
        shown(name, Figure(0.5)) + shown(name, Figure(float("nan")))
        for name in ("recall", "alerts")
    ]
    hold(__file__, "figures", "\n".join([*told, *alone, *map(str, FACTORS.items())]))


def told(draw, rows=1, columns=1):
    with mpl.rc_context(STYLE):
        chart, axes = panels(rows, columns)
        draw(axes[0, 0])
    return panels_in_words(chart)


def test_words_along_an_axis_are_told_from_the_first_to_the_last():
    def named(*words):
        def draw(ax):
            ax.bar(range(len(words)), range(1, 1 + len(words)))
            ax.set_xticks(range(len(words)), words)
            ax.set(xlabel="site", title="Calls")

        return draw

    assert told(named("a", "b", "c")) == "Calls: site a to c; 3 bars, the longest c 3."
    assert told(named("a", "b")) == "Calls: site a to b; 2 bars, the longest b 2."
    assert told(named("a")) == "Calls: site; a bar a 1."


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([1, 2], ""),
        ([1.0, 2, 1500], "; 1 to 1,500, at the end 1,500"),
        ([3, 3, 3], "; always 3"),
        ([999.9, 0.123456, 0.5], "; 0.123 to 1e+03, at the end 0.5"),
    ],
)
def test_a_line_is_told_by_its_lowest_highest_and_last_value(y, says):
    end = len(y) - 1
    assert told(lambda ax: ax.plot(range(len(y)), y)) == f"0 to {end}{says}."


def test_points_drawn_each_on_its_own_are_told_together_and_lines_at_most_six():
    def dots(*values):
        return lambda ax: [ax.plot([i], [v], "o") for i, v in enumerate(values)]

    assert told(dots(4, 2, 3)) == "0 to 2; 3 points between 2 and 4."
    assert told(dots(4)) == "0 to 0."
    many = lambda ax: [ax.plot([0, 1, 2], [i, i, i], label=f"l{i}") for i in range(7)]
    assert told(many) == "0 to 2; " + "; ".join(f"l{i} always {i}" for i in range(6)) + "."
    mark = lambda ax: ax.plot([0, 1, 2], [1, 2, 3], "o", label="marks", ls="")
    assert told(mark) == "0 to 2; marks 1 to 3, at the end 3."


def test_a_drawing_goes_by_a_name_of_its_own_where_its_head_has_one():
    head = f'{BEGINS}x="{"y" * 800}" aria-labelledby="k1-t k1-d"><g id="k1-p0"/></svg>'
    assert is_drawing(head) and not is_drawing(" " + head)
    assert alone_in(head, "own") == head.replace("k1", "own")
    assert alone_in("<svg>k1</svg>", "own") == "<svg>k1</svg>"
    begin = f"{BEGINS}"
    mark = 'aria-labelledby="k1-t '
    fits = begin + "z" * (1000 - len(begin) - len(mark)) + mark + 'k1-d">'
    assert alone_in(fits, "own") == fits.replace("k1", "own")
    late = begin + "z" * (1001 - len(begin) - len(mark)) + mark + 'k1-d">'
    assert alone_in(late, "own") == late
