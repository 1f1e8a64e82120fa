"""Why a figure of a model changed, from its log: sides, thresholds, what is not known."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.render import plots, tables
from aiops_wb.render.tables.bridge import WHY, in_short
from aiops_wb.stats.counts import total
from aiops_wb.stats.performance import summary
from aiops_wb.stats.sides import FIGURES
from aiops_wb.watch.view import View
from aiops_wb.watch.why import in_words

START = date(2026, 3, 1)
WEEKS = [START + timedelta(7 * k) for k in range(3)]


def span(first, days=7):
    return first, first + timedelta(days - 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three weeks of a model with two sites: in the second the labels of one are false, in the
    third another version scores; labels of the last day come later than the others."""
    bench = Bench(tmp_path_factory.mktemp("why"))
    first = events(days=14, per_day=300, seed=1, start=START)
    last = events(days=7, per_day=300, seed=2, start=WEEKS[2], version="v2")
    second = first[first.day >= WEEKS[1]].index
    wrong = first.loc[second].index[first.loc[second].site == "north"]
    first.loc[wrong, "label"] *= np.random.default_rng(3).integers(0, 2, len(wrong))
    bench.log(first, threshold=405)
    bench.log(last, version="v2", threshold=100)
    bench.ingest(now=datetime(2026, 3, 22, 1, tzinfo=UTC))
    late = first.day == WEEKS[1] + timedelta(6)
    bench.label(first[~late], at="2026-03-22T02:00:00Z")
    bench.label(last, at="2026-03-22T02:00:00Z")
    bench.ingest(now=datetime(2026, 3, 22, 3, tzinfo=UTC))
    bench.label(first[late], at="2026-03-30T00:00:00Z")
    bench.ingest(now=datetime(2026, 3, 30, 1, tzinfo=UTC))
    bench.publish()
    return bench


@pytest.fixture(scope="module")
def reader(made):
    with open_snapshot(made.data) as log:
        yield log


@pytest.fixture(scope="module")
def view(reader):
    return View(reader, MODEL, WEEKS[1] + timedelta(6))


def counted(reader, first, figure, threshold, **named):
    days = reader.score_counts(MODEL, *span(first), **named)
    return summary(total(days.values()), threshold)[figure].value


@pytest.mark.parametrize("figure", ["precision", "recall", "positive_rate", "brier", "alerts"])
@pytest.mark.parametrize("by", ["site", "tenant", ""])
def test_both_ends_are_the_figures_of_the_log(reader, view, figure, by):
    answer = view.why.against_before(figure, by=by)
    found, a_day = answer.bridge, 7 if figure == "alerts" else 1
    assert answer.after == span(WEEKS[1]) and answer.before == span(WEEKS[0])
    for first, value in ((WEEKS[0], found.before), (WEEKS[1], found.after)):
        assert value == pytest.approx(counted(reader, first, figure, 405) / a_day, rel=1e-9)
    assert abs(found.residual) < 1e-9 * found.before


def test_false_labels_at_one_site_are_calibration_there(view):
    found = view.why.against_before("precision").bridge
    assert found.ranked[0].factor == "calibration" and found.ranked[0].most_at == "north"
    assert "fewer events at the same score were positive, most at north" in found.says()


def test_another_version_with_its_threshold_is_version(reader):
    later = View(reader, MODEL, WEEKS[2] + timedelta(6))
    found = later.why.against_days("alerts", span(WEEKS[2]), span(WEEKS[0])).bridge
    assert found.ranked[0].factor == "version"
    assert found.before == pytest.approx(counted(reader, WEEKS[0], "alerts", 405) / 7)
    assert found.after == pytest.approx(counted(reader, WEEKS[2], "alerts", 100) / 7)


def test_labels_that_came_late_are_told_apart(view):
    day = WEEKS[1] + timedelta(6), WEEKS[1] + timedelta(6)
    week, then = span(WEEKS[1]), datetime(2026, 3, 22, 4, tzinfo=UTC)
    found = view.why.against_days("false_tickets", week, week, then=then).bridge
    assert not found.unknown
    found = view.why.against_days("recall", week, week, then=then).bridge
    pulls = {p.factor: abs(p.change.value) for p in found.parts}
    assert max(pulls, key=pulls.get) == "labels" and sum(pulls.values()) < 1.001 * pulls["labels"]
    assert (
        "no label is known of the days before"
        in view.why.against_days("recall", day, day, then=then).bridge.says()
    )


def test_days_before_the_log_are_no_days_without_events(view):
    early = view.why.against_days("alerts", span(WEEKS[1]), span(START - timedelta(3), 10)).bridge
    exact = view.why.against_days("alerts", span(WEEKS[1]), span(START)).bridge
    assert early.before == exact.before
    none = view.why.against_days("alerts", span(WEEKS[0]), span(START - timedelta(30))).bridge
    assert "there are no events on the days before" in none.says()


def test_without_a_reference_or_a_label_nothing_is_said(view, bench):
    assert (
        "no days that the version is held against"
        in view.why.against_reference("precision").bridge.says()
    )
    bench.log(events())
    bench.ingest()
    with bench.store() as log:
        plain = View(log, MODEL, START + timedelta(2))
        assert plain.why.against_days("precision", span(START, 2), span(START, 2)).bridge.unknown
        words = plain.why.against_before("alerts").bridge.says()
    assert "unknown" in words


@pytest.mark.evidence
def test_without_complete_labels_only_alerts_have_newest_days(reader):
    view = View(reader, MODEL, WEEKS[1] + timedelta(6))
    assert view.why.newest("precision") is None and view.why.newest("alerts") is not None
    answer = view.why.against_before("precision")
    assert "labels are not known to be complete" in answer.bridge.says() and answer.after is None
    named = view.why.against_before("precision", span(WEEKS[1]))
    assert not named.bridge.unknown and "not known to be in" in named.notes[0]
    assert "unknown" in tables.bridge_table(view).frame.iloc[0, 1]


