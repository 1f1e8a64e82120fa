"""Pages between the reports: what stands on them, values stay text, nothing is loaded."""

import json
import sys
from datetime import UTC, date, datetime
from urllib.parse import unquote

import pytest
from read_pages import held, links, lost, text

from aiops_wb.config import Settings
from aiops_wb.render.engine import require_reports
from aiops_wb.render.frame import Link, failure_page
from aiops_wb.render.front import STANDINGS, feed_of, front_rows, news
from aiops_wb.render.manifest import write_manifest
from aiops_wb.render.pages import (
    QUESTIONS,
    RENAMED,
    REPORTS,
    day_page,
    folder,
    folder_of,
    index_page,
    manifests,
    model_page,
    navigation,
    write_pages,
)

HOSTILE = "<script>alert('a & b')</script>"


def report(state="ok", **headline):
    "A report's entry of a manifest."
    shown = {"state": state, "says": "All is well.", "advice": "Do nothing."} | headline
    return {"state": "ok", "headline": shown}


def morning(reports, day="2026-03-05", **models):
    "Write a day's manifest, with a picture for every report that it names."
    entries = {
        name: {
            "state": "ok",
            "version": "v1",
            "threshold": "0.600",
            "window": "2026-03-01 to 2026-03-05",
            "figures": {"alerts": "12"},
            "line": "12 alerts",
        }
        | entry
        for name, entry in models.items()
    }
    document = {
        "day": day,
        "as_of": f"{day}T06:00:00+00:00",
        "batch": 3,
        "audit_rows": 2,
        "audit_head": "0123456789abcdef",
        "models": entries,
    }
    for model, entry in entries.items():
        for name in entry["reports"]:
            place = reports / day / folder(model)
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.html").write_text(failure_page(name, ""))
            (place / f"{name}.svg").write_text("<svg><text>a picture</text></svg>")
    (reports / day).mkdir(exist_ok=True)
    (reports / day / "manifest.json").write_text(json.dumps(document))


@pytest.fixture
def reports(tmp_path):
    "Two days of one model, everything made."
    for day in ("2026-03-04", "2026-03-05"):
        morning(tmp_path, day, late={"reports": {name: report() for name in QUESTIONS}})
    write_pages(tmp_path)
    return tmp_path


def test_the_page_of_a_model_says_why_figures_changed_and_leads_to_the_report(tmp_path):
    lines = [{"of": "", "says": f"Precision: unknown {HOSTILE}."}]
    lines.append({"of": "1 Mar to 7 Mar against the days before", "says": "It fell by 5 points."})
    made = {"performance": report() | {"why": {"lines": lines}}, "drift": report()}
    failed = {"performance": report() | {"why": {"lines": lines}, "state": "failed"}}
    morning(tmp_path, late={"reports": made}, lost={"reports": failed})
    by_day = manifests(tmp_path)
    html = model_page(tmp_path, "2026-03-05", "late", by_day)
    held(html)
    assert html == model_page(tmp_path, "2026-03-05", "late", by_day) and HOSTILE not in html
    assert text(html).count("It fell by 5 points. 1 Mar to 7 Mar against the days before") == 1
    assert '<a href="performance.html">1 Mar to 7 Mar' in html
    assert html.count('class="why"') == 2
    assert 'class="why"' not in model_page(tmp_path, "2026-03-05", "lost", by_day)


def test_a_day_shows_every_question_and_leads_to_every_report(reports):
    html = (reports / "2026-03-05" / "index.html").read_text()
    held(html)
    assert all(question in text(html) for question in QUESTIONS.values())
    assert text(html).count("All is well. Do nothing.") == len(QUESTIONS)
    assert text(html).count("a picture") == len(QUESTIONS)
    assert links(html) and not lost(reports / "2026-03-05" / "index.html")
    assert ("previous day", "../2026-03-04/index.html") in links(html)
    assert "next day" not in text(html)


def test_the_front_door_shows_the_newest_day_and_a_row_for_each(reports):
    html = (reports / "index.html").read_text()
    held(html)
    assert "The newest day. Everything on this page is as known on 2026-03-05 at 06:00 (UTC)." in (
        text(html)
    )
    assert text(html).count("12 alerts") == 2
    apart = "A dot is what one report found; a model's state at the top of this page weighs all"
    assert apart in text(html), "states of models and of reports are two vocabularies"
    assert links(html) and not lost(reports / "index.html")
    assert ("Retraining: fine", "2026-03-04/late/retrain.html") in links(html)


