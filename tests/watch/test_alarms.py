"""Alarms about drift, from counts to the command line.

Their kinds, their rows, their way to the sinks, the calendar.
"""

import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.features import bin_values
from aiops_wb.models.domain import explain_drift
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from aiops_wb.render import tables
from aiops_wb.render.manifest import entry
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import Figure, brier, summary
from aiops_wb.stats.sequential import follow
from aiops_wb.stats.streams import loss_question
from aiops_wb.watch.alarm_rows import MOVED, event_rows
from aiops_wb.watch.alarms import Observed, drift_of, follow_version
from aiops_wb.watch.figures import day_figures, drift_figures
from aiops_wb.watch.headlines import drift_headline, watch_note
from aiops_wb.watch.quality import quality_losses
from aiops_wb.watch.view import View
from bench.years import Year

SETTINGS = Settings(label_delay_days=1)


def observed(year: Year, latency=None) -> Observed:
    m = len(year.reference)
    return Observed(
        dict(zip(year.days, year.scores[m:])),
        dict(zip(year.reference, year.scores[:m])),
        year.days,
        {f: t[m:] for f, t in year.features.items()},
        year.reference,
        {f: t[:m] for f, t in year.features.items()},
        {f: {"cuts": year.cuts.tolist()} for f in year.features},
        latency or {},
    )


@pytest.mark.parametrize(
    ("world", "stream", "kind"),
    [
        ({"shift": 0.5}, "x00", "covariate"),
        ({"concept": 0.8}, "calibration", "concept"),
        ({"prevalence": 1.8}, "calibration", "label shift"),
    ],
)
def test_what_kind_of_drift_it_is(world, stream, kind):
    year = Year(5, days=40, change=25, features=3, labels=1500, **world)
    before, after = (follow_version(observed(year), year.days[d], SETTINGS) for d in (24, 39))
    assert not before.alarms and before.severity == "none"
    found = {a.stream: a for a in after.alarms}
    assert found[stream].kind == kind and found[stream].log10_evidence > 0
    assert abs((found[stream].since - year.days[25]).days) <= 2 + (stream == "calibration")


def test_a_feed_that_breaks_is_data_quality_and_found_the_next_morning():
    year = Year(6, days=30, features=3)
    table = year.features["x01"]
    gone = len(year.reference) + 20
    table[gone:, 1], table[gone:, 2:] = table[gone:, 2:].sum(axis=1) // 2, table[gone:, 2:] // 2
    seen = follow_version(observed(year), year.days[20], SETTINGS)
    assert [(a.stream, a.kind, a.since) for a in seen.alarms] == [
        ("x01", "data quality", year.days[20])
    ]
    assert "missing" in seen.alarms[0].says() and "feed" in seen.alarms[0].advice()
    for morning, new in ((20, 1), (26, 1), (27, 0)):
        seen = follow_version(observed(year), year.days[morning], SETTINGS)
        assert (len(seen.alarms), len(seen.alarms_of_week)) == (1, new)


def test_a_volume_that_doubles_is_found_and_the_usual_one_is_not():
    year = Year(7, days=200, features=1)
    for factor, expected in ((2, {"volume"}), (1, set())):
        m = len(year.reference)
        thin = [
            c
            if i < 160
            else ScoreCounts.of(
                c.points, c.n * factor, c.n_labelled * factor, c.n_positive * factor
            )
            for i, c in enumerate(year.scores[m:])
        ]
        one = observed(year)
        seen = follow_version(
            Observed(
                dict(zip(year.days, thin)),
                one.reference,
                one.feature_days,
                one.features,
                one.reference_days,
                one.reference_features,
                one.bins,
            ),
            year.days[-1],
            SETTINGS,
        )
        assert {a.stream for a in seen.alarms} == expected


def test_days_known_beforehand_can_be_muted():
    year = Year(8, days=40, change=30, features=2, shift=0.6)
    calendar = pd.DataFrame(
        {
            "first": [pd.Timestamp(year.days[30])],
            "last": [pd.Timestamp(year.days[39])],
            "mutes": [True],
            "name": ["new cameras"],
        }
    )
    seen = observed(year)
    assert follow_version(seen, year.days[39], SETTINGS).alarms
    muted = Observed(
        seen.counts,
        seen.reference,
        seen.feature_days,
        seen.features,
        seen.reference_days,
        seen.reference_features,
        seen.bins,
        seen.latency,
        calendar,
    )
    assert not follow_version(muted, year.days[39], SETTINGS).alarms


def test_reference_days_that_resemble_the_day_before_take_the_promise_away():
    claims = lambda rho: (
        follow_version(
            observed(Year(9, days=5, rows=50_000, wobble=0.05, correlation=rho)),
            Year(9, days=5).days[-1],
            SETTINGS,
        ).caveats
    )
    assert not claims(0.0) and "not independent" in claims(0.8)[0]


def test_independent_days_are_said_to_be_so_when_it_could_have_been_seen():
    "Five days cannot show it, a year can; the days of a change are no sign against it."
    year = Year(9, days=250, features=2, rows=800, labels=800, change=215, concept=0.8)
    at = lambda day: follow_version(observed(year), year.days[day], SETTINGS)
    early, late, changed = (at(day) for day in (4, 210, 249))
    assert early.independence.state == "unknown"
    assert set(early.independence.waiting) >= {"score", "calibration", "x00", "volume"}
    assert late.independence.state == "holds" and not late.caveats
    assert "calibration" in {a.stream for a in changed.alarms}
    assert changed.independence.state == "holds"


@pytest.mark.parametrize(
    ("year", "day", "state", "says"),
    [
        (Year(9, days=210, features=2), 209, "ok", "show no sign against independence"),
        (Year(9, days=210, features=2), 4, "unknown", "independent cannot be checked yet"),
        (
            Year(9, days=5, features=2, rows=50_000, wobble=0.05, correlation=0.8),
            4,
            "unknown",
            "cannot be claimed",
        ),
    ],
)
def test_the_page_says_whether_the_level_holds_cannot_be_checked_or_is_gone(year, day, state, says):
    drift = follow_version(observed(year), year.days[day], SETTINGS)
    complete = SimpleNamespace(newest=year.days[day])
    view = SimpleNamespace(
        drift=drift,
        card={},
        day=year.days[day],
        complete_days=complete,
        reference=SimpleNamespace(span=None),
        held_out={},
    )
    said = watch_note(view)
    assert said.state == state and says in f"{said.says} {said.advice}"


