"""The pages of cases: what stands on them, whatever people and entities are called."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from read_pages import elements, held, links, text
from test_pages import morning, report

from aiops_wb.config import Settings
from aiops_wb.render import cases as of_cases
from aiops_wb.render.cases import write_cases
from aiops_wb.render.pages import cases_of, write_pages

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAY = date(2026, 3, 9)
EVIL = "=HYPERLINK(\"//x\")<script>alert('a & b')</script>\x1b[31m\r\nFORGED"
PLAIN = EVIL.replace("\x1b", " ").replace("\r\n", "  ")
OTHER = "a/b <i>"


def opened(model, rows, **told):
    "Rows of cases, one for each of some events."
    return pd.DataFrame(
        {
            "case_id": [f"T-{model[0].encode().hex()}{i:04x}" for i in range(len(rows))],
            "kind": "ticket",
            "state": "opened",
            "prediction_id": rows.id,
            "tenant": "default",
            "model": model,
            "version": "v1",
            "entity_id": [f"e{i}" for i in range(len(rows))],
            "site_id": "north",
            "predicted_at": rows["at"],
            "event_date": rows.day,
            "points": 700,
            "probability": [0.6 + 0.3 * i / len(rows) for i in range(len(rows))],
            "lower": 0.5,
            "upper": 0.7,
            "risk_level": "HIGH",
            "automated": True,
            "assignee": None,
            "role": "unassigned",
            "workflow": "w",
            "title": "Act",
            "text": "why",
            "reason": "risk HIGH",
            "reasons": "x = 3 (odds ×2.0)",
            "first_reason": "x",
            "opened_at": NOW,
            "batch_id": 1,
        }
        | told
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Two models; cases of one of them, the worst of which has names that are not harmless."
    bench = Bench(tmp_path_factory.mktemp("cases"))
    rows = events(days=9, per_day=3, start=DAY - timedelta(8))
    bench.log(rows)
    bench.log(rows[-3:].assign(id=[f"o{i}" for i in range(3)]), model=OTHER)
    bench.label(rows[:-3], "2026-03-09T12:00:00Z")
    bench.ingest(NOW)
    with bench.store() as store:
        evil = opened(MODEL, rows)
        last = evil.index[-1]
        columns = ["entity_id", "site_id", "assignee", "reasons", "title"]
        evil.loc[last, columns] = EVIL
        evil.loc[last, "risk_level"] = "CRITICAL"
        store._insert("cases", evil)
        one, two, three = evil.case_id[-3:]
        store.comment_on_cases(NOW, "ana", [three], "=1+1 <b>")
        store.close_cases(NOW, "<i>ana", [two], "a drill", "dismissed")
        store.mute(NOW, "ana", [one], DAY + timedelta(9), DAY, "known")
        sent = {"case_id": one, "sink": "webhook", "state": "failed", "detail": "x", "key": "k"}
        store.add_deliveries(pd.DataFrame([sent | {"attempted_at": NOW}]))
        store.publish()
    return bench, (one, two, three)


def written(bench, folder, **chosen):
    with bench.store() as store:
        write_cases(folder, store, Settings(data=bench.data, **chosen))
    return (folder / "cases.html").read_text(encoding="utf-8")


def test_a_page_tells_of_each_case_whose_it_is_and_what_came_of_those_like_it(made, tmp_path):
    bench, (one, two, three) = made
    page = written(bench, tmp_path, case_file=tmp_path / "sent.jsonl")
    held(page)
    rows = [e for e in elements(page) if e.tag == "tr"][1:]
    told = {e.find(".//input").get("value"): "".join(e.itertext()) for e in rows}
    assert len(told) == 21 and list(told)[0] == three, "seven days, the worst of the newest first"
    assert "CRITICAL" in told[three] and "calibrated 50% to 70%" in told[three]
    assert "ana: =1+1 <b>" in told[three] and "waits for the file" in told[three]
    assert "x = 3 (odds ×2.0)" in told[one] and "muted until 2026-03-18 by ana: known" in told[one]
    assert "webhook failed 2026-03-10 06:00Z" in told[one]
    assert "closed" in told[two] and "as dismissed by <i>ana, 2026-03-10: a drill" in told[two]
    assert "waits" not in told[two], "nothing is sent of a closed one"
    assert "5 at the site: " in told[one] and "positive" in told[one]
    said = text(page)
    assert "21 tickets and alerts since 2026-03-03" in said and "20 open, 1 closed" in said
    assert "6 cases of earlier days are open still" in said
    assert "As known on 2026-03-10 at 06:00 (UTC)." in said
    assert ("cases.csv", "cases.csv") in links(page)


def test_no_name_is_taken_for_markup_or_for_a_formula(made, tmp_path):
    bench, (*_, three) = made
    page = written(bench, tmp_path)
    tags = [e.tag for e in held(page)]
    assert tags.count("script") == 1 and "FORGED" in page
    raw = (tmp_path / "cases.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert [row["case_id"] for row in rows][0] == three and len(rows) == 21
    first = rows[0]
    assert first["entity_id"] == f"'{PLAIN}" and first["comment"] == "'=1+1 <b>"
    for row in rows:
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())
    assert first["probability"] == repr(0.6 + 0.3 * 26 / 27)
    assert rows[1]["similar"].count(";") == 4 and "positive" in rows[1]["similar"]


def test_each_of_several_models_has_a_page_that_says_when_there_is_nothing(made, tmp_path):
    bench, _ = made
    written(bench, tmp_path)
    own = (tmp_path / cases_of(MODEL)).read_text(encoding="utf-8")
    empty = (tmp_path / cases_of(OTHER)).read_text(encoding="utf-8")
    held(own), held(empty)
    assert ("../cases.csv", "../cases.csv") in [(href, href) for _, href in links(own)]
    assert "No ticket and no alert since 2026-03-03, and 3 predictions were looked at." in text(
        empty
    )
    assert "<table" not in empty and "Cases of a/b <i>" in text(empty)


def test_a_page_stays_light_and_says_what_it_leaves_to_the_file(made, tmp_path, monkeypatch):
    bench, (*_, three) = made
    monkeypatch.setattr(of_cases, "MOST_ROWS", 2)
    page = written(bench, tmp_path)
    assert page.count('type="checkbox"') == 2 and three in page
    assert "The newest 2 are on this page." in text(page)
    assert len((tmp_path / "cases.csv").read_text().splitlines()) == 22


def test_pages_lead_to_those_of_cases_where_there_are_any(made, tmp_path):
    bench, _ = made
    for day in ("2026-03-08", "2026-03-09"):
        morning(tmp_path, day, **{MODEL: entry(), OTHER: entry()})
    write_pages(tmp_path)
    index, of_day = tmp_path / "index.html", tmp_path / "2026-03-09" / "index.html"
    assert "cases" not in [said for said, _ in links(index.read_text())]
    written(bench, tmp_path)
    write_pages(tmp_path)
    of_model = next(tmp_path.glob(f"2026-03-09/{MODEL}/index.html"))
    for page in (index, of_day, of_model):
        found = [href for _, href in links(page.read_text()) if "cases" in href]
        assert found and all((page.parent / href.partition("#")[0]).resolve().exists()
                             for href in found)  # fmt: skip
    assert ("3 tickets", f"{cases_of(MODEL)}#state=open") in links(index.read_text())


def entry():
    triage = {"alarms": [], "waiting": {"ticket": 3}, "promise": "none", "labels_until": None}
    return {"reports": {"drift": report()}, "triage": triage | {"usual": None, "course": {}}}


def test_a_log_without_predictions_has_no_page_of_cases(bench, tmp_path):
    with bench.store() as store:
        write_cases(tmp_path / "reports", store, Settings(data=bench.data))
    assert not (tmp_path / "reports").exists()