def test_before_the_first_report_the_front_door_says_what_to_do(tmp_path):
    html = index_page(tmp_path)
    held(html)
    assert text(html) == "No reports yet Log some predictions, then run aiops-wb daily."


def test_values_are_text_wherever_they_come_from(tmp_path):
    entry = {
        "version": HOSTILE,
        "threshold": HOSTILE,
        "figures": {HOSTILE: HOSTILE},
        "line": HOSTILE,
        "error": HOSTILE,
        "reports": {"drift": report(says=HOSTILE, advice=HOSTILE)},
    }
    morning(tmp_path, **{HOSTILE: entry})
    found = manifests(tmp_path)
    for html in (
        index_page(tmp_path),
        day_page(tmp_path, "2026-03-05", found),
        model_page(tmp_path, "2026-03-05", HOSTILE, found),
    ):
        held(html)
        assert text(html).count(HOSTILE) >= 8
    for html in (index_page(tmp_path), day_page(tmp_path, "2026-03-05", found)):
        assert any(href and folder(HOSTILE) in unquote(href) for _, href in links(html))
    assert "<" not in folder(HOSTILE)


def test_a_report_that_failed_says_why_on_a_page_of_its_own():
    links_above = navigation(HOSTILE, "2026-03-05", list(QUESTIONS), "drift")
    html = failure_page(f"{HOSTILE}: Drift", f"ValueError: {HOSTILE}\n  line 2", links_above)
    held(html)
    assert "This report failed." in text(html) and f"ValueError: {HOSTILE} line 2" in text(html)
    assert ("Certainty", "certainty.html") in links(html)


def test_what_failed_is_said_on_the_pages(tmp_path):
    broken = {"state": "failed", "error": "KeyError: 'x'", "headline": None}
    morning(
        tmp_path,
        late={"reports": {"drift": broken, "performance": report("look")}},
        never={"state": "failed", "error": "no such day", "reports": {}},
    )
    html = index_page(tmp_path)
    held(html)
    assert "actlateReports failed: Drift." in text(html)
    assert "actneverThe figures of this day failed: no such day" in text(html)
    assert "figures failed" in text(html) and "2 parts of the morning failed" in text(html)
    assert ("late: failed", "2026-03-05/late/index.html") in links(html)
    write_pages(tmp_path)
    of_model = (tmp_path / "2026-03-05" / "late" / "index.html").read_text()
    held(of_model)
    assert "This report failed; its page shows the traceback." in text(of_model)
    assert text(of_model).count("a picture") == 1
    of_other = (tmp_path / "2026-03-05" / "never" / "index.html").read_text()
    assert "The figures of this day failed: no such day" in text(of_other)


def test_navigation_shows_titles_and_where_one_is():
    shown = navigation("late", "2026-03-05", list(QUESTIONS), "certainty")
    assert shown[:3] == (
        Link("All days", "../../index.html"),
        Link("2026-03-05", "../index.html"),
        Link("late", "index.html"),
    )
    assert [link.text for link in shown[3:]] == [
        "Performance",
        "Drift",
        "Certainty",
        "Reasons",
        "Thresholds",
        "Retraining",
    ]
    assert [link.text for link in shown[3:] if not link.href] == ["Certainty"]


def test_reports_of_version_0_1_are_shown_under_their_new_names(tmp_path):
    of_that_time = ("performance", "drift", "conformal", "explain", "thresholds", "retrain")
    morning(tmp_path, late={"reports": {name: report() for name in of_that_time}})
    write_pages(tmp_path)
    for page_of, base in (("2026-03-05/index.html", ""), ("index.html", "2026-03-05/")):
        html = (tmp_path / page_of).read_text()
        shown = links(html)
        for old, new in RENAMED.items():
            assert (QUESTIONS[new], f"{base}late/{old}.html") in shown
        cards = [question for question, _ in shown if question in QUESTIONS.values()]
        assert cards == list(QUESTIONS.values())
        assert text(html).count("a picture") == 6
        assert not lost(tmp_path / page_of)
    assert ("Certainty: fine", "2026-03-05/late/conformal.html") in shown
    assert set(RENAMED.values()) <= set(REPORTS) and not set(RENAMED) & set(REPORTS)


BEFORE = {"Fraud": "Fraud", "fraud.v2": "fraud-v2-58bcd448", "late": "late"}
"The folders of models' pages as version 0.1 named them."


