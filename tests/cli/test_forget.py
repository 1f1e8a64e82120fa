"""Somebody is planted everywhere, forgotten, and looked for in every byte and every value."""

import json
import os
import shutil
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import MODEL, events

from aiops_wb.cli import forget, main
from aiops_wb.cli.call import Call
from aiops_wb.config import Settings
from aiops_wb.log.acts import hand_in
from aiops_wb.log.outbox import Outbox
from aiops_wb.log.reason_files import OfDay
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import Store, open_store
from aiops_wb.render.archive import archive_reports
from aiops_wb.render.cases import write_cases
from aiops_wb.render.pages import write_pages
from aiops_wb.watch.cases import case_id

NAME, ID = "Zoë-Quetzalcoatl-7731", "pred-quetzal-000417"
OTHER = "somebody-else"
HEAD = "prediction_id,predicted_at,score,model,version,entity_id\n"
TOLD = (NAME, ID, "quetzal")
AT, NOW = datetime(2026, 3, 18, 9, tzinfo=UTC), datetime(2026, 3, 19, 12, tzinfo=UTC)


PLANTED = ("log/", "snapshots/", "catalog.duckdb", "rejected/", "spool/predictions/.")
PLANTED += ("spool/acts/", "outbox/", "contributions/", "cases.jsonl", "reports/")


def forms(name):
    "A name as it may stand in bytes."
    for text in (name, json.dumps(name)[1:-1], name.lower(), name.upper()):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
            yield text.encode(encoding)


def texts_of(path):
    "Every value of a table that a file holds, as text."
    if path.suffix == ".parquet":
        with suppress(duckdb.Error):  # a torn one has its bytes alone
            return [*map(str, duckdb.execute("FROM read_parquet(?)", [str(path)]).fetchall())]
        return []
    con = duckdb.connect(str(path), read_only=True)
    tables = "SELECT table_name FROM duckdb_tables()"
    named = [name for (name,) in con.execute(tables).fetchall()]
    told = [str(row) for name in named for row in con.execute(f'FROM "{name}"').fetchall()]
    con.close()
    return told


def where(folder, names=TOLD):
    "The files below a folder in which one of the names stands, by bytes or by value."
    wanted, found = [form for name in names for form in forms(name)], set()
    for place, _, files in os.walk(folder):
        for path in (Path(place, file) for file in files):
            data = path.read_bytes()
            values = texts_of(path) if path.suffix in (".parquet", ".duckdb") else ()
            if any(form in data for form in wanted) or any(
                name.lower() in text.lower() for text in values for name in names
            ):
                found.add(str(path.relative_to(folder)))
    return found


def logger(bench, **options):
    spool = bench.data / "spool"
    return PredictionLogger(spool, MODEL, "v1", threshold=0, flush_seconds=None, **options)


def given(bench, *arguments):
    folders = ["--data", str(bench.data), "--reports-dir", str(bench.root / "reports")]
    if (settings := bench.root / "aiops.toml").exists():
        folders += ["--config", str(settings)]
    return main([*arguments, *folders, "-q"])