@pytest.mark.parametrize("lag", [1, 7])
def test_the_days_of_an_alarm_are_those_it_speaks_of_and_not_its_mornings(lag):
    year = Year(9, days=80, features=1, labels=800, change=50, concept=0.8)
    seen = follow_version(observed(year), year.days[-1], Settings(label_delay_days=lag))
    calm = seen._disturbed()["calibration"]
    assert len(calm) == 80 - lag and abs(int(np.argmax(calm)) - 50) <= 1 and calm[52:].all()


def test_a_version_that_is_its_own_reference_counts_no_day_twice():
    year = Year(12, days=60, reference=14, features=1)
    seen = follow_version(
        Observed(dict(zip(year.days, year.scores[14:])), {}), year.days[-1], SETTINGS
    )
    asked = {q.stream.name: q.apart for q in seen.questions}
    assert len(asked["score"].before) == 28 and np.isnan(asked["score"].since[:28]).all()
    assert np.isfinite(asked["score"].since[28:]).all()
    assert seen.independence.figures["score"].n == 27 + 31


@pytest.mark.parametrize(("days", "asked"), [(0, set()), (1, set()), (13, set()), (14, {"score"})])
def test_short_logs_claim_nothing(days, asked):
    year = Year(10, days=max(1, days), reference=14, features=1)
    counts = dict(list(zip(year.days, year.scores[14:]))[:days])
    seen = follow_version(Observed(counts, {}), year.days[max(0, days - 1)], SETTINGS)
    assert (
        not seen.alarms and {q.stream.name for q in seen.questions if q.about != "volume"} == asked
    )


def test_without_labels_the_score_is_still_watched():
    year = Year(11, days=40, change=30, features=1, labels=0, prevalence=2.0)
    with_labels = Year(11, days=40, features=1)
    seen = follow_version(
        Observed(
            dict(zip(year.days, year.scores[91:])),
            dict(zip(year.reference, with_labels.scores[:91])),
        ),
        year.days[-1],
        SETTINGS,
    )
    assert "score" in {a.stream for a in seen.alarms} and np.isnan(seen.offset.value)


def registered(bench, days=40, per_day=150, start=date(2026, 1, 5)):
    "A workbench with a version trained on days of made events, and the events."
    frame = events(days=days, per_day=per_day, start=start)
    rows = pd.DataFrame(
        {"feature:x": frame.x, "label": frame.label, "event_date": pd.to_datetime(frame.day)}
    )
    with bench.store() as store:
        trained, held = train(rows, MODEL, "v1", rounds=5, holdout=0.5)
        register(store, trained, held, datetime(2026, 2, 20, tzinfo=UTC), "test")
        store.activate(datetime(2026, 2, 20, tzinfo=UTC), "test", MODEL, "v1", "first")
    return rows, trained


def live(bench, days=12, shift_from=6, start=date(2026, 2, 23), labels=True):
    frame = events(days=days, per_day=150, seed=3, start=start)
    moved = frame.day >= start + timedelta(shift_from)
    frame["x"] = frame.x + 3.0 * moved
    bench.log(frame)
    if labels:
        bench.label(frame, at=f"{start + timedelta(days)}T00:30:00Z")
    return frame


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    "A version whose feature moved, and the morning that was told of it; to be read only."
    bench = Bench(tmp_path_factory.mktemp("watched"))
    registered(bench)
    live(bench)
    morning(bench)
    return bench


@pytest.fixture
def alarmed(watched, tmp_path):
    "The same, to write to."
    return watched.copy_to(tmp_path)


def morning(bench, now=datetime(2026, 3, 7, 2, tzinfo=UTC)):
    settings = Settings(data=bench.data)
    run(bench.data, bench.root / "reports", now, settings, show="none", say=lambda _: None)


def test_a_table_says_how_far_each_feature_moved(watched):
    with open_snapshot(watched.data) as log:
        view = View(log, MODEL, date(2026, 3, 6))
        (row,) = tables.feature_table(view).frame.to_dict("records")
        (moved,) = view.drift.shifts
    change = f"{moved.effect:.1%} ({moved.lower:.1%} to {moved.upper:.1%})"
    assert (row["feature"], row["largest change"]) == ("x", change) and moved.effect > 0.5
    assert row["missing, recent / reference"] == "0.0% / 0.0%" and row["never seen"] == "0.0%"


def test_the_reference_is_how_training_rows_lie_in_their_bins(bench):
    rows, trained = registered(bench)
    with bench.store() as store:
        days, tables = store.reference_counts(MODEL, "v1")
    assert days == sorted(pd.to_datetime(rows.event_date).dt.date.unique())
    first = rows[rows.event_date == rows.event_date.min()]
    assert np.array_equal(
        tables["x"][0],
        np.bincount(
            bin_values(first["feature:x"], trained.card["bins"]["x"]) + 2,
            minlength=tables["x"].shape[1],
        ),
    )


def test_feature_counts_and_arrivals_equal_the_rows(bench):
    registered(bench)
    frame = live(bench, days=4)
    bench.ingest(datetime(2026, 2, 28, tzinfo=UTC))
    with bench.store() as store:
        days, tables = store.feature_counts(MODEL, "v1")
        bins = store.version(MODEL, "v1").card["bins"]["x"]
        for i, day in enumerate(days):
            expected = np.bincount(
                bin_values(frame.x[frame.day == day], bins) + 2, minlength=tables["x"].shape[1]
            )
            assert np.array_equal(tables["x"][i], expected[: tables["x"].shape[1]])
        of, arrived = store.arrivals(MODEL, days[-1])
    known = frame.groupby("day").label.agg(["sum", "size"])
    assert of == list(known.index)
    for day, labels, n in zip(of, arrived.labels.sum(axis=1), arrived.events.sum(axis=1)):
        # loaded when it was over, so that its labels are as old as they were when observed
        assert set(np.nonzero(labels)[0]) == {(date(2026, 2, 27) - day).days}
        positive, size = known.loc[day]
        assert n == size and labels.sum(axis=0).tolist() == [size - positive, positive]