@pytest.mark.parametrize("model", BEFORE)
def test_pages_that_were_made_under_another_name_of_their_folder_are_led_to(tmp_path, model):
    morning(tmp_path, **{model: {"reports": {name: report() for name in QUESTIONS}}})
    day = tmp_path / "2026-03-05"
    (day / folder(model)).rename(day / BEFORE[model])
    morning(tmp_path, "2026-03-06", **{model: {"reports": {name: report() for name in QUESTIONS}}})
    write_pages(tmp_path)
    for name in ("index.html", "2026-03-05/index.html", "2026-03-06/index.html"):
        assert not lost(tmp_path / name)
    assert text((day / "index.html").read_text()).count("a picture") == 6
    assert folder_of(tmp_path, "2026-03-05", model) == BEFORE[model]
    assert folder_of(tmp_path, "2026-03-06", model) == folder(model)


def test_names_that_differ_in_case_or_in_how_they_are_composed_have_pages_of_their_own():
    names = ["Fraud", "fraud", "FRAUD", "caf\u00e9", "cafe\u0301", "..", "a/b", "%2e%2e", "con"]
    assert len({folder(name).lower() for name in names}) == len(names)
    assert [folder(name) for name in ("late", "fraud_2-b")] == ["late", "fraud_2-b"]


def test_only_the_days_given_and_their_neighbours_are_written(tmp_path):
    days = [str(date(2026, 3, n)) for n in range(1, 6)]
    for day in days:
        morning(tmp_path, day, late={"reports": {}})
    write_pages(tmp_path, ["2026-03-02"])
    written = [day for day in days if (tmp_path / day / "index.html").exists()]
    assert written == days[:3] and (tmp_path / "index.html").exists()


def test_a_manifest_that_cannot_be_read_is_left_out(reports):
    (reports / "2026-03-05" / "manifest.json").write_text("{")
    assert list(manifests(reports)) == ["2026-03-04"]
    assert all("2026-03-05" not in href for _, href in links(index_page(reports)))


@pytest.mark.parametrize("bad", ["2026-03-05", "2026-03-04"])
@pytest.mark.parametrize(
    "told",
    [
        {"timezone": "../../etc/passwd"},
        {"changes": [None]},
        {"feed": {"predictions": "never"}},
        {"triage": {"alarms": [{"id": []}]}},
        {"triage": []},
        {"reports": {"drift": report("odd")}},
    ],
)
def test_a_day_that_says_what_is_not_of_its_kind_costs_its_own_page_alone(tmp_path, bad, told):
    days = [f"2026-03-0{n}" for n in (3, 4, 5)]
    for day in days:
        of_model = told if day == bad and not told.keys() & {"timezone", "changes", "feed"} else {}
        morning(tmp_path, day, late={"reports": {"drift": report()}} | of_model)
    path = tmp_path / bad / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    with pytest.raises(Exception):  # noqa: B017 - whatever it was is told
        write_pages(tmp_path)
    made = {path.parent.name for path in tmp_path.glob("*/index.html")}
    assert made == set(days) - {bad}
    page = (tmp_path / "index.html").read_text()
    assert all(f"{day}/index.html" in page for day in days if day != bad)


def test_an_install_without_templates_writes_no_page(tmp_path, monkeypatch):
    "Figures alone need the core only; `require_reports` names the extra to whoever asks for more."
    monkeypatch.setitem(sys.modules, "jinja2", None)
    write_pages(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModuleNotFoundError, match="reports need jinja2"):
        require_reports()


ALARM = {
    "id": "D-1",
    "stream": "temp",
    "severity": "high",
    "says": "Temp: the share below 42.8 fell by 7.5 percentage points. Find out why.",
    "opened_on": "2026-03-05",
    "acknowledged": False,
}
CALM = {
    "alarms": [],
    "waiting": {},
    "promise": "kept",
    "labels_until": "2026-03-01",
    "usual": 900.0,
    "course": {"predictions": [910.0], "alerts": [4.0, None, 2.0, 3.0], "pr_auc_complete": []},
}


def on_front(reports, day="2026-03-05"):
    "The rows of the front page of a day."
    by_day = manifests(reports)
    before = next((by_day[d] for d in by_day if d < day), None)
    return front_rows(by_day[day], before, {}), news(by_day[day], before), by_day[day]


