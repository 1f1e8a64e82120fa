"""What a morning explains once: kept, and said by alarms; three cases; widths."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench
from test_explain import DAY, OF, alerts_of, live

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import _keep_reasons, _what_moved
from aiops_wb.log.calibrations import Interval
from aiops_wb.log.difference_files import read_differences, write_differences
from aiops_wb.log.errors import StoreError
from aiops_wb.log.feature_names import FeatureName
from aiops_wb.models.differences import Difference
from aiops_wb.models.explain import contributions
from aiops_wb.models.kept_differences import (
    _in_short,
    keep_differences,
    kept_shift,
    kept_width,
    shift_in_words,
    shift_of,
)
from aiops_wb.models.kept_reasons import kept_reasons
from aiops_wb.models.registry import load
from aiops_wb.models.shift_of_log import logged_shift, logged_width, shift_or_why
from aiops_wb.models.three_cases import Case, Step, chosen, three_cases
from aiops_wb.models.version import feature_columns
from aiops_wb.render.tables import Waterfall, reason_table, shift_table, width_table
from aiops_wb.watch.alarm_rows import MOVED, event_rows
from aiops_wb.watch.view import View

FIRST = date(2026, 2, 22)
DAYS = tuple(FIRST + timedelta(back) for back in range((DAY - FIRST).days))
WIDE = Interval(0.2, 0.9, 1000, DAYS)
NOW = datetime(2026, 3, 6, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("kept"))
    live(bench)
    with bench.store() as store:
        store.publish(2)
    return bench


@pytest.fixture
def store(log):
    with log.store() as opened:
        yield opened


def same(a, b):
    return a.says() == b.says() and a.parts.equals(b.parts) and (a.rows, a.days) == (b.rows, b.days)


def test_what_is_kept_is_what_was_made_and_is_made_once(store):
    assert kept_shift(store, OF) is None and kept_width(store, OF, WIDE) is None
    keep_differences(store, OF, None, WIDE)
    exact = shift_or_why(store, MODEL, "v1", DAY)
    assert same(kept_shift(store, OF), exact) and same(shift_of(store, OF), exact)
    width = kept_width(store, OF, WIDE)
    known = logged_width(store, MODEL, "v1", WIDE[:2], DAYS, near=60)
    assert repr(width) == repr(known) and same(width.between, known.between)
    path = OF.path(store.root, "differences").with_suffix(".json")
    made = path.stat().st_mtime_ns
    keep_differences(store, OF, None, WIDE)
    assert path.stat().st_mtime_ns == made
    assert kept_width(store, OF, WIDE._replace(lower=0.3)) is None  # of another event
    earlier = datetime(2026, 1, 1, tzinfo=UTC)  # of another log
    assert kept_shift(store, OF, earlier) is None
    for spoilt in ("", "{half", "[]"):
        path.write_text(spoilt)
        assert read_differences(store.root, OF) in (None, {}) and kept_shift(store, OF) is None
    keep_differences(store, OF)
    assert same(kept_shift(store, OF), exact) and not list(path.parent.glob(".*"))


def test_why_nothing_moved_is_kept_as_well(store):
    later = OF._replace(day=date(2027, 1, 1))
    keep_differences(store, later)
    assert "has no rows of late" in kept_shift(store, later)
    assert shift_in_words(store, later).startswith("not known, the log has no rows")


def test_a_reason_is_asked_again(store):
    "The version's file is put right within the same batch."
    before = OF._replace(day=DAY - timedelta(1))
    (file,) = store.root.glob("models/*/v1/model.ubj")
    whole = file.read_bytes()
    file.write_bytes(b"another")
    try:
        keep_differences(store, before)
        assert "is not the file that was registered" in kept_shift(store, before)
    finally:
        file.write_bytes(whole)
    keep_differences(store, before)
    assert isinstance(kept_shift(store, before), Difference)


def test_what_another_release_kept_is_made_again(store):
    keep_differences(store, OF, None, WIDE)
    told, exact = read_differences(store.root, OF), kept_shift(store, OF)
    more, less = told["shift"] | {"more": 1}, {"lower": 0.2}
    for other in ({"shift": more}, {"shift": 3}, {"width": less}, {"shift": {}, "width": {}}):
        write_differences(store.root, OF, told | other)
        assert same(shift_of(store, OF), exact)
        assert None in (kept_shift(store, OF), kept_width(store, OF, WIDE))
    keep_differences(store, OF, None, WIDE)
    assert read_differences(store.root, OF) == told


def test_the_events_nearest_to_each_end_are_read(store):
    near = 20
    told = logged_width(store, MODEL, "v1", (0.3, 0.8), DAYS, near=near)
    rows = store.rows(MODEL, *WIDE.span)
    version = load(store, MODEL, "v1")
    pushes = contributions(version, feature_columns(rows)).to_numpy()
    margin = pushes.sum(axis=1)
    ends = [np.log(p / (1 - p)) for p in (0.3, 0.8)]
    groups = [pushes[np.argsort(np.abs(margin - end), kind="stable")[:near]] for end in ends]
    assert told.between.rows == (near, near)
    distance = groups[1].sum(axis=1).mean() - groups[0].sum(axis=1).mean()
    assert told.between.total == pytest.approx(distance, abs=0.01)  # of equally near ones any
    assert told.between.what == "from its lower end to its upper" and "Off the ends" in told.says()
    beyond = logged_width(store, MODEL, "v1", (0.5, 1.0), DAYS, near=near).says()
    assert "few events make it wide" in beyond
    with pytest.raises(StoreError, match="of the days that the interval was calibrated on"):
        logged_width(store, MODEL, "v1", (0.3, 0.8), [date(2027, 1, 1)])


def alarm(severity="low", stream="x"):
    numbers = {"log10_evidence": 3.0, "effect": 0.1, "lower": 0.05, "unit": "of events"}
    words = {"says": lambda: f"{stream} moved", "advice": lambda: "Look."}
    told = {"stream": stream, "kind": "covariate", "severity": severity, "since": DAY}
    return SimpleNamespace(**told, **numbers, **words, muted=False)


def test_an_alarm_says_what_moved_when_it_opened_or_became_graver(store):
    def morning(severity, day, before, moved):
        drift = SimpleNamespace(alarms=[alarm(severity)], off=None, muted=[])
        rows = event_rows(drift, MODEL, "v1", day, before, NOW, NOW, moved)
        days = {c: pd.to_datetime(rows[c]) for c in ("since", "opened_on", "event_date")}
        return rows.assign(**days)

    opened = morning("low", DAY, pd.DataFrame(), "+0.10, most by x +0.10.")
    assert opened.text[0] == (
        f"X moved, most likely since {DAY}. Look.{MOVED}+0.10, most by x +0.10."
    )
    goes_on = morning("low", DAY + timedelta(1), opened, "not asked")
    assert goes_on.text[0].endswith("most by x +0.10.") and goes_on.state[0] == "ongoing"
    graver = morning("high", DAY + timedelta(2), goes_on, "+0.40, most by x +0.40.")
    assert graver.text[0].endswith(f"{MOVED}+0.40, most by x +0.40.")
    assert graver.text[0].count(MOVED) == 1
    old = opened.assign(text="Of a time before.")
    assert MOVED not in morning("low", DAY + timedelta(1), old, "").text[0]


def test_words_for_an_alarm_come_from_what_the_morning_kept(store):
    view = View(store, MODEL, DAY, settings=Settings())
    _keep_reasons(store, view)
    assert kept_shift(store, OF) is not None
    store.name_feature(NOW, "ana", MODEL, "x", "excess", "m", "asked for")
    exact = shift_or_why(store, MODEL, "v1", DAY)
    said = _what_moved(store, view)
    clear = exact.parts[(exact.parts.lower > 0) | (exact.parts.upper < 0)]
    row, how = exact.parts.iloc[0], "no part told from chance, the largest"
    if len(clear):
        row, how = clear.iloc[0], "most clearly by"
    name = "excess" if row.feature == "x" else row.feature
    first = f"{how} {name} {row.part:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})"
    assert said.startswith(f"{exact.total:+.2f} log-odds on average, {first}")
    for lower, words in ((-9.0, "no part told from chance, the largest"), (0.1, "most clearly by")):
        parts = exact.parts.assign(lower=lower, upper=9.0)
        assert words in _in_short(replace(exact, parts=parts), {})
    table = shift_table(exact, names={"x": FeatureName("excess")}).frame
    assert "excess" in set(table.feature) and "x" not in set(table.feature)
    elsewhere = SimpleNamespace(explains=False)
    assert "the version's file is not here" in _what_moved(store, elsewhere)


def told(*firsts, seconds=None):
    n = len(firsts)
    alerts = pd.DataFrame({"prediction_id": [f"p{i}" for i in range(n)]})
    reasons = pd.DataFrame({"reason_1": firsts, "reason_2": seconds or ["s"] * n})
    return alerts, reasons.assign(reason_3="t")


def test_three_alerts_are_chosen_by_a_rule():
    assert chosen(*told()) == {}
    assert list(chosen(*told("a"))) == [0] and list(chosen(*told("a", "a"))) == [0, 1]
    assert list(chosen(*told("a", "b", "c", "b", "b", "a"))) == [0, 5, 2]
    assert "first reason of 1 of 6 alerts" in chosen(*told("a", "b", "c", "b", "b", "a"))[2]
    seconds = ["x", "x", "y", "x", "x"]
    found = chosen(*told(*"aaaaa", seconds=seconds))
    assert list(found) == [0, 4, 2] and "rarest second reason" in found[2]
    assert list(chosen(*told(*"aaaaa"))) == [0, 4]  # nothing sets one apart


def test_steps_lead_from_the_start_to_the_score_that_was_logged(store):
    alerts = alerts_of(store).reset_index(drop=True)
    reasons, names = kept_reasons(store, OF, alerts), {"x": FeatureName("excess", "m")}
    cases = three_cases(store, OF, alerts, reasons, names, 400)
    assert len(cases) in (2, 3) and cases[0].score == pytest.approx(
        1 / (1 + np.exp(-alerts.points[0] / 1000))
    )
    for case in cases:
        assert case.start + sum(s.push for s in case.steps) == pytest.approx(case.end, abs=1e-6)
        assert 1 / (1 + np.exp(-case.end)) == pytest.approx(case.score, abs=1e-3)
        assert any("excess = " in step.words and step.words.endswith(" m") for step in case.steps)
    assert three_cases(store, OF, alerts.head(0), reasons.head(0), names, 400) == []


def test_the_ten_features_that_moved_scores_most_stand_above_the_sum_of_all():
    parts = pd.DataFrame({"feature": [*"abcdefghijk"], "part": 0.1, "lower": 0.05, "upper": np.nan})
    told = SimpleNamespace(first=0.5, parts=parts, total=1.2, residual=2e-9)
    rows = shift_table(told, names={"a": FeatureName("excess", "m")}).frame
    ends = ["all features", "scores moved by", "residual"]
    assert rows.feature.tolist() == ["excess", *"bcdefghij", *ends]
    assert rows.part.tolist() == ["+0.100"] * 10 + ["+1.100", "+1.200", "2e-09"]
    assert rows.upper.tolist() == ["-"] * 10 + [""] * 3


def test_a_waterfall_is_drawn_to_scale_and_says_what_it_draws():
    steps = (Step("a_b = 1 m", 2.0), Step("c < d", -1.0), Step("3 other features", 0.5, True))
    case = Case("The riskiest alert", "e1", 0.622, -1.0, steps, 0.5, 0.4)
    html = Waterfall.of(case)._repr_html_()
    assert "raised by a_b = 1 m (+2.00 log-odds), and lowered by c &lt; d (-1.00)" in html
    assert "a_<wbr>b = 1 m" in html and html.count("<tr>") == 5 and html.count("<svg") == 5
    box = re.compile(r'<rect x="([\d.]+)" y="0" width="([\d.]+)"')
    boxes = [box.findall(row) for row in html.split("<svg")[1:]]
    # 98 units are the range of all log-odds, from -1 to 1
    assert [threshold for threshold, _ in boxes] == [("69.40", "0.40")] * 5
    steps = ("0.25", "1.50"), ("1.00", "98.00"), ("50.00", "49.00"), ("50.00", "24.50")
    assert [box for _, box in boxes] == [*steps, ("73.75", "1.50")]
    lone = Case("It", "e1", 0.1, -1.0, (Step("3 other features", 0.5, True),), -0.5, 0.4)
    assert "No feature raised it" in lone.says()
    assert "score 0.622" in repr(Waterfall.of(case))


def test_the_first_200_stand_in_the_page_and_all_beside_it():
    n = 230
    alerts = pd.DataFrame({"prediction_id": [f"p{i}" for i in range(n)], "points": range(n, 0, -1)})
    alerts = alerts.assign(predicted_at=pd.Timestamp(NOW), entity_id="e", site_id="s")
    alerts = alerts.assign(probability=0.9, label=np.nan)
    reasons = pd.DataFrame({"reason_1": ["x"] * n, "value_1": 1.0, "push_1": 0.5, "rest": 0.1})
    reader = SimpleNamespace(feature_names=lambda *_: {})
    view = SimpleNamespace(reader=reader, model=MODEL, as_of=None)
    table = reason_table(view, alerts, reasons.assign(bias=-2.0), lambda row, names: "because")
    assert len(table.frame) == 200 and len(table.rows) == len(table.exact) == n
    assert table.csv().count("\r\n") == n + 1


def test_the_widest_interval_of_a_review_is_explained_in_the_page(store):
    view = View(store, MODEL, DAY, settings=Settings(narrow_width=0.001))
    alerts = view.tickets.alerts()
    wide = view.tickets.widest_review(alerts)
    reviews = alerts[alerts.route == "alert"]
    assert wide.width == pytest.approx(reviews.width.max())
    assert view.tickets.widest_review(alerts.head(0)) is None
    _keep_reasons(store, view)
    found = kept_width(store, OF, wide)
    frame = width_table(view, wide, found).frame.set_index("")[" "]
    assert frame["its ends"] == (found if isinstance(found, str) else found.says())
    assert "labelled events scored within 0.5 log-odds" in frame["events like it"]
    narrow = View(store, MODEL, DAY, settings=Settings(narrow_width=0.99))
    assert "no width to explain" in str(width_table(narrow, wide, None))
    assert "was not kept" in str(width_table(view, wide, None))
    assert "went to a person" in str(width_table(view, None, None))


def test_the_command_says_how_wide_and_why(log, capsys):
    with log.store() as store:
        riskiest = alerts_of(store).iloc[-1].prediction_id
    asked = ["explain", "--id", riskiest, "--data", str(log.data)]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["interval"]
    assert 0 <= told["lower"] <= told["upper"] <= 1
    assert (told["ends"] is not None) == (told["upper"] - told["lower"] >= 0.2)
    (log.root / "aiops.toml").write_text("narrow_width = 0.001\n")
    assert main([*asked, "--config", str(log.root / "aiops.toml")]) == 0
    out = capsys.readouterr().out
    assert "are positive, by" in out and "why so wide: " in out


def test_the_shift_of_a_page_is_that_of_the_command_by_fewer_events(store):
    "Both draw by the ids: nothing differs but how many."
    assert logged_shift(store, MODEL, "v1", DAY, most=200).says() == (
        shift_or_why(store, MODEL, "v1", DAY).says()
    )