def test_an_alarm_is_a_row_that_opens_goes_on_and_reaches_the_sink_once(bench):
    registered(bench)
    live(bench)
    settings = Settings(
        data=bench.data, case_file=bench.root / "cases.jsonl", case_max_age_hours=87600
    )
    now = datetime(2026, 3, 7, 2, tzinfo=UTC)
    for _ in range(2):
        run(bench.data, bench.root / "reports", now, settings, show="none", say=lambda _: None)
    with open_snapshot(bench.data) as log:
        rows = log.drift_events(MODEL)
    x = rows[rows.stream == "x"]
    assert (
        x.state.tolist()[0] == "opened"
        and set(x.state[1:]) == {"ongoing"}
        and x.event_id.nunique() == 1
    )
    assert (
        x.severity.iloc[-1] == "critical"
        and x.since.iloc[0].date() == date(2026, 3, 1)
        and x.event_date.is_unique
    )
    sent = [json.loads(line) for line in settings.case_file.read_text().splitlines()]
    drift = [s for s in sent if s["kind"] == "drift"]
    assert (
        sorted(s["case_id"] for s in drift) == sorted(rows.event_id.unique())
        and drift[0]["workflow"] == "review-drift"
    )
    why = f"{MOVED}not known, the log has no rows of {MODEL} from"  # the days of its training
    assert all(s["text"].count(why) == 1 for s in drift)


@pytest.mark.slow
def test_the_page_keeps_an_alarm_that_was_closed(bench):
    registered(bench)
    live(bench, days=9, shift_from=4)
    live(bench, days=16, shift_from=99, start=date(2026, 3, 4))
    run(
        bench.data,
        bench.root / "reports",
        datetime(2026, 3, 20, 2, tzinfo=UTC),
        Settings(data=bench.data),
        show="none",
        say=lambda _: None,
    )
    with open_snapshot(bench.data) as log:
        said = log.drift_events(MODEL)
        shut = said[(said.stream == "x") & (said.state == "closed")].event_date.iloc[0].date()
        assert "closed" not in str(tables.alarm_table(View(log, MODEL, shut - timedelta(1))))
        shown = (
            tables.alarm_table(View(log, MODEL, date(2026, 3, 19)))
            .frame.set_index("stream")
            .loc["x"]
        )
    assert (
        shown.severity == "closed"
        and f"to {shut:%d %b}" in shown["open since"]
        and shown["what moved"].startswith("Closed: the recent days of x no longer differ")
    )


def test_a_new_version_closes_the_alarms_of_the_old_one(alarmed):
    now = datetime(2026, 3, 7, 2, tzinfo=UTC)
    with alarmed.store() as store:
        before = store.drift_events(MODEL)
        year = Year(1, days=3, features=1)
        rows = event_rows(
            follow_version(observed(year), year.days[2], SETTINGS),
            MODEL,
            "v2",
            date(2026, 3, 7),
            before,
            now,
            now,
        )
    assert (
        len(rows)
        and (rows.state == "closed").all()
        and (rows.version == "v1").all()
        and "v2" in rows.text.iloc[0]
    )


def test_an_alarm_of_a_past_morning_is_what_was_known_then(bench):
    registered(bench)
    frame = live(bench, labels=False)
    bench.ingest(datetime(2026, 3, 7, tzinfo=UTC))
    as_of = datetime(2026, 3, 7, 12, tzinfo=UTC)
    day = date(2026, 3, 6)
    with bench.store() as store:
        card = store.version(MODEL, "v1").card
        then = drift_of(store, MODEL, "v1", day, SETTINGS, as_of, card)
    bench.label(frame, at="2026-03-08T00:00:00Z", label=1 - frame.label)
    bench.ingest(datetime(2026, 3, 8, tzinfo=UTC))
    with bench.store() as store:
        again, now = (drift_of(store, MODEL, "v1", day, SETTINGS, t, card) for t in (as_of, None))
    assert then.alarms == again.alarms and np.array_equal(
        then.followed.evidence, again.followed.evidence
    )
    assert "calibration" in {a.stream for a in now.alarms} - {a.stream for a in then.alarms}


def test_the_calendar_is_kept_in_the_trail_and_refuses_what_makes_no_sense(bench):
    registered(bench)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with bench.store() as store:
        key = store.annotate(
            now, "ana", date(2026, 3, 2), date(2026, 3, 4), "new cameras", "planned", mutes=True
        )
        with pytest.raises(StoreError, match="ends before"):
            store.annotate(now, "ana", date(2026, 3, 4), date(2026, 3, 2), "x", "y")
        with pytest.raises(StoreError, match="not known"):
            store.annotate(now, "ana", date(2026, 3, 4), date(2026, 3, 4), "x", "y", model="nobody")
        with pytest.raises(StoreError, match=key):
            store.strike(now, "ana", "C-99", "typo")
        assert store.calendar(MODEL).name.tolist() == ["new cameras"] and store.audit(key).new.iloc[
            0
        ].endswith("(muted)")
        store.strike(now + timedelta(hours=1), "ana", key, "postponed")
        assert (
            store.calendar().empty
            and len(store.calendar(as_of=now)) == 1
            and store.verify_audit() >= 2
        )


def alarms_sent(bench):
    "The messages about drift among those that were sent."
    path = bench.root / "cases.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if json.loads(line)["kind"] == "drift"]


def watched_or_not(bench, on, now):
    "The version is switched, and the next morning comes."
    with bench.store() as store:
        store.watch(now, "ana", MODEL, "v1", on, "new owner" if on else "retired")
    settings = Settings(data=bench.data, case_file=bench.root / "cases.jsonl")
    later = now.replace(hour=2) + timedelta(1)
    run(bench.data, bench.root / "reports", later, settings, show="none", say=lambda _: None)