def well(**told):
    "A model of which every report is well."
    made = {"performance": report(advice="All hold."), "drift": report()}
    return {"reports": made, "triage": CALM | told}


def test_models_stand_worst_first_each_with_the_sentence_that_matters(tmp_path):
    low, seen = ALARM | {"severity": "low"}, ALARM | {"acknowledged": True}
    broken = report("look", says="The promise about tickets broke (found on 2026-03-04).")
    morning(
        tmp_path,
        good=well(),
        small=well(alarms=[low]),
        moved=well(alarms=[low, ALARM | {"id": "D-2"}]),
        known=well(alarms=[seen]) | {"reports": {"drift": report("look", says="It moved.")}},
        gone={"state": "silent", "alarm": "No prediction came.", "reports": {}, "line": ""},
        broke=well(promise="broken") | {"reports": {"certainty": broken}},
        young={"reports": {"performance": report("unknown", says="No label is known yet.")}},
        bare={"reports": {}},
    )
    rows, _, _ = on_front(tmp_path)
    assert [(row.model, row.state, row.says) for row in rows] == [
        ("moved", "act", "Temp: the share below 42.8 fell by 7.5 percentage points. "
         "1 more alarm is open."),
        ("broke", "act", "The promise about tickets broke (found on 2026-03-04)."),
        ("gone", "act", "No prediction came."),
        ("bare", "unknown", "No report was made of this day."),
        ("young", "unknown", "No label is known yet."),
        ("known", "watch", "It moved."),
        ("small", "well", "All hold."),
        ("good", "well", "All hold."),
    ]  # fmt: skip
    assert {row.state for row in rows} == set(STANDINGS)


def test_a_report_of_ones_own_counts_by_its_headline_and_stands_apart(tmp_path):
    own = {"state": "ok", "headline": None, "title": f"Ours {HOSTILE}", "question": "How <so>?"}
    looks = own | {"headline": {"state": "look", "says": "Look at it.", "advice": ""}}
    for name, one in (("quiet", own), ("looks", looks), ("lost", own | {"state": "failed"})):
        morning(
            tmp_path, late={"reports": {"drift": report(), "a%20b": one}}, other={"reports": {}}
        )
        by_day = manifests(tmp_path)
        row = front_rows(by_day["2026-03-05"], None, {})
        state = next(one.state for one in row if one.model == "late")
        assert state == {"quiet": "well", "looks": "watch", "lost": "act"}[name]
        html = model_page(tmp_path, "2026-03-05", "late", by_day)
        held(html)
        assert ("How <so>?", "a%2520b.html") in links(html) and HOSTILE not in html
        assert html.count("<svg><text>a picture") == 1, "another library's styles nothing else"
        assert html.count('<img alt="" src="data:image/svg') == (name != "lost")
    write_pages(tmp_path)
    for path in (tmp_path / "2026-03-05" / "late").glob("*.html"):
        assert not lost(path), path
    assert "a%20b" not in model_page(
        tmp_path, "2026-03-05", "late", manifests_without_title(by_day)
    ), "what is no report that anybody knows is left out"


def manifests_without_title(by_day):
    "The same days, as another tool might have written them."
    told = json.loads(json.dumps(by_day))
    del told["2026-03-05"]["models"]["late"]["reports"]["a%20b"]["title"]
    return told


def test_news_comes_first_among_models_and_among_the_alarms_of_one(tmp_path):
    old = ALARM | {"id": "D-1", "says": "Wind rose. Look.", "opened_on": "2026-03-01"}
    morning(tmp_path, "2026-03-04", many=well(alarms=[old, old | {"id": "D-2"}]), one=well(),
            two=well(alarms=[old]), half=well())  # fmt: skip
    morning(
        tmp_path,
        many=well(alarms=[old, old | {"id": "D-2"}]),
        one=well(alarms=[ALARM | {"id": "D-3", "severity": "medium"}]),
        two=well(alarms=[old, ALARM | {"id": "D-4"}]),
        half=well(alarms=[ALARM | {"id": "D-5", "severity": "low"}]),
    )
    rows, _, _ = on_front(tmp_path)
    told = [(row.model, row.state, row.new, row.open) for row in rows]
    assert told == [("two", "act", 1, 2), ("one", "act", 1, 1), ("many", "act", 0, 2),
                    ("half", "well", 1, 1)]  # fmt: skip
    assert rows[0].says.startswith("Temp: the share") and rows[2].says.startswith("Wind rose.")


