"""Pages between the reports: what stands on them, values stay text, nothing is loaded."""

import json
import sys
from datetime import date
from urllib.parse import unquote

import pytest
from read_pages import held, links, text

from aiops_wb.render.engine import require_reports
from aiops_wb.render.frame import Link, failure_page
from aiops_wb.render.pages import (
    QUESTIONS,
    RENAMED,
    REPORTS,
    day_page,
    folder,
    folder_of,
    index_page,
    manifests,
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


def test_the_front_page_says_why_figures_changed_and_leads_to_the_report(tmp_path):
    lines = [{"of": "", "says": f"Precision: unknown {HOSTILE}."}]
    lines.append({"of": "1 Mar to 7 Mar against the days before", "says": "It fell by 5 points."})
    made = {"performance": report() | {"why": {"lines": lines}}, "drift": report()}
    failed = {"performance": report() | {"why": {"lines": lines}, "state": "failed"}}
    morning(tmp_path, late={"reports": made}, lost={"reports": failed})
    html = index_page(tmp_path)
    assert html == index_page(tmp_path) and HOSTILE not in html
    assert text(html).count("It fell by 5 points. 1 Mar to 7 Mar against the days before") == 1
    assert '<a href="2026-03-05/late/performance.html">1 Mar to 7 Mar' in html
    assert html.count('class="why"') == 2


def test_a_day_shows_every_question_and_leads_to_every_report(reports):
    html = (reports / "2026-03-05" / "index.html").read_text()
    held(html)
    assert all(question in text(html) for question in QUESTIONS.values())
    assert text(html).count("All is well. Do nothing.") == len(QUESTIONS)
    assert text(html).count("a picture") == len(QUESTIONS)
    for _, href in links(html):
        assert (reports / "2026-03-05" / href).exists(), href
    assert ("previous day", "../2026-03-04/index.html") in links(html)
    assert "next day" not in text(html)


def test_the_front_door_shows_the_newest_day_and_a_row_for_each(reports):
    html = (reports / "index.html").read_text()
    held(html)
    assert "The newest day. Everything on this page is as known on 2026-03-05 at 06:00 (UTC)." in (
        text(html)
    )
    assert text(html).count("12 alerts") == 2
    for _, href in links(html):
        assert (reports / href).exists(), href
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
        day_page(tmp_path, "2026-03-05", found["2026-03-05"], list(found)),
    ):
        held(html)
        assert text(html).count(HOSTILE) >= 8
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
    assert "This report failed; its page shows the traceback." in text(html)
    assert "The figures of this day failed: no such day" in text(html)
    assert "figures failed" in text(html)
    assert ("Drift: failed", "2026-03-05/late/drift.html") in links(html)
    assert text(html).count("a picture") == 1


def test_navigation_shows_titles_and_where_one_is():
    shown = navigation("late", "2026-03-05", list(QUESTIONS), "certainty")
    assert shown[:3] == (
        Link("All days", "../../index.html"),
        Link("2026-03-05", "../index.html"),
        Link("late"),
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
        for _, href in shown:
            assert (tmp_path / page_of).parent.joinpath(href).exists(), href
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
        html = (tmp_path / name).read_text()
        for _, href in links(html):
            assert (tmp_path / name).parent.joinpath(unquote(href)).exists(), href
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


def test_an_install_without_templates_writes_no_page(tmp_path, monkeypatch):
    "Figures alone need the core only; `require_reports` names the extra to whoever asks for more."
    monkeypatch.setitem(sys.modules, "jinja2", None)
    write_pages(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModuleNotFoundError, match="reports need jinja2"):
        require_reports()