def test_figures_of_a_version_that_is_switched_off_go_on_and_its_alarms_stop(alarmed):
    switched = datetime(2026, 3, 7, 6, tzinfo=UTC)
    day = switched.date()
    alarmed.log(frame := live_again(day))
    assert len(frame) == 300
    watched_or_not(alarmed, False, switched)
    with open_snapshot(alarmed.data) as log:
        view = View(log, MODEL, day)
        values = view.history(1).set_index("metric").value
        last = log.drift_events(MODEL).groupby("event_id").tail(1)
        assert values["predictions"] == 150 and values["latency_p95_ms"] > 0
        assert np.isnan(values["drift_alarms"]) and np.isnan(values["drift_gravity"])
        streams = log.metrics(MODEL, day, day, segment=None)
        assert (streams.metric == "drift_log10_evidence").any() and view.drift.found
        assert len(last) and (last.state == "closed").all()
        off = "not watched since 7 March 2026, by ana: retired"
        assert last.text.str.contains(off, regex=False).all()
        said = drift_headline(view)
        assert said.state == "unknown" and off in said.says
        assert "models watch late/v1 on" in said.advice
        assert off in watch_note(view).says
        assert entry(log, day, MODEL, switched + timedelta(1), SETTINGS)["figures"]["drift"] == (
            "not watched"
        )
    assert not alarms_sent(alarmed)
    watched_or_not(alarmed, True, switched + timedelta(1))
    with open_snapshot(alarmed.data) as log:
        assert log.drift_events(MODEL).state.iloc[-1] == "opened"
        assert View(log, MODEL, day + timedelta(1)).severity not in ("none", "unknown")
    assert alarms_sent(alarmed)


def live_again(start):
    "Two further days of events whose feature moved."
    frame = events(days=2, per_day=150, seed=4, start=start)
    return frame.assign(x=frame.x + 3.0)


def test_alarms_of_a_version_that_scores_no_more_are_closed_by_the_switch(alarmed, capsys):
    def switched(state):
        words = ("models", "watch", f"{MODEL}/v1", state, "--why", "retired")
        assert main([*words, "--data", str(alarmed.data)]) == 0
        with open_snapshot(alarmed.data) as log:
            return log.drift_events(MODEL)

    with open_snapshot(alarmed.data) as log:
        before = log.drift_events(MODEL)
    off = switched("off")
    assert len(off) == len(before) and (before.groupby("event_id").state.last() != "closed").all()
    assert (off.groupby("event_id").state.last() == "closed").all()
    assert off.text.iloc[-1].startswith("Closed: the version is not watched since ")
    assert off.equals(switched("off"))  # given again
    assert main(["drift", "list", "--data", str(alarmed.data)]) == 0
    assert "0 alarms are open" in capsys.readouterr().out
    with open_snapshot(alarmed.data) as log:  # what was said before is what it was
        assert log.drift_events(MODEL, as_of=before.recorded_at.max()).equals(before)
        day = before.event_date.max().date()
    settings, reports = Settings(data=alarmed.data), alarmed.root / "reports"
    run(alarmed.data, reports, off.recorded_at.max(), settings, days=[day], show="none")
    with open_snapshot(alarmed.data) as log:
        again = log.drift_events(MODEL)
        assert (again.groupby("event_id").state.last() == "closed").all()


def test_an_alarm_that_waits_for_a_sink_is_not_sent_after_the_switch(alarmed):
    watched_or_not(alarmed, False, datetime(2026, 3, 6, 23, tzinfo=UTC))  # nothing is due
    with open_snapshot(alarmed.data) as log:
        assert (log.drift_events(MODEL).state != "closed").all()
    assert not alarms_sent(alarmed)


def test_the_command_line_lists_alarms_and_keeps_the_calendar(alarmed, capsys):
    data = ["--data", str(alarmed.data)]
    assert main(["drift", "list", *data]) == 0
    assert "opened" in (out := capsys.readouterr().out) and "alarms are open" in out
    assert (
        main(["calendar", "add", "Easter", *data, "--from", "2026-04-03"]) == 1
        and "--why" in capsys.readouterr().err
    )
    assert (
        main(
            [
                "calendar",
                "add",
                "Easter",
                *data,
                "--from",
                "2026-04-03",
                "--to",
                "2026-04-06",
                "--mute",
                "--why",
                "nobody works",
            ]
        )
        == 0
    )
    assert main(
        ["calendar", "list", *data]
    ) == 0 and "Easter, muted" in capsys.readouterr().out.replace("\n", " ")
    assert main(["calendar", "remove", "C-1", *data, "--why", "they do"]) == 0
    capsys.readouterr()
    assert main(["calendar", "list", *data]) == 0 and "0 entries" in capsys.readouterr().out


def test_an_alarm_that_gets_graver_is_listed_again_and_one_that_goes_on_is_not(alarmed, capsys):
    said = ("opened medium", "ongoing low", "ongoing critical", "ongoing critical", "closed low")
    with alarmed.store() as store:
        last = store.drift_events(MODEL).tail(1)
        dates = {c: last[c].dt.date for c in ("since", "opened_on")}
        for i, (state, severity) in enumerate(map(str.split, said)):
            day = date(2026, 3, 8) + timedelta(i)
            told = {"state": state, "severity": severity, "title": f"now {severity}"}
            later = last.recorded_at + pd.Timedelta(hours=i)
            at = {"event_id": "D-made", "event_date": day, "recorded_at": later}
            store.add_drift_events(last.assign(**told, **at, **dates))
        store.publish()
    assert main(["drift", "list", "--data", str(alarmed.data), "--json"]) == 0
    listed = [r for r in json.loads(capsys.readouterr().out) if r["event_id"] == "D-made"]
    assert [r["state"] for r in listed] == ["opened", "graver", "closed"]
    assert listed[1]["title"] == "now critical" and listed[1]["event_date"] == "2026-03-10"


def test_the_command_line_names_what_tells_recent_days_from_training(bench, capsys):
    registered(bench)
    bench.log(events(days=40, per_day=150, start=date(2026, 1, 5)))  # what was trained on
    live(bench)
    bench.ingest(datetime(2026, 3, 7, 2, tzinfo=UTC))
    bench.publish()
    with open_snapshot(bench.data) as log:
        assert next(iter(explain_drift(log, MODEL, "v1", date(2026, 3, 6)).features)) == "x"
    explain = ["drift", "explain", "--data", str(bench.data), "--model", MODEL]
    assert main(explain) == 0
    out = capsys.readouterr().out
    assert (
        "1,050 events of the 7 days to 2026-03-06 told from 5,000 of training: AUC 0.9" in out
        and "x: mean contribution" in out
    )
    for more, why in (
        (["--without", "x"], "no feature of late/v1 is left"),
        (["--without", "y"], "y is no feature of late/v1: it has x"),
    ):
        assert main([*explain, *more]) == 1 and why in capsys.readouterr().err
    assert (
        main(["drift", "list", "--data", str(bench.data), "--without", "x"]) == 2
        and "No such option: --without" in capsys.readouterr().err
    )