def test_a_row_says_what_waits_and_draws_days_with_their_gaps(tmp_path):
    morning(tmp_path, late=well(waiting={"alert": 1, "ticket": 1200}, promise="none"))
    (row,) = on_front(tmp_path)[0]
    assert (row.waiting, row.promise, row.labels_until) == ("1,200 tickets, 1 alert", "-", (
        "2026-03-01"))  # fmt: skip
    (drawn,) = row.sparks
    assert drawn.path == "M0.0 2.0M64.0 22.0L96.0 12.0" and drawn.last == "3.00"


def test_a_long_sentence_is_cut_and_whole_ones_are_kept_as_they_fit(tmp_path):
    first = "It moved by 0.5 points."
    parts = [report("look", says=f"{first} {'b' * 300}."), report("look", says="a" * 300)]
    morning(tmp_path, **{f"m{i}": {"reports": {"drift": p}} for i, p in enumerate(parts)})
    says = {row.model: row.says for row in on_front(tmp_path)[0]}
    assert says["m0"].startswith(first) and len(says["m0"]) <= 200 and len(says["m1"]) == 200


def test_what_opened_closed_and_changed_since_the_morning_before_is_said(tmp_path):
    other = ALARM | {"id": "D-9", "says": "Wind rose. Look.", "opened_on": "2026-03-01"}
    morning(tmp_path, "2026-03-04", late=well(alarms=[other]))
    morning(tmp_path, late=well(alarms=[ALARM]))
    path = tmp_path / "2026-03-05" / "manifest.json"
    changed = {"what": "threshold", "subject": "late/v1", "old": "405", "new": None, "who": "ana"}
    document = json.loads(path.read_text()) | {"changes": [changed | {"why": HOSTILE}]}
    path.write_text(json.dumps(document))
    (row,), told, _ = on_front(tmp_path)
    assert (row.new, row.open) == (1, 1)
    assert [(one.kind, one.model, one.says) for one in told] == [
        ("opened", "late", "Temp: the share below 42.8 fell by 7.5 percentage points."),
        ("closed", "late", "Wind rose."),
        ("changed", "", "threshold of late/v1: taken back (before: 405), by ana: " + HOSTILE),
    ]
    write_pages(tmp_path)
    for name in ("index.html", "2026-03-05/index.html"):
        html = (tmp_path / name).read_text()
        held(html)
        assert "closed late: Wind rose." in text(html) and HOSTILE in text(html)
    page, path = (tmp_path / "2026-03-04" / name for name in ("index.html", "manifest.json"))
    document = json.loads(path.read_text())
    for told, says in (
        (document | {"changes": []}, ", and nothing that decides was changed."),
        ({k: v for k, v in document.items() if k != "changes"}, "was changed is not known."),
    ):
        path.write_text(json.dumps(told))
        write_pages(tmp_path)
        assert says in text(page.read_text())


def test_where_a_day_is_silent_or_failed_nobody_says_that_no_alarm_opened(tmp_path):
    silent = {"state": "silent", "alarm": "No prediction came. Ask.", "reports": {}, "line": ""}
    failed = {"state": "failed", "error": "no room", "reports": {}}
    for day, entry in (("2026-03-03", silent), ("2026-03-04", silent), ("2026-03-05", failed)):
        morning(tmp_path, day, late=entry)
    assert on_front(tmp_path, "2026-03-03")[1] == [
        ("2026-03-03", "opened", "No prediction came.", "late", "")
    ]
    assert on_front(tmp_path, "2026-03-04")[1] == [], "it is no news on the second day"
    write_pages(tmp_path)
    for name in ("index.html", "2026-03-04/index.html", "2026-03-05/index.html"):
        assert "Where figures of the day are known, no alarm opened" in text(
            (tmp_path / name).read_text()
        )