@pytest.fixture
def planted(bench, monkeypatch):
    "A log in which somebody stands wherever anybody can."
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    cases = bench.data / "cases.jsonl"
    (bench.root / "aiops.toml").write_text(
        f'case_file = "{cases}"\nevents_to = ["file:{bench.data}/happened.jsonl"]\n'
    )
    bench.log(events(days=3, per_day=20, start=date(2026, 3, 16)), route="monitor")
    event = {"prediction_id": ID, "entity_id": NAME, "site_id": "north"}
    with logger(bench) as log:
        log.log(0.97, AT, features={"x": 1.0, "who": f"mail of {NAME}"}, route="ticket", **event)
        log.log(0.96, AT, prediction_id="other-1", entity_id=OTHER, route="ticket")
    assert given(bench, "cases", "send") == 0
    one = case_id("ticket", ID)
    assert given(bench, "cases", "acknowledge", one, "--why", "looked at") == 0
    spool = bench.data / "spool"
    (spool / "outcomes").mkdir(exist_ok=True)
    lines = [{"prediction_id": i, "label": 1, "observed_at": "2026-03-19T00:00:00Z"} for i in
             (ID, "other-1", "never-came-5521")]  # fmt: skip
    (spool / "outcomes" / "l.jsonl").write_text("".join(json.dumps(o) + "\n" for o in lines))
    rows = f"{ID},2026-03-18T09:00:00Z,0.2,{MODEL},v1,{NAME}\n"  # another score: a conflict
    rows += f"bad-1,2026-03-18T09:00:00Z,many,{MODEL},v1,{NAME}\n"
    (spool / "predictions" / f"{NAME}.csv").write_text(HEAD + rows)
    (spool / "predictions" / "torn.parquet").write_bytes(b"PAR1" + f"{NAME}\0".encode() * 9)
    (spool / "predictions" / "odd.csv").write_text(f"who,what\n{NAME},1\n{OTHER},2\n")
    hand_in(spool, "close", {"ids": [one], "why": f"called {NAME}"}, "ana", AT, "key")
    assert given(bench, "ingest") == 1
    hand_in(spool, "acknowledge", {"ids": [one], "why": f"called {NAME}"}, "ana", AT, "again")
    Outbox(bench.data).add(
        {"case_id": one, "sink": "file", "state": "failed", "detail": f"{NAME}?", "key": "k",
         "attempted_at": AT, "level": "HIGH"}
    )  # fmt: skip
    of = OfDay(MODEL, "v1", AT.date())
    for kind in ("contributions", "reasons"):
        path = of.path(bench.data, kind)
        path.parent.mkdir(parents=True)
        duckdb.execute(
            "COPY (SELECT unnest($ids) AS prediction_id, 3 AS c0) "
            f"TO '{path}' (FORMAT parquet, KV_METADATA {{about: '{{}}'}})",
            {"ids": [ID, "other-1"]},
        )
    day = bench.root / "reports" / "2026-03-18" / MODEL
    day.mkdir(parents=True)
    (day / "certainty.html").write_text(f"<td>{NAME.replace('ë', '&euml;')}</td><td>{ID}</td>")
    (day / "reasons.ipynb").write_text(json.dumps({"text": f"who\n{NAME} 0.97"}))
    (day / "drift.html").write_text("<p>nothing of them</p>")
    living = logger(bench)
    living.log(0.4, AT, prediction_id="open-1", entity_id=OTHER, features={"x": 2.0})
    living.log(0.4, AT, prediction_id=f"{ID}-open", entity_id=NAME, features={"x": 2.0})
    more = events(days=1, per_day=2, start=date(2026, 3, 18), seed=5)
    living.log(
        more["score"], more["at"], prediction_id=["open-2", f"{ID}-more"], entity_id=[OTHER, NAME]
    )
    living.secure()
    bench.living = living
    return bench