def test_the_daily_record_holds_alarms_estimates_and_windows(bench):
    registered(bench)
    live(bench)
    run(
        bench.data,
        bench.root / "reports",
        datetime(2026, 3, 7, 2, tzinfo=UTC),
        Settings(data=bench.data, label_delay_days=2),
        show="none",
        say=lambda _: None,
    )
    with open_snapshot(bench.data) as log:
        rows = log.metrics(MODEL, date(2026, 3, 6), date(2026, 3, 6)).set_index("metric")
        figures, n = rows.value, rows.n
        streams = (
            log.metrics(MODEL, date(2026, 3, 6), date(2026, 3, 6), segment="stream=x")
            .set_index("metric")
            .value
        )
        windows = log.frame(
            "SELECT DISTINCT window_first, window_last FROM metrics "
            "WHERE metric = 'accuracy_week' AND event_date = DATE '2026-03-06'"
        )
        view = View(log, MODEL, date(2026, 3, 6), settings=Settings(label_delay_days=2))
        assert view.quality.degraded and view.labels.adjusted is None
        assert "14 are needed to see how fast labels arrive" in view.labels.not_adjusted
    assert (
        figures["degraded"] == 1
        and n["degraded"] == n["drift_alarms"] == n["drift_gravity"] == 150
        and figures["drift_alarms"] >= 1
        and figures["latency_p99_ms"] == pytest.approx(2, rel=0.03)
    )
    assert {
        "expected_accuracy_week",
        "decisions_manual",
        "ece",
        "log_loss",
        "precision_top_1pct",
    } <= set(figures.index)
    assert streams["drift_log10_evidence"] > 0 and abs(streams["drift_effect"]) > 0.2
    assert [d.date() for d in windows.iloc[0]] == [date(2026, 2, 28), date(2026, 3, 6)]


def with_features(bench, columns, start=date(2026, 1, 5), days=40):
    "A version trained on made events with more features."
    frame = events(days=days, per_day=60, start=start)
    rows = pd.DataFrame(
        {"feature:x": frame.x, "label": frame.label, "event_date": pd.to_datetime(frame.day)}
        | {f"feature:{k}": v(len(frame)) for k, v in columns.items()}
    )
    with bench.store() as store:
        trained, held = train(rows, MODEL, "v1", rounds=3, holdout=0.5)
        register(store, trained, held, datetime(2026, 2, 20, tzinfo=UTC), "test")
        store.activate(datetime(2026, 2, 20, tzinfo=UTC), "test", MODEL, "v1", "first")
    return trained


def log_features(bench, columns, days=8, start=date(2026, 2, 23)):
    from aiops_wb.log.spool import PredictionLogger

    frame = events(days=days, per_day=60, seed=3, start=start)
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as log:
        log.log(
            frame.score,
            frame["at"],
            prediction_id=frame.id,
            features=pd.DataFrame({"x": frame.x} | {k: v(len(frame)) for k, v in columns.items()}),
            latency_ms=2.0,
        )
    bench.ingest(datetime(2026, 3, 7, tzinfo=UTC))
    bench.publish()
    return View(open_snapshot(bench.data), MODEL, start + timedelta(days - 1))


def test_odd_features_are_watched_and_none_stops_the_day(bench):
    "All missing, constant, of a thousand values that become one, and named like our own streams."
    many = np.array([f"c{i:04d}" for i in range(300)])
    usual = {
        "gone": lambda n: np.full(n, None),
        "flat": np.zeros,
        "many": lambda n: np.random.default_rng(1).choice(many, n),
        "score": lambda n: np.random.default_rng(2).normal(size=n),
    }
    with_features(bench, usual)
    view = log_features(
        bench,
        usual
        | {
            "flat": lambda n: np.full(n, 99.0),
            "many": lambda n: np.full(n, "c0150"),
            "score": lambda n: np.random.default_rng(3).normal(4, 1, n),
        },
    )
    found = {a.stream for a in view.drift.alarms}
    assert (
        set(tables.stream_tables(view)[0].frame.stream[: len(found)]) == found
    )  # what is in alarm stands first
    assert {"flat", "many", "feature score"} <= found and "gone" not in found
    assert (
        not pd.concat([day_figures(view), drift_figures(view)])
        .duplicated(["segment", "metric"])
        .any()
    )


def test_features_named_like_columns_of_the_log_are_compared_with_training(bench):
    usual = {
        name: lambda n: np.random.default_rng(2).normal(size=n)
        for name in ("day", "points", "tenant")
    }
    with_features(bench, usual)
    log_features(bench, usual, days=40, start=date(2026, 1, 5))
    view = log_features(bench, usual | {"day": lambda n: np.random.default_rng(2).normal(5, 1, n)})
    found = explain_drift(view.reader, MODEL, "v1", view.day)
    assert (
        set(found.features) == {"x", "day", "points", "tenant"}
        and next(iter(found.features)) == "day"
        and found.auc.value > 0.9
    )


def test_since_of_labels_is_the_day_of_the_events_and_mutes_are_of_events():
    year = Year(12, days=60, change=30, features=1, labels=1500, concept=1.0)
    for lag in (1, 10):
        found = {
            a.stream: a
            for a in follow_version(
                observed(year), year.days[48], Settings(label_delay_days=lag)
            ).alarms
        }
        assert abs((found["calibration"].since - year.days[30]).days) <= 1
    short = Year(12, days=45, change=30, features=1, labels=1500, concept=1.0)
    seen = observed(short)
    muted = pd.DataFrame(
        {
            "first": [pd.Timestamp(short.days[30])],
            "last": [pd.Timestamp(short.days[44])],
            "mutes": [True],
            "name": ["a trial"],
        }
    )
    seen = Observed(
        seen.counts,
        seen.reference,
        seen.feature_days,
        seen.features,
        seen.reference_days,
        seen.reference_features,
        seen.bins,
        seen.latency,
        muted,
    )
    assert (
        "calibration"
        not in {a.stream for a in follow_version(seen, short.days[44], SETTINGS).alarms}
        and not follow_version(seen, short.days[44], SETTINGS).followed.open.any()
    )