def test_tickets_are_those_of_the_rule_that_stood(view):
    found = view.why.against_before("tickets").bridge
    assert found.before == found.after == 0 and "is what it was, 0" in found.says()


def test_the_table_says_what_the_account_says(view):
    frame = tables.bridge_table(view).frame
    found = view.why.against_before("precision").bridge
    assert frame.columns[1] == "against 1 Mar to 7 Mar 2026"
    assert frame.iloc[0, 1] == found.says() and "unknown" in frame.iloc[0, 2]
    part = frame[frame[""] == "positives at equal scores"].iloc[0, 1]
    assert part.startswith(f"{100 * found.parts[3].change.value:+.1f} points (")
    assert frame[frame[""] == "threshold"].iloc[0, 1] == "-"


def test_the_table_hands_its_sentences_on(view):
    "What the front page says is what the report computed."
    table = tables.bridge_table(view)
    lines = table._repr_mimebundle_()[WHY]["lines"]
    assert [line["says"] for line in lines] == [a.bridge.says() for a in table.answers]
    assert lines[0]["of"] == "8 Mar to 14 Mar 2026 against 1 Mar to 7 Mar 2026"
    alerts = tables.bridge_table(view, "alerts")  # days of a training do not count events a day
    assert len(alerts.answers) == 1 and alerts.frame.shape[1] == 2
    unknown = view.why.against_reference("precision")
    assert len(in_short([unknown, unknown])) == 1 and len(in_short([unknown])) == 1


def test_the_waterfall_leads_from_before_to_after(view):
    found = view.why.against_before("precision").bridge
    chart = plots.waterfall(found)
    bars = chart.axes[0].patches
    assert bars[0].get_x() == pytest.approx(found.before)
    drawn = sum(bar.get_width() for bar in bars)
    assert found.before + drawn == pytest.approx(found.after, abs=0.02 * abs(found.change.value))
    assert "positives at equal scores" in chart._repr_svg_()
    unknown = plots.waterfall(view.why.against_reference("precision").bridge)._repr_svg_()
    assert "why precision changed is unknown" in unknown


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_the_command_answers_for_every_figure(made, figure, capsys):
    words = ["why", figure, "--model", MODEL, "--miss-cost", "3", "--data", str(made.data)]
    assert main([*words, "--to", "2026-03-14"]) == 0
    told = capsys.readouterr().out
    assert figure.replace("_", " ").capitalize() in told and "against 1 Mar to 7 Mar 2026" in told


def test_the_command_prints_json_and_refuses_in_a_sentence(made, capsys):
    words = ["why", "precision", "--model", MODEL, "--data", str(made.data)]
    assert (
        main([*words, "--from", "2026-03-08", "--against", "2026-03-01..2026-03-07", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert len(told["parts"]) == 7 and told["after"]["days"] == ["2026-03-08", "2026-03-14"]
    change = sum(part["value"] for part in told["parts"])
    assert change == pytest.approx(told["after"]["value"] - told["before"]["value"], rel=1e-9)
    for wrong, said in {
        ("--against", "last week"): "neither reference nor days",
        ("--from", "2026-03-09", "--to", "2026-03-08"): "is after the last",
        ("--from", "2027-03-09"): "no predictions on these days: its log covers 2026-03-01",
        ("--then", "2026-03-22T00:00:00+00:00"): "--then needs --against",
        ("--to", "2026-03-14", "--against", "2026-03-08..2026-03-14"): "these are the same days",
        ("--to", "2026-03-14", "--against", "2026-03-10..2026-03-16"): "overlap",
    }.items():
        code = main([*words, *wrong])
        out = capsys.readouterr()
        assert said in out.err + out.out and (code or "unknown" in out.out)
    assert main(["why", "cost", *words[2:]]) == 1
    assert "cost needs --miss-cost" in capsys.readouterr().err
    assert main(["why", "accuracy", *words[2:]]) == 2


def test_days_that_the_log_does_not_reach_are_not_days_without_events(made, capsys):
    "Of days behind its end nobody knows how many events they have: alerts did not fall there."
    words = ["why", "alerts", "--model", MODEL, "--data", str(made.data)]
    with made.store() as store:
        newest = store.days(MODEL)[-1]
    behind, first = newest + timedelta(3), newest - timedelta(3)
    for days in (
        ["--from", str(first), "--to", str(behind)],
        [
            "--from",
            str(first - timedelta(20)),
            "--to",
            str(first),
            "--against",
            f"{first}..{behind}",
        ],
    ):
        assert main([*words, *days]) == 1
        assert f"the log of {MODEL} ends on {newest}: " in capsys.readouterr().err
    for enough in ([], ["--to", str(newest)]):
        assert main([*words, "--from", str(first), *enough]) == 0
        assert in_words((first, newest)) in capsys.readouterr().out


@pytest.mark.parametrize(
    "days",
    (
        ["--from", "9999-12-31"],
        ["--to", "0001-01-01"],
        ["--from", "0001-01-01", "--to", "9999-12-31"],
    ),
)
def test_days_at_the_end_of_the_calendar_are_refused_in_words(made, capsys, days):
    assert main(["why", "alerts", "--model", MODEL, "--data", str(made.data), *days]) == 1
    assert "should not happen" not in capsys.readouterr().err


def test_days_of_two_years_are_named_with_both():
    assert in_words((date(2012, 12, 28), date(2013, 1, 3))) == "28 Dec 2012 to 3 Jan 2013"
    assert in_words((date(2013, 1, 1), date(2013, 1, 3))) == "1 Jan to 3 Jan 2013"