@pytest.mark.slow
def test_somebody_who_stood_everywhere_is_nowhere_and_does_not_come_back(planted, capsys):
    bench, before = planted, counts(planted)
    found = where(bench.root)
    for part in PLANTED:
        assert any(part in path for path in found), (part, found)
    assert given(bench, "forget", "--entity", NAME, "--dry-run") == 0
    assert "1 predictions" in capsys.readouterr().out and where(bench.root) == found
    assert given(bench, "forget", "--entity", NAME, "--why", "asked to", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert where(bench.root) == set(), told
    assert told["removed"]["predictions"] == told["removed"]["labels"] == 1
    sinks = [one["sink"].partition(" (")[0] for one in told["left_the_house"]]
    assert sorted(sinks) == ["events file:happened.jsonl", "file"]
    assert not told["audit_rows"] and not told["still_there"]
    assert counts(bench) == before
    assert "nothing of them" in next(bench.root.glob("reports/*/*/drift.html")).read_text()
    said = next(bench.root.glob("reports/*/*/certainty.html")).read_text()
    assert "aiops-wb daily --date 2026-03-18 --model late" in said
    assert where(bench.root, [OTHER])  # who is not meant stays
    with bench.store() as store:
        rows = store.verify_audit()
        last = store.audit().iloc[-1]
        assert last["what"] == "forgotten" and json.loads(last["evidence"])["removed"]["cases"] == 1
        assert len(store.handled_cases()) == 1
    assert given(bench, "forget", "--entity", NAME, "--why", "asked to") == 0
    assert "nothing was written" in capsys.readouterr().out

    bench.living.close()  # its process had the rows in its memory, and delivers them
    deliver(bench)
    assert where(bench.root)
    assert given(bench, "ingest") == 0
    out = capsys.readouterr().out
    assert "3 loaded" not in out and "2 loaded" in out and "5 forgotten and dropped" in out
    with bench.store() as store:
        assert store.verify_audit() == rows
        store.publish(1)
    assert where(bench.root) == set()
    new = bench.data / "spool" / "predictions" / "new.csv"
    new.write_text(HEAD + f"later,2026-03-19T12:00:01Z,0.2,{MODEL},v1,{NAME}\n")
    assert given(bench, "ingest") == 0 and "1 loaded" in capsys.readouterr().out
    assert where(bench.root, [NAME])  # what is made of them later is new
    assert given(bench, "forget", "--entity", NAME, "--also-future", "--why", "asked again") == 0
    assert where(bench.root) == set()
    (bench.data / "spool" / "predictions" / "new.csv").write_text(
        HEAD + f"later-2,2026-03-19T13:00:00Z,0.2,{MODEL},v1,{NAME}\n"
    )
    assert given(bench, "ingest") == 0 and "0 loaded" in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_of_cases_is_made_anew_without_them(bench, monkeypatch, capsys):
    "Of another case that was opened by what became of theirs, the name alone goes."
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    with logger(bench) as log:
        log.log(0.97, AT, prediction_id=ID, entity_id=NAME, site_id="north", route="ticket")
        log.log(0.96, AT, prediction_id="other-1", entity_id=OTHER, site_id="north", route="ticket")
    assert given(bench, "cases", "send") == 0
    assert given(bench, "cases", "comment", case_id("ticket", ID), "--text", f"is {NAME}") == 0
    with bench.store() as store:
        store._write("UPDATE cases SET text = 'Of past alerts one was " + NAME + "'")
        store.publish()
        write_cases(bench.root / "reports", store, Settings())
    assert {"reports/cases.html", "reports/cases.csv"} <= where(bench.root)
    assert given(bench, "forget", "--entity", NAME, "--why", "asked to") == 0
    assert where(bench.root) == set(), capsys.readouterr().out
    for page in ("cases.html", "cases.csv"):
        assert OTHER in (bench.root / "reports" / page).read_text()
    with bench.store() as store:
        assert store.cases().text.tolist() == ["Of past alerts one was (forgotten)"]


def counts(bench):
    "What is counted of each day."
    with bench.store() as store:
        return store._rows(
            """
            SELECT event_date, segment, points, sum(n), sum(n_labelled), sum(n_positive)
            FROM score_counts GROUP BY ALL ORDER BY ALL"""
        )


def deliver(bench):
    "Deliver rows of them once more: a prediction, a label, and one with a score that is none."
    spool = bench.data / "spool"
    rows = (f"{ID},2026-03-18T09:00:00Z,0.97,{MODEL},v1,\n",
            f"bad-2,2026-03-18T09:00:00Z,many,{MODEL},v1,{NAME}\n")  # fmt: skip
    (spool / "predictions" / "again.csv").write_text(HEAD + "".join(rows))
    label = {"prediction_id": f" {ID} ", "label": 0, "observed_at": "2026-03-19T01:00:00Z"}
    (spool / "outcomes" / "again.jsonl").write_text(json.dumps(label) + "\n")


DATE = " --date 2026-03-18"


def manifest(day, says):
    "A day's manifest as far as pages need one; what it says of a model."
    entry = {"state": "failed", "error": says, "reports": {}}
    known = {"as_of": "2026-03-19T05:00:00+00:00", "audit_rows": 7731, "audit_head": ""}
    return json.dumps(known | {"day": day, "batch": 3, "models": {MODEL: entry}})


def test_what_a_day_says_of_others_stays_on_its_page_and_on_the_front_page(bench, monkeypatch):
    "Whose id is a number is not any number."
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    with logger(bench) as log:
        log.log(0.97, AT, prediction_id="7731", entity_id=NAME)
    assert given(bench, "ingest") == 0
    reports = bench.root / "reports"
    says = {"2026-03-18": f"event 7731 of {NAME}, and of {OTHER}", "2026-03-17": "nobody"}
    for day, text in says.items():
        (reports / day).mkdir(parents=True)
        (reports / day / "manifest.json").write_text(manifest(day, text))
    write_pages(reports)
    pages = [reports / "index.html", reports / "2026-03-18" / "index.html"]
    pages.append(reports / "2026-03-18" / MODEL / "index.html")
    assert all(NAME in page.read_text() for page in pages)
    (of_model := pages[-1].with_name("drift.html")).write_text(f"<p>{NAME} drifts")
    with monkeypatch.context() as stopped:  # before they are made again
        stopped.setattr(forget, "write_pages", lambda *_: None)
        assert given(bench, "forget", "--entity", NAME, "--why", "asked to") == 0
    told = [f"<code>aiops-wb daily{of}<" for of in ("", DATE, f"{DATE} --model {MODEL}")]
    assert [of in page.read_text() for of, page in zip(told, pages)] == [True] * 3
    assert told[-1] in of_model.read_text()
    write_pages(reports)
    assert given(bench, "forget", "--prediction", "7731", "--why", "asked to") == 0
    assert where(reports, [NAME]) == set()
    document = json.loads((reports / "2026-03-18" / "manifest.json").read_text())
    assert document["models"][MODEL]["error"] == (
        f"event (forgotten) of (forgotten), and of {OTHER}"
    )
    assert document["audit_rows"] == 7731
    assert all(OTHER in page.read_text() for page in pages)
    assert (
        "2026-03-18" in pages[0].read_text()
        and "nobody" in (reports / "2026-03-17" / "index.html").read_text()
    )


def test_somebody_is_removed_from_archives_of_reports_and_others_stay(bench, monkeypatch):
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    with logger(bench) as log:
        log.log(0.97, AT, prediction_id="a-prediction", entity_id=NAME)
    assert given(bench, "ingest") == 0
    reports, says = bench.root / "reports", {"01": f"<p>{NAME} drifts", "02": "<p>nobody drifts"}
    for day, text in says.items():
        (place := reports / f"2026-03-{day}" / MODEL).mkdir(parents=True)
        (place / "drift.html").write_text(text)
        (place / "reasons.html").write_text(f"<p>reasons of {OTHER}")
    archive_reports(reports, AT.date())
    mine, others = (reports / f"2026-03-{day}" / "reports.zip" for day in says)
    before = others.read_bytes()
    killed = shutil.copy(mine, others.with_name(".reports.zip.tmp"))  # while it was written
    assert given(bench, "forget", "--entity", NAME, "--dry-run") == 0 and unpacked(mine, NAME)
    assert given(bench, "forget", "--entity", NAME, "--why", "asked to") == 0
    assert not killed.exists() and not unpacked(mine, NAME) and unpacked(mine, OTHER)
    assert others.read_bytes() == before
    assert "went with them" in (mine.parent / MODEL / "drift.html").read_text()
    assert "packed away" in (mine.parent / MODEL / "reasons.html").read_text()


@pytest.mark.slow
def test_an_archive_that_cannot_be_read_is_said_to_be_still_there(bench, monkeypatch, capsys):
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    with logger(bench) as log:
        log.log(0.97, AT, prediction_id="a-prediction", entity_id=NAME)
    assert given(bench, "ingest") == 0
    (place := bench.root / "reports" / "2026-03-01").mkdir(parents=True)
    (place / "reports.zip").write_bytes(b"no archive")
    assert given(bench, "forget", "--entity", NAME, "--why", "asked to") == 0
    assert "still there: " in (told := capsys.readouterr().out) and "cannot be read (File" in told


def unpacked(place, name):
    "Whether somebody stands in a file of an archive."
    with zipfile.ZipFile(place) as made:
        return any(name.encode() in made.read(one) for one in made.namelist())


def test_what_is_asked_for_is_said_and_checked_before_anything_is_done(bench, capsys):
    wrong = (
        ([], "name one: --entity ID or --prediction ID", 2),
        (["--entity", "a", "--prediction", "b"], "name one", 2),
        (["--prediction", "b", "--also-future"], "is about an entity", 2),
        (["--entity", " \n"], "name one", 2),
        (["--entity", "\udcff"], "an id is UTF-8", 2),
        (["--entity", "a"], "needs a reason", 1),
        (["--entity", "Zoe", "--why", "for Zoe"], "the reason names what is to be forgotten", 1),
        (["--entity", "a", "--model", "none", "--why", "w"], "model 'none' is not known", 1),
    )
    for arguments, said, code in wrong:
        assert given(bench, "forget", *arguments) == code
        assert said in capsys.readouterr().err
    assert not (bench.data / "pseudonyms.key").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["north", MODEL, "v1", "default"])