@pytest.mark.parametrize(("concept", "costs"), [(0.8, True), (-0.8, False)])
def test_a_loss_that_rises_is_an_alarm_and_one_that_falls_is_none(concept, costs):
    year = Year(8, days=60, change=30, concept=concept, features=1)
    seen = follow_version(observed(year), year.days[-1], SETTINGS)
    loss = next(q for q in seen.questions if q.stream.name == "loss")
    newest = brier(year.scores[-2]).value  # labels are a day old
    assert loss.series[-1] == pytest.approx(newest, abs=1e-12)
    found = {a.stream: a for a in seen.alarms}
    assert "calibration" in found and ("loss" in found) == costs
    if costs:
        assert (
            found["loss"].kind == "concept"
            and "squared error of the scores rose by 0.0" in found["loss"].says()
        )


def test_a_loss_that_fell_while_its_alarm_is_held_is_said_so():
    worse, better = (
        Year(1, days=40, change=20, concept=c, features=1, labels=1500) for c in (0.8, -1.2)
    )
    worse.scores[91 + 22 :] = better.scores[91 + 22 :]
    alarm = {a.stream: a for a in follow_version(observed(worse), worse.days[28], SETTINGS).alarms}[
        "loss"
    ]
    assert (
        alarm.severity == "low"
        and alarm.effect == 0
        and alarm.says() == "the mean squared error of the scores is no longer higher"
    )


def test_few_labels_to_learn_from_and_many_to_follow_raise_no_false_alarm_of_loss():
    "The days' own effect must not be taken for chance: a squared error varies less than a hit."
    alarms, cells = 0, np.arange(-6000, 1001, 50)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tables = []
        for labels in [20] * 91 + [3000] * 150:
            shape = np.exp(-0.5 * ((cells / 1000 + 2.5 - rng.normal(0, 0.5)) / 0.5) ** 2)
            labelled = rng.multinomial(labels, shape / shape.sum())
            tables.append(
                ScoreCounts.of(
                    cells,
                    labelled,
                    labelled,
                    rng.binomial(labelled, 1 / (1 + np.exp(-cells / 1000))),
                )
            )
        days = [date(2026, 1, 5) + timedelta(i) for i in range(len(tables))]
        now, before = dict(zip(days[91:], tables[91:])), dict(zip(days[:91], tables[:91]))
        stream = loss_question(now, before, SETTINGS.drift_tolerance, 7, 1.0).stream
        alarms += follow([stream], 0.05).open.any()
    assert (
        alarms <= 3
    )  # P(more than 3 of 20 at 5 %) = 1.6 %; it was 9 when chance was taken for that of hits


def test_features_named_like_streams_keep_names_of_their_own():
    year = Year(5, days=3, features=3)
    for old, new in zip(list(year.features), ("loss", "feature loss", "x")):
        year.features[new] = year.features.pop(old)
    names = [
        q.stream.name for q in follow_version(observed(year), year.days[-1], SETTINGS).questions
    ]
    assert len(names) == len(set(names)) and {
        "loss",
        "feature loss",
        "feature feature loss",
        "x",
    } <= set(names)