def test_the_feed_says_what_lies_aside_and_how_many_rows_are_missing(tmp_path):
    low, high, *usual = (CALM["course"] | {"predictions": [n]} for n in (300.0, 1801, 450, 1800))
    few, as_ever = ({"course": course} for course in usual)
    morning(tmp_path, late=well(course=low), loud=well(course=high), good=well(), half=well(**few),
            twice=well(**as_ever))  # fmt: skip
    path = tmp_path / "2026-03-05" / "manifest.json"
    came = {"predictions": "2026-03-05T06:00:00+00:00", "labels": None}
    came |= {"quarantined": 12, "unmatched": 0}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feed": came, "gone": ["A file."]}))
    said = feed_of(on_front(tmp_path)[2])
    assert said.says == ["last predictions 2026-03-05 06:00", "last labels never"]
    there = feed_of(on_front(tmp_path)[2] | {"timezone": "America/New_York"})
    assert there.says[0] == "last predictions 2026-03-05 01:00"
    assert said.problems == [
        "12 rows in quarantine",
        "late: 300 predictions, where 900 are usual",
        "loud: 1,801 predictions, where 900 are usual",
        "A file.",
    ]


def test_models_and_days_are_led_to_from_a_models_page(tmp_path):
    for day in ("2026-03-04", "2026-03-05"):
        morning(tmp_path, day, a=well(), b=well(), **({"c": well()} if day == "2026-03-05" else {}))
    write_pages(tmp_path)
    for model, near in (
        ("b", ["previous day", "previous model: a", "next model: c"]),
        ("c", ["previous model: b"]),
    ):
        here = tmp_path / "2026-03-05" / model
        html = (here / "index.html").read_text()
        held(html)
        shown = links(html)
        assert [words for words, href in shown if href and " " in words and words != "All days"][
            : len(near)
        ] == near
        assert not lost(here / "index.html")


def test_a_report_leads_to_itself_on_the_days_around_and_of_the_models_beside(tmp_path):
    "Once they are there: a report is made before the next day is, and led on when that comes."
    for day in ("2026-03-04", "2026-03-05", "2026-03-06"):
        made = {name: report() for name in ("performance", "drift")}
        some = {"performance": report()}
        morning(tmp_path, day, a={"reports": made}, b={"reports": made}, c={"reports": some})
        for page in tmp_path.glob(f"{day}/?/*.html"):
            around = navigation(page.parent.name, day, list(made), page.stem)
            page.write_text(failure_page("<nav>", "</nav> <nav>", around))
        write_pages(tmp_path, [day])
    drift = tmp_path / "2026-03-05" / "b" / "drift.html"
    shown = links(drift.read_text())
    held(drift.read_text())
    assert shown[:4] == [
        ("All days", "../../index.html"),
        ("2026-03-05", "../index.html"),
        ("b", "index.html"),
        ("Performance", "performance.html"),
    ]
    assert shown[4:] == [
        ("previous day", "../../2026-03-04/b/drift.html"),
        ("next day", "../../2026-03-06/b/drift.html"),
        ("previous model: a", "../a/drift.html"),
        ("next model: c", "../c/index.html"),  # it has no such report
    ]
    assert "</nav> <nav>" in text(drift.read_text())
    assert not any(lost(page) for page in tmp_path.rglob("*.html"))
    made_at = drift.stat().st_mtime_ns
    write_pages(tmp_path)
    assert drift.stat().st_mtime_ns == made_at, "what leads on as it did is not written again"


def test_a_hundred_models_are_one_small_page(tmp_path):
    says = "Of the predictions of the newest complete days 99 % are labelled. " * 5
    entry = well(alarms=[ALARM], course={"predictions": [], "alerts": [], "pr_auc_complete": []})
    entry["reports"]["performance"] = report("look", says=says)
    names = [f"a-model-of-a-usual-length-{i:03d}" for i in range(100)]
    morning(tmp_path, "2026-03-30", **dict.fromkeys(names, {"reports": {}} | entry))
    made = (tmp_path / "2026-03-30" / "manifest.json").read_text()
    for day in (f"2026-03-{i:02d}" for i in range(1, 30)):
        (tmp_path / day).mkdir()
        (tmp_path / day / "manifest.json").write_text(made.replace("2026-03-30", day))
    html = index_page(tmp_path)
    assert html.count("<tr data-state") == 100 and len(html.encode()) < 100_000
    held(html)


def test_a_manifest_names_the_commit_of_the_working_directory_where_it_is_of_a_repository(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    day, commit = date(2026, 3, 5), "0123456789" * 4

    def named():
        at = datetime(2026, 3, 6, 2, tzinfo=UTC)
        write_manifest(None, tmp_path, day, at, Settings(config="no file"), {})
        return manifests(tmp_path)[str(day)]["git"]

    assert named() is None
    for place in ("objects", "refs/heads"):
        (tmp_path / ".git" / place).mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git/refs/heads/main").write_text(f"{commit}\n")
    assert named() == commit
