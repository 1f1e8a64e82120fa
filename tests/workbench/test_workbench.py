"""The log in one line, held to what the readers, the view and the commands say of the same log."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from sklearn.metrics import average_precision_score, precision_score, roc_auc_score

import aiops_wb
from aiops_wb import Settings, StoreError, Workbench, open_snapshot
from aiops_wb.cli import main
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.points import Grid
from aiops_wb.watch.view import View
from aiops_wb.workbench.published import NEWS
from aiops_wb.workbench.sql import questions

START, DAYS, A_DAY = date(2026, 1, 1), 42, 40
LAST = START + timedelta(DAYS - 1)
REFERENCE = START, START + timedelta(27)
NIGHT = datetime(2026, 2, 14, 2, tzinfo=UTC)
MADE = events(DAYS, A_DAY, start=START)
LABELLED = MADE[MADE.day < LAST]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Six weeks of a model at two sites, adopted on the first four; its input moves in the last."
    bench = Bench(tmp_path_factory.mktemp("asked"))
    bench.log(MADE.assign(x=MADE.x + 3.0 * (MADE.day > LAST - timedelta(8))), threshold=405)
    bench.label(LABELLED, at="2026-02-13T12:00:00Z")
    bench.ingest(NIGHT)
    bench.publish()
    span = ["--from", str(REFERENCE[0]), "--to", str(REFERENCE[1])]
    named = ["--model", MODEL, "--version", "v1", "--data", str(bench.data)]
    assert main(["models", "adopt", *named, *span]) == 0
    return bench


@pytest.fixture(scope="module")
def wb(logged):
    return Workbench(logged.data)


@pytest.fixture(scope="module")
def view(logged):
    return View(open_snapshot(logged.data), MODEL, LAST, None, Settings(data=logged.data))


def shown(answer):
    "That an answer shows, draws and writes itself."
    assert answer.says in repr(answer) and "<p>" in answer._repr_html_()
    assert "<svg" in answer.plot()._repr_svg_()
    assert answer.to_csv().count("\r\n") == len(answer.frame) + 1 if len(answer.frame) else True
    assert not [c for c in answer.frame if "points" in c]
    return answer


def test_it_finds_the_data_that_commands_find(logged, tmp_path, monkeypatch):
    (tmp_path / "aiops.toml").write_text(f'data = "{logged.data}"\n')
    monkeypatch.chdir(tmp_path)
    found = Workbench()
    assert found.data == logged.data and found.models == (MODEL,) == tuple(found)
    assert MODEL in found and len(found) == 1 and found._ipython_key_completions_() == [MODEL]
    monkeypatch.setenv("AIOPS_DATA", str(tmp_path / "none"))
    with pytest.raises(StoreError, match=r"there is no folder .*none: name the data folder"):
        Workbench()
    with pytest.raises(StoreError, match="no published snapshot .* run 'aiops-wb ingest' first"):
        Workbench(tmp_path)
    with pytest.raises(aiops_wb.SettingsError, match="did you mean 'explore'|is no setting"):
        (tmp_path / "aiops.toml").write_text("explor = 1\n")
        Workbench(logged.data, config=tmp_path / "aiops.toml")


def test_it_shows_what_there_is_and_completes_to_questions_alone(wb):
    assert MODEL in repr(wb) and str(LAST) in wb._repr_html_() and "1 model, as known" in repr(wb)
    assert "alarms are unknown: no daily run looked at this day" in repr(wb)
    assert repr(wb[MODEL]) == f"Model('late', day='{LAST}')" and "0.60" in wb[MODEL]._repr_html_()
    for thing in (wb, wb[MODEL]):
        assert not [name for name in dir(thing) if name.startswith("_")]
    assert {"top", "why", "curve", "drift", "replay"} <= set(dir(wb[MODEL]))
    assert wb[MODEL].features == ["x"] and wb[MODEL].sites == ["north", "south"]
    assert wb[MODEL].threshold == pytest.approx(0.6, abs=1e-3) and wb[MODEL].version == "v1"


def test_the_riskiest_are_those_of_a_sort_of_all(wb):
    of_day = MADE[MADE.day == LAST].sort_values(["score", "id"], ascending=[False, True])
    top = shown(wb[MODEL].top(7))
    assert list(top.frame.prediction_id) == list(of_day.id[:7])
    assert np.allclose(top.frame.probability, of_day.score[:7], atol=3e-4)
    assert top.frame.label.isna().all() and "7 of them without a label" in top.says
    assert {"threshold", "risk_level", "route", "label"} <= set(top.frame)
    assert np.allclose(top.frame.threshold.astype(float), wb[MODEL].threshold)
    assert list(top.frame.route) == ["alert"] * 7
    few = wb[MODEL].top(5, first=START, last="2026-01-20", site="north").frame
    inside = MADE[(MADE.day <= date(2026, 1, 20)) & (MADE.site == "north")]
    best = inside.sort_values(["score", "id"], ascending=[False, True])[:5]
    assert list(few.prediction_id) == list(best.id) and list(few.label) == list(best.label)
    assert np.allclose(few.x, best.x) and set(few.site_id) == {"north"}
    assert len(wb[MODEL].top()) == 20 and len(wb[MODEL].top(10_000)) == A_DAY


def test_rows_are_those_of_the_log_and_conditions_speak_of_what_is_shown(wb):
    first, last = LAST - timedelta(10), LAST - timedelta(9)
    mine = MADE[(MADE.day >= first) & (MADE.day <= last)]
    found = shown(wb[MODEL].rows(first, last))
    assert set(found.frame.prediction_id) == set(mine.id)
    asked = {"where": "probability > 0.8 and label == 0", "columns": ["prediction_id", "x"]}
    few = wb[MODEL].rows(first, last, **asked)
    expected = mine[(mine.score > 0.8) & (mine.label == 0)]
    assert set(few.frame.prediction_id) == set(expected.id) and list(few.frame)[1:] == ["x"]
    assert wb[MODEL].rows(first, last, where="x > 99").frame.empty
    called = shown(wb[MODEL].alerts(first, last)).frame
    high = mine[Grid().quantise(mine.score.to_numpy()) >= 405]
    assert set(called.prediction_id) == set(high.id) and called.probability.is_monotonic_decreasing


def test_figures_are_those_of_scikit_learn_with_intervals_over_days(wb, view):
    first, last = START + timedelta(5), LAST - timedelta(3)
    of = shown(wb[MODEL].performance(first=first, last=last))
    rows = LABELLED[(LABELLED.day >= first) & (LABELLED.day <= last)]
    called = Grid().quantise(rows.score.to_numpy()) >= 405
    assert of["precision"].value == pytest.approx(precision_score(rows.label, called))
    assert of["roc_auc"].value == pytest.approx(roc_auc_score(rows.label, rows.score), abs=1e-3)
    assert of["precision"].lower < of["precision"].value < of["precision"].upper
    month = wb[MODEL].performance("precision", "recall")
    through = view.other_thresholds.through
    assert list(month.frame.figure) == ["precision", "recall"] and str(through) in month.says
    half = wb[MODEL].performance("alerts", first=first, last=last, threshold=0.5)
    assert half["alerts"].value == (Grid().quantise(rows.score.to_numpy()) >= 0).sum()


def test_a_curve_of_each_site_is_that_of_its_rows(wb):
    of = shown(wb[MODEL].curve(by="site", first=START, last=LAST))
    assert set(of.areas["name"]) == {"north", "south"} == set(of.frame["name"])
    for area in of.areas.itertuples():
        rows = LABELLED[LABELLED.site == area.name]
        assert area.labelled == len(rows) and area.positive == rows.label.sum()
        assert area.roc_auc == pytest.approx(roc_auc_score(rows.label, rows.score), abs=0.01)
        assert area.pr_auc == pytest.approx(
            average_precision_score(rows.label, rows.score), abs=0.02
        )
        assert area.pr_auc_lower < area.pr_auc < area.pr_auc_upper
    whole = shown(wb[MODEL].curve(first=START, last=LAST))
    at = whole.frame[whole.frame.threshold >= 0.7].iloc[0]
    assert at.alerts == (MADE.score >= at.threshold - 1e-4).sum()
    one = wb[MODEL].curve(by="site", most=1)
    assert len(one.areas) == 1 and "The 1 largest of 2 sites are shown." in one.notes
    assert list(wb[MODEL].curve(by="version").areas["name"]) == ["v1"]


def test_drift_is_that_of_the_view(wb, view):
    of, shift = shown(wb[MODEL].drift("x")), view.drift.shifts[0]
    recent, reference, rule = view.drift.vectors["x"]
    assert of.frame.n_recent.sum() == recent.sum() and of.frame.n_reference.sum() == reference.sum()
    assert f"by {shift.effect:.1%}" in of.says and "more than the tolerated 0.5%" in of.says
    assert len(of.frame) == len(rule["cuts"]) + 3 and any("Open alarm" in n for n in of.notes)
    every = shown(wb[MODEL].drift())
    assert list(every.frame.feature) == ["x"] and every.frame.change[0] == shift.effect
    before = wb.at(day=LAST - timedelta(10))[MODEL].drift()
    assert "No alarm is open" in before.notes[-1]


def test_another_threshold_and_why_are_those_of_the_commands(wb, view, logged, capsys):
    of = shown(wb[MODEL].simulate(0.7))
    record = view.other_thresholds.simulate(int(view.grid.quantise(0.7))).record
    told = of.frame.set_index("figure")
    assert told.candidate["alerts"] == record["alerts"].candidate.value
    assert told.difference["precision"] == record["precision"].difference.value
    table = of.table().set_index(told.title)["95 % over days"]
    spread = told[told.lower.notna()].iloc[0]
    assert table[spread.title].count(" to ") == 1 and "nan" not in table[spread.title]
    assert set(table[told.title[told.lower.isna()]]) == {""}
    assert (
        main(["thresholds", "simulate", "0.7", "--model", MODEL, "--data", str(logged.data)]) == 0
    )
    assert of.says.rpartition("days whose labels are in. ")[2] or of.says in capsys.readouterr().out
    capsys.readouterr()
    why = ["why", "precision", "--model", MODEL, "--json", "--data", str(logged.data)]
    assert main(why) == 0
    said = json.loads(capsys.readouterr().out)
    because = shown(wb[MODEL].why("precision"))
    assert said["says"] in because.says
    assert list(because.frame.part) == [part["factor"] for part in said["parts"]]
    span = START, START + timedelta(6)
    other = wb[MODEL].why("alerts", START + timedelta(7), START + timedelta(13), against=span)
    before = MADE[(MADE.day >= span[0]) & (MADE.day <= span[1])]
    assert other.account.bridge.before == pytest.approx((before.score >= 0.6).sum() / 7, abs=0.2)
    shown(wb[MODEL].why("alerts", against="reference"))


def test_past_days_are_lived_again(wb, view):
    of = shown(wb[MODEL].replay({"threshold": 0.7}, days=5))
    assert set(of.frame.policy) == {"policy", "actual"}
    lived = of.frame[of.frame.policy == "policy"]
    days = MADE[MADE.day > LAST - timedelta(5)]
    high = Grid().quantise(days.score.to_numpy()) >= Grid().quantise(0.7)
    assert (lived.tickets + lived.reviews).sum() == high.sum()
    assert "policy against actual, a week" in " ".join(of.notes)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda wb: wb["lat"], "model 'lat' is not known: did you mean 'late'"),
        (lambda wb: wb[MODEL].drift("xx"), "late has no feature 'xx': did you mean 'x'"),
        (lambda wb: wb[MODEL].performance("presicion"), "no figure 'presicion': did you mean 'pr"),
        (lambda wb: wb[MODEL].why("precisoin"), "'precisoin' is no figure .* mean 'precision'"),
        (lambda wb: wb[MODEL].top(site="nort"), "late has no site 'nort': did you mean 'north'"),
        (
            lambda wb: wb[MODEL].top(version="v2"),
            "no event of version 'v2' on these days. There is 'v1'",
        ),
        (lambda wb: wb[MODEL].top(tenant="defaul"), "tenant 'defaul' .* did you mean 'default'"),
        (lambda wb: wb[MODEL].rows(columns=["probabilty"]), "did you mean 'probability'"),
        (lambda wb: wb[MODEL].rows(where="lable == 1"), "'lable' is no column: did you mean 'lab"),
        (lambda wb: wb[MODEL].rows(where="x >"), "where: 'x >' is not a condition such as"),
        (lambda wb: wb[MODEL].curve(by="sites"), "by='sites' is not known: did you mean 'site'"),
        (lambda wb: wb[MODEL].curve(days=0), "days is 0: a whole number, from 1 on"),
        (lambda wb: wb[MODEL].top(0), "n is 0: a whole number"),
        (lambda wb: wb[MODEL].simulate(7), "threshold: .*0, 1"),
        (lambda wb: wb[MODEL].replay({"treshold": 1}), "policy: 'treshold' is not known: did you"),
        (lambda wb: wb[MODEL].replay({"threshold": "x"}), "policy: threshold: "),
        (lambda wb: wb[MODEL].replay(against=3), "against: a file, or a mapping such as"),
        (lambda wb: wb[MODEL].why("cost"), "cost needs miss_cost"),
        (lambda wb: wb[MODEL].why("alerts", against="referenc"), "neither 'reference' nor two"),
        (lambda wb: wb[MODEL].rows("2026-13-01"), "first: '2026-13-01' is not a day such as"),
        (lambda wb: wb[MODEL].rows("2027-01-01"), "no predictions from 2027-01-01 to 2027-01-01"),
        (lambda wb: wb[MODEL].rows(LAST, START), "the first day, 2026-02-11, is after the last"),
        (lambda wb: wb.at(as_of="2026-01-01")[MODEL], "as_of: .* not a time with an offset"),
        (lambda wb: wb.at(day="2030-01-01")[MODEL].curve(), "has no predictions on 2030-01-01"),
        (lambda wb: wb[MODEL].explain("nobody"), "no prediction of late with the id 'nobody'"),
        (lambda wb: wb.compare(MODEL, MODEL), "late is compared with itself"),
        (lambda wb: wb[MODEL].top(2).to_csv("/nowhere/x.csv"), "/nowhere/x.csv cannot be written"),
        # a name that is none, of whatever it is
        (lambda wb: wb[5], "model is 5: a text is needed"),
        (lambda wb: wb.compare(MODEL, None), "model is None: a text is needed"),
        (lambda wb: wb[MODEL].drift(["x"]), r"feature is \['x'\]: a text is needed"),
        (lambda wb: wb[MODEL].why(None), "figure is None: a text is needed"),
        (lambda wb: wb[MODEL].explain(17), "prediction_id is 17: a text is needed"),
        (lambda wb: wb[MODEL].explain("\ud800"), "prediction_id is '.ud800': a text is needed"),
        (lambda wb: wb[MODEL].top(site=5), "site is 5: a text is needed"),
        (lambda wb: wb[MODEL].rows(tenant=["a"]), "tenant is .* a text is needed"),
        (lambda wb: wb[MODEL].rows(columns=5), "there is no column of late 5"),
        # a number that is none
        (lambda wb: wb[MODEL].curve(by="site", most=0), "most is 0: a whole number, from 1 on"),
        (lambda wb: wb[MODEL].simulate([0.7]), r"threshold is \[0.7\]: a score such as 0.7"),
        (lambda wb: wb[MODEL].performance(threshold="x"), "threshold is 'x': a score such as"),
        (lambda wb: wb[MODEL].why("cost", miss_cost=0), "miss_cost is 0: a number above 0"),
        (lambda wb: wb[MODEL].why("cost", miss_cost=float("nan")), "miss_cost is nan: a number"),
        # days and times that are none, or at the ends of the calendar
        (lambda wb: wb[MODEL].rows(pd.NaT), "first: 'NaT' is not a day"),
        (lambda wb: wb[MODEL].why("alerts", "9999-12-31"), "no predictions from 9999-12-31 to"),
        (lambda wb: wb[MODEL].why("alerts", None, date.min), "no predictions from 0001-01-01 to"),
        (lambda wb: wb[MODEL].why("alerts", against=7), "against=7 is neither 'reference' nor"),
        (lambda wb: wb[MODEL].why("alerts", against=(START, None)), "neither 'reference' nor two"),
        (lambda wb: wb.at(as_of="0001-01-01T00:00:00+14:00"), "as_of: .* is no time of any log"),
        (lambda wb: wb.at(as_of="9999-12-31T23:59:59Z"), "as_of: .* is no time of any log"),
    ],
)
def test_what_there_is_not_is_said_in_a_sentence_with_what_was_meant(wb, ask, says):
    with pytest.raises(StoreError, match=says):
        ask(wb)


@pytest.mark.parametrize(
    "where", ["0", "label", "[0, 1]", "1 == 1", "site_id", "x + 1", "a = 1", "x > 0, label"]
)
def test_what_is_true_or_false_of_no_event_is_no_condition(wb, where):
    "Such a text once took rows by their number, and said that so many met it."
    with pytest.raises(StoreError, match="is not a condition such as"):
        wb[MODEL].rows(where=where)


def test_a_condition_knows_columns_alone_and_takes_what_is_unknown_for_no(wb):
    with pytest.raises(StoreError, match="where: @frame is not known: write the value itself"):
        wb[MODEL].rows(where="@frame.x > 0")
    days = LAST - timedelta(1), LAST  # of the last no label is known
    of = wb[MODEL].rows(*days, where="label != 1")
    assert len(of) == (MADE[MADE.day == days[0]].label == 0).sum()
    nothing = wb.at("2030-01-01")[MODEL].rows(columns="x")
    assert nothing.frame.empty and "late has no event on 2030-01-01." in nothing.says


def test_what_lies_in_files_that_are_gone_is_not_said_to_be_nothing(logged, tmp_path):
    own = logged.copy_to(tmp_path)
    days = LAST - timedelta(3), LAST - timedelta(2)
    for day in days:
        for path in (own.data / "log" / "predictions").glob(f"event_date={day}/*"):
            path.unlink()
    (outcomes,) = (own.data / "log" / "outcomes").glob(f"event_date={LAST - timedelta(4)}/*")
    outcomes.unlink()
    model = Workbench(own.data)[MODEL]
    none = model.rows(*days)
    assert "late has no event on 2026-02-08 to 2026-02-09 that can be read." in none.says
    assert "2 day files of these days cannot be read, and what is in them" in none.notes[0]
    some = model.rows(LAST - timedelta(4), LAST)
    assert "3 day files" in some.notes[0] and len(some) == 3 * A_DAY
    assert not model.rows(LAST).notes
    with questions(Settings(data=own.data, config="no file")) as log:
        with pytest.raises(StoreError, match="is missing: 'aiops-wb status' says more"):
            log.frame("SELECT sum(score) FROM predictions")


@pytest.mark.parametrize("what", ["loop", "garbage", "database"])
def test_a_pointer_to_something_else_is_said_in_a_sentence(tmp_path, what):
    place = tmp_path / "aiops.duckdb"
    if what == "loop":
        place.symlink_to(place)
    elif what == "garbage":
        place.write_bytes(b"no database" * 999)
    else:
        with duckdb.connect(place) as con:
            con.execute("CREATE TABLE other (a INT)")
    says = {"loop": "no published", "garbage": "cannot be opened", "database": "something else"}
    settings = Settings(data=tmp_path, config="no file")
    for ask in (lambda: Workbench(tmp_path), lambda: questions(settings).__enter__()):
        with pytest.raises(StoreError, match=says[what]):
            ask()


def test_an_answer_is_written_as_it_is(wb, tmp_path):
    of = wb[MODEL].top(3)
    path = of.to_csv(tmp_path / "top.csv")
    again = pd.read_csv(path)
    assert list(again.prediction_id) == list(of.frame.prediction_id)
    assert np.allclose(again.probability, of.frame.probability, rtol=0, atol=0)
    assert of.to_csv() == path.read_text(encoding="utf-8").replace("\n", "\r\n")


def test_an_open_kernel_holds_up_no_night_and_notices_a_newer_snapshot(logged, tmp_path):
    own = logged.copy_to(tmp_path)
    wb = Workbench(own.data)
    pinned = Workbench(own.data, as_of="2026-02-14T03:00:00+00:00")
    before, pinned_before = wb[MODEL].top(2), pinned[MODEL].top(2).frame
    assert not before.notes
    later = events(1, 5, start=LAST + timedelta(1), seed=3)
    own.log(later.assign(id=[f"n{i}" for i in range(5)]), threshold=405)
    own.ingest(NIGHT + timedelta(1))  # while both are open
    for _ in range(4):  # the snapshot that is open is removed
        own.publish()
    model = wb[MODEL]
    assert model.day == LAST + timedelta(1) and len(model.top(9)) == 5
    assert wb[MODEL].top(1).notes == ()  # said once, with the first answer
    assert pinned[MODEL].day == LAST and pinned[MODEL].top(2).frame.equals(pinned_before)


def test_a_newer_snapshot_is_said_once(logged, tmp_path):
    own = logged.copy_to(tmp_path)
    wb = Workbench(own.data)
    model = wb[MODEL]
    own.publish()
    told = [model.top(1).notes, model.top(1).notes]
    assert told == [(NEWS,), ()]
    (own.data / "aiops.duckdb").unlink()  # no pointer: the open one stays
    assert len(model.top(1)) == 1
    wb.close()
    with pytest.raises(StoreError, match="no published snapshot"):
        model.top(1)


def test_an_empty_log_speaks(bench):
    bench.log(events(1, 1))
    with bench.store() as store:
        store.publish()
    wb = Workbench(bench.data)
    assert "the log is empty" in repr(wb) and "the log is empty" in wb._repr_html_()
    with pytest.raises(StoreError, match="model 'late' is not known: the log is empty"):
        wb[MODEL]


def test_one_row_without_a_label_is_unknown_with_its_reason(bench):
    bench.log(events(1, 1), threshold=405)
    bench.ingest()
    bench.publish()
    model = Workbench(bench.data)[MODEL]
    assert len(shown(model.top())) == 1 and "1 of them without a label" in model.top().says
    of = shown(model.performance())
    assert "none with a label yet: what needs one is unknown" in of.says
    assert np.isnan(of["precision"].value) and of["predictions"].value == 1
    assert "unknown" in shown(model.curve(by="site")).says
    assert "unknown" in shown(model.drift("x")).says and "unknown" in shown(model.drift()).says
    assert "No labelled positives in these days" in shown(model.simulate(0.5)).says
    assert "unknown" in shown(model.why("precision")).says
    assert shown(model.alerts()).frame.empty or len(model.alerts()) == 1
    assert len(shown(model.replay(against=None, days=1))) == 1


def test_scores_that_are_no_probabilities_are_called_scores(bench):
    made = events(8, 20)
    with PredictionLogger(
        bench.data / "spool", "z", "v1", grid=Grid("linear"), threshold=3000, flush_seconds=None
    ) as log:
        z = np.abs(made.x.to_numpy()) * 2
        log.log(z, made["at"], prediction_id=made.id, site_id=made.site)
    bench.label(made)
    bench.ingest()
    bench.publish()
    model = Workbench(bench.data)["z"]
    top = shown(model.top(3)).frame
    of_day = z[made.day == made.day.max()]
    assert "probability" not in top and np.allclose(top.score, np.sort(of_day)[::-1][:3], atol=6e-4)
    assert model.threshold == 3.0
    of = shown(model.performance("roc_auc", first=made.day.min(), last=made.day.max()))
    assert of["roc_auc"].value == pytest.approx(roc_auc_score(made.label, z), abs=1e-3)
    with pytest.raises(StoreError, match="no figure 'brier'"):
        model.performance("brier")
    assert shown(model.simulate(2.5)).threshold == 2.5


FIRST_TABLE = """
import sys
from aiops_wb import Workbench
shown = Workbench(sys.argv[1])["late"].top(20)._repr_html_()
heavy = ("scipy.stats", "scipy.special", "matplotlib", "IPython", "xgboost", "jinja2")
print([m for m in (*heavy, "aiops_wb.watch.view") if m in sys.modules], len(shown) > 1000)
"""


def test_a_first_table_waits_for_nothing_that_it_does_not_need(logged):
    words = [sys.executable, "-c", FIRST_TABLE, str(logged.data)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"