@pytest.mark.parametrize(("labels", "flagged"), [(40, False), (4000, True)])
def test_a_loss_of_quality_needs_labels_to_be_sure(labels, flagged):
    "The same shares, of few and of many labels."
    points, n = np.array([-2000, 2000]), np.array([labels // 2, labels // 2])
    week = summary(ScoreCounts.of(points, n, n, np.array([0.2, 0.65]) * n), 0)
    assert bool(quality_losses(week, {"accuracy": 0.82, "roc_auc": 0.80, "brier": 0.16})) == flagged
    assert not quality_losses(week, {})
    stuck = summary(
        ScoreCounts.of(np.array([-2000]), [labels], [labels], [labels // 10]), 0
    )  # all scores alike: no interval, and no doubt
    assert bool(quality_losses(stuck, {"accuracy": 0.9, "roc_auc": 0.80, "brier": 0.16})) == flagged


def test_a_loss_of_quality_begins_where_it_is_said_to():
    "Accuracy by a tenth, ROC-AUC by .05, the Brier score by a quarter: from both sides."
    good = {"accuracy": Figure(0.9, 0.88, 0.92), "roc_auc": Figure(0.8, 0.78, 0.82)}
    base = {"accuracy": 0.9, "roc_auc": 0.8, "brier": 0.16}
    for name, value, flagged in (
        ("accuracy", 0.811, False),
        ("accuracy", 0.809, True),
        ("roc_auc", 0.7501, False),
        ("roc_auc", 0.7499, True),
        ("brier", 0.1999, False),
        ("brier", 0.2001, True),
    ):
        sure = Figure(value, value - 0.01, value + 0.01, 500)
        assert bool(quality_losses(good | {name: sure}, base)) == flagged, (name, value)
        doubtful = Figure(value, 0.0, 1.0, 500)
        assert not quality_losses(good | {name: doubtful}, base)


def test_scores_that_rise_with_their_labels_are_no_changed_concept():
    """More positives because the events are riskier.

    The positive rate is in alarm, and no alarm is called concept.
    """
    year, risky = Year(13, days=40, features=1, labels=1500), []
    from scipy.special import expit

    from bench.years import CELLS

    rng = np.random.default_rng(1)
    for i, c in enumerate(year.scores):
        if i < len(year.reference) + 25:
            risky.append(c)
            continue
        shape = np.exp(-0.5 * (CELLS / 1000 + 0.9) ** 2)
        labelled = rng.multinomial(1500, shape / shape.sum())
        risky.append(
            ScoreCounts.of(CELLS, labelled, labelled, rng.binomial(labelled, expit(CELLS / 1000)))
        )
    year.scores = risky
    kinds = {
        a.stream: a.kind for a in follow_version(observed(year), year.days[-1], SETTINGS).alarms
    }
    assert (
        kinds["positive rate"] != "concept"
        and kinds["score"] != "concept"
        and "calibration" not in kinds
    )


def test_an_early_row_or_a_long_silence_does_not_take_the_watch_away():
    year = Year(14, days=90, features=0, change=70, prevalence=2.0)
    counts = dict(zip(year.days, year.scores[91:]))
    for early in (date(1999, 1, 1), year.days[0] - timedelta(80)):
        seen = follow_version(
            Observed({early: year.scores[0]} | counts, {}), year.days[-1], SETTINGS
        )
        assert seen.days[0] == year.days[0] and "score" in {a.stream for a in seen.alarms}


def test_an_alarm_waits_for_a_sink_as_long_as_it_is_open_and_can_be_withdrawn(alarmed):
    now = datetime(2026, 3, 7, 2, tzinfo=UTC)
    with alarmed.store() as store:
        waiting = store.undelivered_drift(["file"])["file"]
        assert "x" in set(waiting.stream)
        closing = waiting[waiting.stream == "x"].assign(
            state="closed", recorded_at=now - timedelta(hours=5)
        )
        store.add_drift_events(closing)  # with a clock behind: still the latest word
        assert "x" not in set(store.undelivered_drift(["file"])["file"].stream)
        assert store.drift_events(MODEL).query("stream == 'x'").state.iloc[-1] == "closed"


def test_a_calendar_entry_can_be_taken_out_with_a_clock_behind(bench):
    registered(bench)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with bench.store() as store:
        key = store.annotate(now, "ana", date(2026, 3, 2), date(2026, 3, 2), "x", "y")
        store.strike(now - timedelta(days=1), "ana", key, "z")
        assert store.calendar().empty


def test_a_muted_morning_is_said_without_contradiction(bench):
    from aiops_wb.watch.headlines import drift_headline

    registered(bench)
    live(bench)
    bench.ingest(datetime(2026, 3, 7, tzinfo=UTC))
    with bench.store() as store:
        store.annotate(
            datetime(2026, 3, 7, tzinfo=UTC),
            "ana",
            date(2026, 3, 6),
            date(2026, 3, 6),
            "new cameras",
            "planned",
            mutes=True,
        )
        view = View(store, MODEL, date(2026, 3, 6), settings=SETTINGS)
        says = drift_headline(view)
        assert (
            view.drift.alarms
            and "mutes" in says.says
            and says.state == "ok"
            and view.drift.severity == "none"
        )


def test_a_snapshot_of_another_schema_is_refused_with_the_next_step(bench):
    import duckdb

    registered(bench)
    bench.publish()
    with duckdb.connect(str((bench.data / "aiops.duckdb").resolve())) as con:
        con.execute("DELETE FROM migrations WHERE version = (SELECT max(version) FROM migrations)")
    with pytest.raises(StoreError, match="run 'aiops-wb ingest' once"):
        open_snapshot(bench.data)


def test_each_version_is_judged_by_its_own_threshold(bench):
    registered(bench)
    frame = live(bench)
    from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

    with PredictionLogger(
        bench.data / "spool", MODEL, "other", threshold=0, flush_seconds=None
    ) as log:
        ids = log.log(frame.score, frame["at"], prediction_id=[f"o{i}" for i in range(len(frame))])
    with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
        log.log(ids, frame.label, "2026-03-07T00:00:00Z", predicted_at=frame["at"])
    bench.ingest(datetime(2026, 3, 7, tzinfo=UTC))
    with bench.store() as store:
        store.set_threshold(
            datetime(2026, 3, 7, 1, tzinfo=UTC), "ana", MODEL, "other", 16000, "never", logged=0
        )
        rows = tables.false_positive_table(View(store, MODEL, date(2026, 3, 6))).frame.set_index("")
    assert (
        rows.loc[f"{MODEL} other", "false positives"] == "0"
        and int(rows.loc[f"{MODEL} v1", "false positives"].replace(",", "")) > 0
    )
    labelled = rows.labelled[[f"{MODEL} {version}" for version in ("other", "v1")]]
    assert labelled.tolist() == [f"{7 * 150:,}"] * 2, "and by its own events"


def test_each_tenant_has_a_record_of_its_own(bench):
    from aiops_wb.log.spool import PredictionLogger

    frame = events(days=3, per_day=60, start=date(2026, 3, 2))
    for tenant, part in (("north", frame[::2]), ("south", frame[1::2])):
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, tenant=tenant, flush_seconds=None
        ) as log:
            log.log(
                part.score,
                part["at"],
                prediction_id=part.id,
                route="monitor",
                automated=tenant == "north",
                latency_ms=4.0,
            )
    bench.label(frame, at="2026-03-05T00:00:00Z")
    run(
        bench.data,
        bench.root / "reports",
        datetime(2026, 3, 6, 2, tzinfo=UTC),
        Settings(data=bench.data),
        show="none",
        say=lambda _: None,
    )
    with open_snapshot(bench.data) as log:
        of = lambda tenant: (
            log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4), tenant=tenant)
            .set_index("metric")
            .value
        )
        north, south, both = of("north"), of("south"), of("")
    day = frame[frame.day == date(2026, 3, 4)]
    assert north["predictions"] == south["predictions"] == 30 and both["predictions"] == 60
    assert north["tp"] + south["tp"] == both["tp"] and north["tp_week"] == int(
        (frame[::2].label & (frame[::2].score >= 0.5)).sum()
    )
    assert (
        north["decisions_manual"] == 0
        and south["decisions_manual"] == 30
        and len(day) == 60
        and north["latency_p50_ms"] == pytest.approx(4, rel=0.03)
    )
    own = {
        "mean_width",
        "narrow_share",
        "calibration_score",
        "ks",
        "ks_pvalue",
        "accuracy_drop",
        "drift_severity",
        "degraded",
        "brier",
        "log_loss",
        "automated_share",
    }
    assert own <= set(north.index) and north["calibration_score"] == both["calibration_score"]
    assert both["narrow_share"] * 60 == pytest.approx(
        30 * (north["narrow_share"] + south["narrow_share"])
    ) and both["mean_width"] * 2 == pytest.approx(north["mean_width"] + south["mean_width"])


def test_alarms_that_cannot_be_computed_cost_the_day_no_other_figure(bench, monkeypatch):
    frame = events(days=3, per_day=60, start=date(2026, 3, 2))
    bench.log(frame)
    bench.label(frame, at="2026-03-05T00:00:00Z")
    night = lambda show="none": run(
        bench.data,
        bench.root / "reports",
        datetime(2026, 3, 6, 2, tzinfo=UTC),
        Settings(data=bench.data),
        show=show,
        say=lambda _: None,
    )
    stored = lambda log: set(
        log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4), segment=None).metric
    )

    def broken(*_, **__):
        raise ZeroDivisionError("nothing to divide by")

    with monkeypatch.context() as patch:
        patch.setattr("aiops_wb.watch.model_day.drift_of", broken)
        ran = night()
        rows = _metric_rows(bench)
        night()
    assert ran.exit_code == 3 and all(
        "alarms are stored, which failed: ZeroDivisionError" in f.error for f in ran.figures
    )
    assert _metric_rows(bench) == rows  # the same again is not stored twice
    with open_snapshot(bench.data) as log:
        last = (
            log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4), segment=None)
            .set_index("metric")
            .value
        )
        assert {"precision", "latency_p95_ms"} <= stored(log) and np.isnan(
            last[["drift_alarms", "drift_gravity", "degraded"]]
        ).all()
        with monkeypatch.context() as patch:
            patch.setattr("aiops_wb.watch.model_day.drift_of", broken)
            named = entry(
                log,
                date(2026, 3, 4),
                MODEL,
                datetime(2026, 3, 6, 2, tzinfo=UTC),
                Settings(data=bench.data),
            )
        assert named["state"] == "ok" and named["figures"]["drift"] == "failed"
    assert night().exit_code == 0  # still due, and mended by now
    with open_snapshot(bench.data) as log:
        assert (
            log.metrics(MODEL, date(2026, 3, 4), date(2026, 3, 4))
            .set_index("metric")
            .value["drift_alarms"]
            == 0
        )