def test_somebody_called_as_a_model_or_a_site_takes_nobody_else_along(bench, monkeypatch, name):
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    cases = bench.data / "cases.jsonl"
    (bench.root / "aiops.toml").write_text(f'case_file = "{cases}"\n')
    with logger(bench) as log:
        for one, who in (("one-1", name), ("other-1", OTHER)):
            log.log(0.97, AT, prediction_id=one, entity_id=who, site_id="north", route="ticket")
    (bench.data / "spool" / "predictions" / "odd.csv").write_text(
        HEAD + "".join(f"bad,2026-03-18T09:00:00Z,many,{MODEL},v1,{OTHER}\n" for _ in range(2))
    )
    assert given(bench, "cases", "send") == 0 and given(bench, "ingest") == 0
    page = bench.root / "reports" / "2026-03-18" / MODEL / "drift.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>{name} fine</p>")
    assert len(cases.read_text().splitlines()) == 2
    living = logger(bench)
    living.log(0.4, AT, prediction_id="open-1", entity_id=name)
    living.secure()
    assert given(bench, "forget", "--entity", name, "--why", "asked to") == 0
    [line] = cases.read_text().splitlines()
    assert OTHER in line and name in page.read_text()
    with bench.store() as store:
        assert store._value("SELECT count(*) FROM quarantine WHERE reason <> 'forgotten'") == 2
        assert len(store.rows(MODEL, date(2026, 3, 18), date(2026, 3, 18))) == 1
    assert not [p for p in bench.data.rglob("*.open") if b"open-1" in p.read_bytes()]


