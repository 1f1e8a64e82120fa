"""A version trained elsewhere that was adopted, as the morning sees it."""

import shutil
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import adopt as cli_of_adopt
from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.render import tables
from aiops_wb.watch.headlines import held_against, performance_headline
from aiops_wb.watch.recalibrate import recalibrate
from aiops_wb.watch.view import View

START, DAYS = date(2026, 1, 1), 60
MOVED = START + timedelta(45)  # a feature moves, which the score does not look at
REFERENCE = (START, START + timedelta(34))
NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Sixty days that a model scored elsewhere; from the 46th on its input lies higher."
    bench, usual = Bench(tmp_path_factory.mktemp("elsewhere")), events(DAYS, 60, start=START)
    bench.log(usual.assign(x=usual.x + 3.0 * (usual.day >= MOVED)))
    bench.label(usual, at="2026-03-01T12:00:00Z")
    bench.ingest(NIGHT)
    with bench.store() as store:
        store.publish(1)
    return bench


@pytest.fixture
def elsewhere(made, bench):
    shutil.copytree(made.data, bench.data, symlinks=True)
    return bench


def adopt(bench, *words, version="v1"):
    named = ("--model", MODEL, "--version", version, "--data", str(bench.data))
    return main(["models", "adopt", *named, *words])


SPAN = ("--from", str(REFERENCE[0]), "--to", str(REFERENCE[1]))


def seen(bench, day=START + timedelta(DAYS - 1), as_of=None):
    "The view of a day."
    settings = Settings(data=bench.data, label_delay_days=1)
    return View(open_snapshot(bench.data), MODEL, day, as_of, settings)