def _metric_rows(bench):
    with open_snapshot(bench.data) as log:
        return log.frame("SELECT count(*) AS n FROM metrics").n[0]


@pytest.mark.slow
def test_nights_whose_alarms_failed_are_made_up_for(bench, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("nothing to divide by")

    calm, found = Bench(tmp_path / "calm"), []
    nights = [datetime(2026, 3, 3 + night, 2, tzinfo=UTC) for night in range(5)]
    registered(bench)
    live(bench)
    morning(bench, nights[0])
    bench.copy_to(calm.root)
    for one in (calm, bench):
        for night, now in enumerate(nights[1:], 1):
            with monkeypatch.context() as patch:
                if one is bench and night in (1, 2, 3):
                    patch.setattr("aiops_wb.watch.model_day.drift_of", broken)
                run(
                    one.data,
                    one.root / "reports",
                    now,
                    Settings(data=one.data),
                    show="none",
                    say=lambda _: None,
                    days=[now.date() - timedelta(1)] if one is calm else None,
                )
        with open_snapshot(one.data) as log:
            found.append(
                log.drift_events(MODEL)[
                    ["event_id", "event_date", "stream", "state", "severity", "since", "opened_on"]
                ]
            )
    pd.testing.assert_frame_equal(*found)
    assert len(found[0]) > 5


def test_no_morning_depends_on_later_days():
    "What 60 days of questions say of the first 45 is what 45 days say of themselves."
    year = Year(15, days=60, features=2, labels=800, change=30, concept=0.6, shift=0.3, wobble=0.05)
    whole, part = (
        follow_version(observed(year, dict.fromkeys(year.days, 5.0)), year.days[d], SETTINGS)
        for d in (59, 44)
    )
    assert np.allclose(
        whole.followed.evidence[:45], part.followed.evidence, equal_nan=True
    ) and np.array_equal(whole.followed.open[:45], part.followed.open)


MORNING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import run
root = Path(sys.argv[1])
settings = Settings(data=root / "data", case_file=root / "cases.jsonl", case_max_age_hours=87600)
print("ready", flush=True)
sys.stdin.readline()
now = datetime(2026, 3, 7, 2, tzinfo=UTC)
run(root / "data", root / "reports", now, settings, show="none", say=lambda _: None)
"""


def _morning(bench, after=None):
    """Run the morning of ten due days in a process, killed after some seconds.

    How long it took, None when it was killed.
    """
    child = subprocess.Popen(
        [sys.executable, "-c", MORNING, str(bench.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()
    began = time.monotonic()
    try:
        _, said = child.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return None
    assert child.returncode == 0, said
    return time.monotonic() - began


def _left(bench):
    with open_snapshot(bench.data) as log:
        assert log.verify_audit() > 0
        drift, metrics = (
            log.drift_events(MODEL).drop(columns=["as_of", "recorded_at"]),
            log.metrics(MODEL, segment=None, tenant=None).drop(columns="as_of"),
        )
    sent = {
        json.loads(line)["case_id"]
        for line in (bench.root / "cases.jsonl").read_text().splitlines()
    }
    return (
        drift.sort_values(["event_date", "event_id"], ignore_index=True),
        metrics.sort_values(["event_date", "segment", "metric"], ignore_index=True),
        sent,
    )


@pytest.mark.slow
def test_a_morning_killed_at_any_moment_and_run_again_ends_as_a_calm_one(tmp_path):
    """Kills spread over the whole of a morning with alarms.

    No event or figure twice, all of them the same, every message sent.
    """
    first = Bench(tmp_path / "first")
    registered(first)
    live(first)
    copied = lambda name: Bench(Path(shutil.copytree(first.root, tmp_path / name)))
    calm = copied("calm")
    took, kills = _morning(calm), 0
    drift, metrics, sent = _left(calm)
    assert len(drift) and sent
    for i in range(12):
        bench = copied(str(i))
        kills += _morning(bench, after=took * (i + 0.5) / 12) is None
        kills += i % 3 == 0 and _morning(bench, after=took / 3) is None
        _morning(bench)
        again, figures, messages = _left(bench)
        assert not again.duplicated(["event_id", "event_date"]).any() and messages == sent
        pd.testing.assert_frame_equal(drift, again)
        pd.testing.assert_frame_equal(metrics, figures)
    assert kills >= 10