def test_who_was_called_as_a_site_when_a_removal_began_is_so_when_it_goes_on(bench, monkeypatch):
    "The cases that knew of the site are gone by then."
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    with logger(bench) as log:
        event = {"entity_id": "north", "site_id": "north", "route": "ticket"}
        log.log(0.97, AT, prediction_id="a-prediction", **event)
    assert given(bench, "cases", "send") == 0
    (bench.data / "rejected").mkdir(exist_ok=True)
    (aside := bench.data / "rejected" / "odd.csv").write_text("who\nnorth\n")
    with monkeypatch.context() as stopped:
        stopped.setattr(Store, "make_anew", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert given(bench, "forget", "--entity", "north", "--why", "asked to") == 130
    assert given(bench, "forget", "--entity", "north", "--why", "asked to") == 0
    assert aside.read_text() == "who\nnorth\n"
    with bench.store() as store:
        assert list(store.audit().what).count("forgotten") == 1


def test_what_is_old_goes_and_its_counts_stay(bench, monkeypatch, capsys):
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    frame = events(days=3, per_day=6, start=date(2026, 3, 16))
    bench.log(frame)
    bench.label(frame, at="2026-03-19T00:00:00Z")
    bench.ingest(NOW)
    for day in ("2026-03-16", "2026-03-18"):
        (bench.root / "reports" / day).mkdir(parents=True)
        (bench.root / "reports" / day / "index.html").write_text("a page")
    before = counts(bench)
    asked = ("retention", "--days", "1", "--why", "as agreed")
    assert given(bench, *asked[:3], "--dry-run") == 0
    assert "would be removed: 12 predictions, 12 labels, 1 days of pages" in capsys.readouterr().out
    loud = ["--data", str(bench.data), "--reports-dir", str(bench.root / "reports")]
    for begun in (asked[:3], ("forget", "--entity", "north")):
        assert main([*begun, "--dry-run", "--json", *loud]) == 0
        assert json.loads(capsys.readouterr().out)["dry_run"], "a document and nothing else"
    assert given(bench, *asked) == 0
    assert "removed: 12 predictions, 12 labels, 1 days of pages" in capsys.readouterr().out
    assert counts(bench) == before
    with bench.store() as store:
        assert len(store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 20))) == 6
        assert store.audit().subject.iloc[-1] == "older than 2026-03-18"
        rows = store.audit_head()
    assert [p.name for p in bench.root.glob("reports/2*")] == ["2026-03-18"]
    old = frame[frame["day"] < date(2026, 3, 18)]
    bench.log(old)  # delivered again
    bench.label(old, at="2026-03-19T00:00:00Z")
    again = bench.ingest(NOW)
    assert (again.loaded, again.forgotten) == (0, 24)
    assert given(bench, *asked) == 0 and "nothing was written" in capsys.readouterr().out
    with bench.store() as store:
        assert store.audit_head() == rows


def test_the_log_of_a_removal_is_the_one_of_every_command(bench, monkeypatch, capsys):
    "Its spool may lie elsewhere, and a trail whose end was cut off gets no row."
    monkeypatch.setattr(Call, "now", lambda self: NOW)
    bench.log(events(days=1, per_day=6, start=date(2026, 3, 18)))
    far, anchor = bench.root / "far", bench.root / "anchor.jsonl"
    (bench.data / "spool").rename(far)
    told = f'spool = "{far}"\naudit_anchor = "{anchor}"\n'
    (bench.root / "aiops.toml").write_text(told)
    asked = ("forget", "--entity", "north", "--why", "asked to")
    assert given(bench, *asked) == 0
    assert "loaded" in capsys.readouterr().out, "what waits there is taken in before"
    assert not (bench.data / "spool").exists()
    rows = json.loads(anchor.read_text().splitlines()[-1])["rows"]
    assert rows > 0
    with open_store(bench.data, "test", spool=far) as store:
        store.con.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
    assert given(bench, "forget", "--entity", "south", "--why", "asked to") == 1
    assert f"speaks of {rows} rows of the audit trail" in capsys.readouterr().err
    with open_store(bench.data, "test", spool=far) as store:
        assert store.audit_head()[0] == rows - 1