def test_features_are_watched_from_the_day_after_its_reference(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(cli_of_adopt, "ENOUGH_DAYS", 35)
    before = seen(elsewhere)
    assert "features" in before.drift.unwatched and not before.drift.alarms
    assert adopt(elsewhere, *SPAN) == 0
    said = capsys.readouterr().out
    assert "late v1 is adopted on 2026-01-01 to 2026-02-04 of the log" in said
    assert "without a level" not in said
    after = seen(elsewhere)
    (alarm,) = after.drift.alarms
    assert (alarm.stream, alarm.kind) == ("x", "covariate")
    assert MOVED - timedelta(1) <= alarm.since <= MOVED + timedelta(1)
    assert "features" not in after.drift.unwatched
    assert not seen(elsewhere, MOVED - timedelta(1)).drift.alarms
    assert "1 January 2026 to 4 February 2026" in held_against(after)


def test_nothing_is_bet_on_the_days_that_it_is_held_against(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(cli_of_adopt, "ENOUGH_DAYS", 36)
    adopt(elsewhere, *SPAN)
    said = capsys.readouterr().out
    assert "\n35 reference days have labels that count: with fewer than 36 it is not known" in said
    assert main(["reference", "rollback", "--model", MODEL, "--why", "as it began", "--data",
                 str(elsewhere.data)]) == 0  # fmt: skip
    for view in (seen(elsewhere), seen(elsewhere, REFERENCE[1])):
        assert view.reference.span == REFERENCE and view.drift.days[0] == START
        for question in view.drift.questions:
            bets = question.stream.bets[: len(view.drift.days)][:35]
            assert question.about == "volume" or not bets.any(), question.stream.name


def test_labels_that_are_not_shown_to_be_in_count_as_in_a_training(elsewhere, monkeypatch):
    "A young log: they are taken with the reference, and nothing is automated."
    monkeypatch.delenv("AIOPS_COMPLETE_SHARE")
    adopt(elsewhere, *SPAN)
    view = seen(elsewhere)
    assert view.complete_days.newest is None and view.card["labels_unsure"]
    assert len(view.reference.labelled) == 35 and view.labels.expected
    stands = view.reader.calibration(MODEL, "v1")[1]
    assert stands.rule.threshold is None and "labels are not known to be" in stands.rule.reason


def test_expected_figures_and_a_calibration_come_with_it(elsewhere):
    adopt(elsewhere, *SPAN)
    view = seen(elsewhere)
    assert performance_headline(view).state == "ok"
    assert view.labels.expected and "reference days" in tables.performance_table(view).frame
    assert view.reader.calibration(MODEL, "v1")[0] == f"{MODEL}/v1/1"
    today = SimpleNamespace(reader=view.reader, model=MODEL, as_of=None, spoken_at=None)
    (row,) = tables.version_table(today).frame.to_dict("records")
    assert (row["trained from"], row["rows"]) == ("elsewhere", "-")
    with elsewhere.store() as store:
        daily = View(store, MODEL, view.day, settings=view.settings)
        assert recalibrate(store, daily, NIGHT + timedelta(days=400), "night")


def test_a_page_of_an_earlier_time_is_what_it_was(elsewhere):
    then = seen(elsewhere, as_of=NIGHT)
    said = (then.drift.unwatched, held_against(then), then.threshold, then.labels.expected)
    adopt(elsewhere, *SPAN)
    again = seen(elsewhere, as_of=NIGHT)
    assert said == (
        again.drift.unwatched, held_against(again), again.threshold, again.labels.expected,
    )  # fmt: skip
    assert again.card == {} and not again.held_out and seen(elsewhere).held_out


def a_file(bench, name="reference.csv", days=30, **changes):
    "Rows that were scored before the log began, as somebody else keeps them."
    rows = events(days, 60, seed=9, start=START - timedelta(days), version="past")
    columns = {"id": rows.id, "when": rows["at"], "p": rows.score, "late": rows.label, "x": rows.x}
    pd.DataFrame(columns | changes).to_csv(bench.root / name, index=False)
    return ("--reference-file", str(bench.root / name), "--map",
            "prediction_id=id,predicted_at=when,score=p,label=late")  # fmt: skip


def test_rows_that_are_not_in_the_log_are_a_reference_for_all_its_days(elsewhere, capsys):
    assert adopt(elsewhere, *a_file(elsewhere)) == 0
    assert "on 1,800 of 1,800 events of 30 days" in capsys.readouterr().out
    view = seen(elsewhere)
    assert held_against(view) == "the days of reference.csv, 2 December 2025 to 31 December 2025"
    assert view.reference.span is None and {"x"} == {a.stream for a in view.drift.alarms}
    by_name = {q.stream.name: q for q in view.drift.questions}
    assert by_name["score"].stream.bets[:20].any() and by_name["x"].stream.bets[:20].any()
    assert performance_headline(view).state == "ok"
    assert main(["models", "list", "--data", str(elsewhere.data)]) == 0
    assert ", adopted on reference.csv; held-out ROC-AUC" in capsys.readouterr().out


def test_a_file_is_read_as_it_is_spelt_and_what_is_not_taken_is_said(elsewhere, capsys):
    score = events(30, 60, seed=9, start=START - timedelta(30), version="past").score
    percent = (100 * score).map("{:.6f}".format).str.replace(".", ",")
    words = a_file(elsewhere, p=percent, version="past", route=7)
    assert adopt(elsewhere, *words, "--decimal", ",") == 1
    assert "--score-scale percent" in capsys.readouterr().err
    assert adopt(elsewhere, *words, "--decimal", ",", "--score-scale", "percent") == 0
    notes = [one for one in capsys.readouterr().out.splitlines() if one.startswith("note: ")]
    assert notes == [
        "note: not taken: version (--version gives version)",
        "note: taken as features, because what they hold is not what the log's columns of that "
        "name hold: route",
    ]
    with open_snapshot(elsewhere.data) as log:
        assert max(c.points.max() for c in log.held_out_counts(MODEL, "v1").values()) < 5000
        assert "route" in log.version(MODEL, "v1").card["bins"]
    assert adopt(elsewhere, *SPAN, "--decimal", ",") == 2
    assert "are about a --reference-file" in capsys.readouterr().err


def test_a_version_may_be_adopted_before_it_scores(bench, capsys):
    with bench.store() as store:
        store.publish(1)
    assert adopt(bench, *a_file(bench)) == 0
    made = events(2, 60, start=START)
    bench.log(made)
    bench.ingest(NIGHT)
    with bench.store() as store:
        days, of_features = store.feature_counts(MODEL, "v1")
        assert len(days) == 2 and of_features["x"].sum() == 120


def test_a_file_that_is_no_reference_is_refused(elsewhere, capsys):
    logged = events(30, 5, start=START + timedelta(20), version="past")["at"].reset_index(drop=True)
    ahead = pd.date_range("2190-01-01", periods=1800, freq="24min", tz="UTC")
    few = a_file(elsewhere, days=2)
    named = few[:2]
    for words, says, code in (
        ((*named, "--map", "prediction_id=id,predicted_at=when,score=p"), "label", 1),
        (("--reference-file", "none.csv"), "none.csv is not a file", 1),
        ((*few, *SPAN), "name one", 2),
        (("--from", "2026-01-01"), "name one", 2),
        ((*SPAN, "--map", "score=p"), "are about a --reference-file", 2),
        (a_file(elsewhere, "twice.csv", id="same"), "holds same twice", 1),
        (a_file(elsewhere, "same.csv", late=1), "both labels are needed", 1),
        (a_file(elsewhere, "bad.csv", p="often"), "bad.csv, line 2: score", 1),
        (a_file(elsewhere, "to_come.csv", when=ahead), "holds 2190-01-30, which is not over", 1),
        (a_file(elsewhere, "in.csv", 30, when=logged.repeat(12).to_numpy()), "holds 2026-01-21", 1),
    ):
        assert adopt(elsewhere, *words) == code, words
        said = capsys.readouterr().err
        assert says in said and "Traceback" not in said, said
    with open_snapshot(elsewhere.data) as log:
        assert log.versions(MODEL).empty


def test_labels_of_a_file_that_fall_with_age_are_refused(elsewhere, capsys, monkeypatch):
    monkeypatch.delenv("AIOPS_COMPLETE_SHARE")
    rows = events(30, 60, seed=9, start=START - timedelta(30), version="past")
    age = (pd.to_datetime(rows.day) - pd.Timestamp(START)).dt.days + 31
    words = a_file(elsewhere, late=rows.label.where(rows.index % 30 >= age))
    assert adopt(elsewhere, *words) == 1
    assert "labels still arrive; of the events from" in capsys.readouterr().err
    assert adopt(elsewhere, *words, "--allow-incomplete") == 0
    with open_snapshot(elsewhere.data) as log:
        assert log.version(MODEL, "v1").card["incomplete_labels"]
        assert log.calibration(MODEL, "v1") is None


def test_it_is_not_promoted_and_its_newest_days_are_told_from_its_reference(elsewhere, capsys):
    adopt(elsewhere, *SPAN)
    words = ("--model", MODEL, "--data", str(elsewhere.data))
    assert main(["models", "promote", *words, "--version", "v1", "--why", "best"]) == 1
    assert "adopted without a model file" in capsys.readouterr().err
    assert main(["drift", "explain", *words]) == 0
    assert "  x: mean contribution" in capsys.readouterr().out
