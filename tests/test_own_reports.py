"""Reports of one's own: in the night beside those of the package, on pages, by hand."""

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from browser import browser, needs_chromium
from conftest import MODEL, Bench, events
from read_pages import held, links, lost, text
from test_daily import notebook, short_reports

from aiops_wb import daily
from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.cli.run_report import _placed
from aiops_wb.config import NO_FILE, PRIVATE, Settings
from aiops_wb.daily import run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.named_files import page_instead
from aiops_wb.log.names import OF_DAY
from aiops_wb.render import pdf
from aiops_wb.render.archive import archive_reports
from aiops_wb.render.by_hand import values_given
from aiops_wb.render.frame import write_whole
from aiops_wb.render.front import feed_of
from aiops_wb.render.message import failures
from aiops_wb.render.own_jobs import given, variables
from aiops_wb.render.own_reports import (
    built_in_reports,
    find_reports,
    make_report,
    own_reports,
    report_named,
    reports_folder_of,
)
from aiops_wb.render.pages import QUESTIONS, write_pages

NOW = datetime(2026, 3, 6, 6, tzinfo=UTC)
DAY = date(2026, 3, 5)
ODD = "Größe <b> & 'so'"
EACH = "data = ''\nmodel = ''\nday = ''\nas_of = ''"
OF_ALL = "data = ''\nday = ''\ntop: int = 5  # 1..9, rows"

BESIDE = """import ours, pandas, json, sys
assert ours.FACTOR == 7 and 'planted' not in vars(pandas) and 'planted' not in vars(json)
from aiops_wb.watch.headlines import Headline
Headline("look", f"{model} {day} <i>{ours.FACTOR}</i>", "Look.")"""
"A report that takes a module beside it, and none that would stand in the place of another."

NONE_BESIDE = """import importlib.util
assert importlib.util.find_spec('ours') is None
print(model)"""

LATE = """import json, os
from pathlib import Path
from aiops_wb import open_snapshot
told = json.loads((Path(pages) / day / 'manifest.json').read_text())
assert {r['state'] for r in told['models']['late']['reports'].values()} == {'ok'}
assert len(told['models']['late']['reports']) == 6
runs = open_snapshot(data).runs().drop_duplicates('step', keep='last').set_index('step').state
assert runs['performance'] == runs['retrain'] == 'ok' and runs['late-one'] == 'begun', runs
assert os.environ['AIOPS_NARROW_WIDTH'] == '0.25'"""
"A report that finds all pages of the package there, and recorded, and the settings of the run."


def settings_of(bench, **more):
    told = {"reports_folder": bench.root / "ours", "narrow_width": 0.25} | more
    return Settings(data=bench.data, reports=bench.root / "reports", config=NO_FILE, **told)


def go(bench, now=NOW, say=lambda _: None, show="last", **more):
    told = settings_of(bench, **{k: more.pop(k) for k in ("report_timeout",) if k in more})
    return run(bench.data, bench.root / "reports", now, told, say=say, show=show, **more)


def fill(folder, pages):
    "A folder with reports of one's own, each in a way of its own, and modules beside them."
    folder.mkdir()
    notebook(folder / "helped.ipynb", BESIDE, EACH)
    notebook(folder / "broken.ipynb", "raise ValueError('no such <thing>')", EACH)
    notebook(folder / "hangs.ipynb", "import time\ntime.sleep(600)", OF_ALL)
    notebook(folder / "late-one.ipynb", LATE, f"{OF_ALL}\npages: str = {str(pages)!r}")
    notebook(folder / f"{ODD}.ipynb", "print(day)", OF_ALL)
    shutil.copy(folder / "helped.ipynb", folder / "drift.ipynb")
    notebook(folder / "wrong.ipynb", "1", "top: int = 'many'")
    (folder / "scratch.ipynb").write_text('{"cells": [], "nbformat": 4}')
    (folder / "ours.py").write_text("FACTOR = 7\n")
    for name in ("pandas", "json", "aiops_wb", "notebook"):
        (folder / f"{name}.py").write_text("planted = True\n")


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    "A log of five days, and its first run with reports of one's own; to be read only."
    bench = Bench(tmp_path_factory.mktemp("own"))
    frame = events(days=5)
    bench.log(frame, route="alert", automated=False)
    bench.label(frame, at="2026-03-05T12:00:00Z")
    fill(bench.root / "ours", bench.root / "reports")
    short = bench.root / "short"
    short.mkdir()
    said = []
    with pytest.MonkeyPatch.context() as patch:
        notebooks = short_reports(short, **dict.fromkeys(QUESTIONS, NONE_BESIDE))
        patch.setattr(daily, "report_notebooks", lambda: notebooks)
        ran = go(bench, say=said.append, report_timeout=8)
    return bench, ran, said


@pytest.fixture
def after(first_night, tmp_path, monkeypatch):
    "The same, to go on in: what failed and hung is gone, reports of the package are short."
    bench = first_night[0].copy_to(tmp_path)
    for name in ("broken", "hangs", "late-one", "wrong", "scratch", "drift"):
        (bench.root / "ours" / f"{name}.ipynb").unlink()
    notebooks = short_reports(tmp_path / "short")
    monkeypatch.setattr(daily, "report_notebooks", lambda: notebooks)
    return bench


def manifest(bench, day=DAY):
    return json.loads((bench.root / "reports" / str(day) / "manifest.json").read_text())


def test_one_that_fails_or_hangs_costs_those_of_the_package_nothing(first_night):
    _, ran, _ = first_night
    states = {r.name: r.state for r in ran.reports}
    assert [states[f"{DAY} {MODEL} {name}"] for name in QUESTIONS] == ["ok"] * 6, ran.reports
    assert states[f"{DAY} {MODEL} helped"] == states[f"{DAY} late-one"] == "ok", [
        r.error for r in ran.reports if r.error
    ]
    errors = {r.name: r.error for r in ran.reports if r.state == "failed"}
    assert "no such <thing>" in errors[f"{DAY} {MODEL} broken"]
    assert "took longer than 8 seconds" in errors[f"{DAY} hangs"]
    assert ran.exit_code == 3 and len(ran.reports) == 6 + 5 + 2


def test_what_is_no_report_is_named(first_night):
    bench, ran, said = first_night
    told = "\n".join(map(str, said))
    place = bench.root / "ours"
    assert (
        f"not a report: {place / 'scratch.ipynb'} has no cell that is tagged 'parameters'" in told
    )
    for name, why in (
        ("drift", "the package has a report 'drift': call it otherwise."),
        ("wrong", "top = 'many' is not allowed: a whole number is needed."),
    ):
        assert f"a report that cannot run: {place / name}.ipynb: {why}" in told
        assert any(why in (r.error or "") for r in ran.reports), "it fails the morning"


def test_how_each_ended_stands_in_the_log_and_in_the_manifest(first_night):
    bench, *_ = first_night
    with open_snapshot(bench.data) as log:
        runs = log.runs()
    last = runs.drop_duplicates(["model", "step"], keep="last").set_index(["model", "step"]).state
    assert last[MODEL, "helped"] == last["", "late-one"] == "ok"
    assert last[MODEL, "broken"] == last["", "hangs"] == "failed"
    told = manifest(bench)
    own = told["models"][MODEL]["reports"]
    assert set(own) == {*QUESTIONS, "helped", "broken"}
    assert own["helped"]["headline"]["says"] == f"{MODEL} {DAY} <i>7</i>"
    assert {r["state"] for r in told["reports"].values()} == {"ok", "failed"}
    assert "reports_folder" not in told["settings"], "places stay in the house"


def test_each_has_a_card_a_page_and_a_place_in_the_navigation(first_night):
    bench, *_ = first_night
    pages = bench.root / "reports"
    for place in ("index.html", f"{DAY}/index.html"):
        html = (pages / place).read_text()
        held(html)
        assert not lost(pages / place)
        assert f"{MODEL} {DAY} <i>7</i> Look." in text(html), "a card of the only model"
        assert "Reports of the day" in text(html) and ODD in text(html)
        assert "Reports failed: broken." in text(html), "one that failed needs somebody"
    model = pages / str(DAY) / MODEL
    html = (model / "index.html").read_text()
    assert ("helped", "helped.html") in links(html) and f"{MODEL} {DAY} <i>7</i>" in text(html)
    assert ("helped", "helped.html") in links((model / "drift.html").read_text())
    assert ("Drift", "drift.html") in links((model / "helped.html").read_text())
    of_day = pages / str(DAY) / OF_DAY
    html = (of_day / "late-one.html").read_text()
    assert any(label == ODD for label, _ in links(html)), links(html)
    for path in [*model.glob("*.html"), *of_day.glob("*.html")]:
        held(path.read_text())
        assert not lost(path), path
    assert "no such &lt;thing&gt;" in (model / "broken.html").read_text()


def test_who_is_told_of_failures_hears_of_these_as_well(first_night):
    bench, ran, _ = first_night
    told = [(item.says, item.model) for item in daily._failures(ran, DAY)]
    assert (f"the report broken of {MODEL}, {DAY}", MODEL) in told
    assert (f"the report hangs of {DAY}", "") in told
    of_pages = [(item.says, item.model) for item in failures(manifest(bench))]
    assert set(of_pages) <= set(told) and len(of_pages) == 2
    assert feed_of(manifest(bench)).problems[-1] == "2 parts of the morning failed"


def test_the_next_morning_makes_again_what_is_new_lost_or_failed_and_nothing_else(after):
    pages, ours = after.root / "reports" / str(DAY), after.root / "ours"
    nights = (NOW + timedelta(minutes=n) for n in range(1, 9))
    again = lambda: {r.name.split()[-1]: r.state for r in go(after, next(nights)).reports}
    notebook(ours / "new-one.ipynb", "print(model)", EACH)
    notebook(ours / "broken.ipynb", "print('mended')", EACH)
    (pages / MODEL / "helped.html").unlink()
    assert again() == dict.fromkeys(("new-one", "broken", "helped"), "ok")
    assert again() == {} and (pages / MODEL / "new-one.html").exists()
    later = {MODEL: DAY + timedelta(8)}
    with after.store() as store:
        store.con.execute("UPDATE runs SET state = 'failed' WHERE step = 'broken'")
        reports = own_reports(settings_of(after)).reports
        due = daily.own_unfinished(store, after.root / "reports", reports, later, NOW)
    assert due == [], "after a week it is left alone"


def test_one_whose_notebook_is_gone_stays_on_the_pages_of_its_days(after):
    for path in (after.root / "ours").glob("*.ipynb"):
        path.unlink()
    ran = go(after, NOW + timedelta(1), days=[DAY])  # its manifest is written anew
    assert len(ran.reports) == 6 and ran.exit_code == 0
    own = manifest(after)
    assert "helped" in own["models"][MODEL]["reports"] and "late-one" in own["reports"]
    pages = after.root / "reports"
    write_pages(pages)
    html = (pages / str(DAY) / "index.html").read_text()
    assert f"{MODEL} {DAY} <i>7</i>" in text(html) and "late-one" in text(html)
    assert not lost(pages / str(DAY) / "index.html")
    assert archive_reports(pages, DAY + timedelta(2)) == []
    packed = (pages / str(DAY) / OF_DAY / "late-one.html").read_text()
    assert "--date 2026-03-05</code>" in packed and not lost(
        pages / str(DAY) / OF_DAY / "late-one.html"
    )


def test_the_page_in_the_place_of_one_that_went_names_no_model_where_there_is_none():
    assert "--model late" in page_instead(("2026-03-05", "late", "helped.html"))
    assert "--model" not in page_instead(("2026-03-05", OF_DAY, "late-one.html"))


def test_a_folder_or_a_module_that_everybody_may_write_to_is_not_run(tmp_path):
    notebook(tmp_path / "one.ipynb", "1", EACH)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ours.py").write_text("")
    os.chmod(tmp_path, 0o755)
    assert [one.name for one in find_reports(tmp_path).reports] == ["one"]
    for path in (tmp_path / "lib" / "ours.py", tmp_path / "lib", tmp_path / "one.ipynb", tmp_path):
        before = path.stat().st_mode
        os.chmod(path, before | 0o002)
        found = find_reports(tmp_path)
        assert found.reports == () and f"chmod o-w {path}" in found.wrong[0]
        os.chmod(path, before)


def test_which_folder_is_that_of_ones_own(tmp_path, monkeypatch):
    checkout = Path(__file__).parent.parent / "nbs" / "reports"
    assert reports_folder_of(Settings(config=NO_FILE)) == checkout
    assert own_reports(Settings(config=NO_FILE)).reports == (), "those of the package are none"
    named = Settings(config=NO_FILE, reports_folder=tmp_path / "none")
    assert (
        "none is not there: 'aiops-wb reports new NAME' makes it" in own_reports(named).left_out[0]
    )
    monkeypatch.setattr("aiops_wb.render.own_reports._place", lambda: tmp_path)  # installed
    assert reports_folder_of(Settings(config=NO_FILE)) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("PR by Site", "such as pr-by-site; --title may say anything"),
        ("../up", "such as up"),
        ("a.b", "such as a-b"),
        ("", "cannot be called ''"),
        ("drift", "the package has a report 'drift'"),
        ("explain", "the package has a report 'explain'"),
        ("figures", "other pages or runs are called 'figures'"),
        ("index", "other pages"),
        ("drift-all", "other pages"),
        ("x-by-hand", "other pages"),
    ],
)
def test_a_new_one_is_called_as_nothing_else_is(tmp_path, name, says):
    with pytest.raises(StoreError) as error:
        make_report(tmp_path, name)
    assert says in str(error.value) and not list(tmp_path.iterdir())


def test_one_that_cannot_be_read_costs_the_others_nothing(tmp_path):
    "Whatever is written in it, and whatever its file is called."
    notebook(tmp_path / "good.ipynb", "1", OF_ALL)
    for n, source in enumerate(("x = 1\0", f"x = {'-' * 5_000}1", "x: int = {(1, 2): 3}")):
        notebook(tmp_path / f"bad{n}.ipynb", "1", source)
    shutil.copy(tmp_path / "good.ipynb", os.fsencode(tmp_path) + b"/\xff.ipynb")
    title = (tmp_path / "good.ipynb").read_text().replace("top", "\\ud800")
    (tmp_path / "half.ipynb").write_text(title)
    found = find_reports(tmp_path)
    assert [one.name for one in found.reports] == ["good"] and len(found.wrong) == 5
    assert all(sentence.encode() for sentence in found.wrong)
    with pytest.raises(StoreError, match=r"cannot run: .*bad0.ipynb: the cell tagged"):
        report_named("bad0", found.reports, found.wrong)


def test_what_stands_beside_a_page_goes_with_it_byte_for_byte(tmp_path):
    page, out = tmp_path / "made" / "x.html", tmp_path / "out" / "x.html"
    write_whole(page, "<p>")
    write_whole(page.with_suffix(".csv"), 'a,b\r\n"1\r2",\r\n')
    assert _placed(page, out, "") == out
    assert out.with_suffix(".csv").read_bytes() == page.with_suffix(".csv").read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_whole(out.with_name("y.html"), "\ud800")
    assert {path.name for path in out.parent.iterdir()} == {"x.html", "x.csv"}


def test_a_title_is_what_it_says(tmp_path):
    told = json.loads(make_report(tmp_path, "one", title="{data} <b>").read_text())
    assert told["cells"][0]["source"][0] == "# {data} &lt;b&gt;\n"
    with pytest.raises(StoreError, match="the title is no text in UTF-8"):
        make_report(tmp_path, "two", title="\udcff")
    assert [path.name for path in tmp_path.iterdir()] == ["one.ipynb"]


def house(bench):
    "A file of settings, and a command in this process at the time of the night."
    (bench.root / "aiops.toml").write_text('reports_folder = "ours"\n')

    def give(*words):
        return main([*words, "--data", "data", "--reports-dir", "reports"])

    return give


@pytest.fixture
def give(after, monkeypatch):
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    monkeypatch.chdir(after.root)
    return house(after)


@pytest.fixture
def ask(first_night, monkeypatch):
    "A command that is refused, in the folder of the first night."
    monkeypatch.chdir(first_night[0].root)
    return house(first_night[0])


def test_from_a_template_to_a_page_by_hand(give, after, capsys):
    assert give("reports", "new", "worth-it", "--title", "Is it <i>worth</i> it?") == 0
    said = capsys.readouterr().out
    assert "ours/worth-it.ipynb is there" in said and "'aiops-wb reports run worth-it'" in said
    assert give("reports", "new", "worth-it") == 1
    assert "is there already: nothing was written" in capsys.readouterr().err
    assert give("reports", "run", "worth-it", "-p", "top=3", "--day", "2026-03-04") == 0
    page = after.root / "reports" / "2026-03-04" / MODEL / "worth-it-by-hand.html"
    assert f"open {page.relative_to(after.root)}" in capsys.readouterr().out
    html = page.read_text()
    held(html)
    assert "Is it <i>worth</i> it?" in text(html) and "The 3 highest scores" in text(html)
    assert "Precision is" in text(html)
    assert not (after.root / "ours" / "__pycache__").exists(), "nothing is written there"


def test_one_of_a_day_goes_where_it_is_told_and_nothing_else_does(give, after, capsys):
    assert give("reports", "new", "too-many", "--per", "day") == 0
    out = after.root / "ours" / "too-many.html"
    before = (after.root / "ours" / "too-many.ipynb").read_text()
    told = ["-p", "most=1", "-p", f"as_of={NOW.isoformat()}", "--out", str(out)]
    assert give("reports", "run", "too-many", *told) == 0
    assert "That is more than 1" in text(out.read_text())
    assert (after.root / "ours" / "too-many.ipynb").read_text() == before
    assert (
        not lost(out) and not (after.root / "reports" / "2026-03-05" / "+day" / out.name).exists()
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-p", "top=abc"], "top = 'abc' is not allowed: a whole number from 1 to 9 is needed."),
        (["-p", "tip=3"], "there is no parameter 'tip': did you mean 'top'?"),
        (["-p", "top"], "-p 'top' is not NAME=VALUE."),
        (["-p", "top=1", "-p", "top=2"], "top is given twice, as 1 and 2."),
        (["-p", "data=x"], "data is not given so: it is the data folder, --data."),
        (["-p", "day=2026-03-04", "--day", "2026-03-05"], "day is given twice"),
        (["-p", "day=soon"], "'soon' is not a day such as 2013-04-01."),
        (["--model", "late"], "late-one runs once a day, of no model: leave --model out."),
        (["--day", "2027-01-01"], "the log has no predictions on 2027-01-01: it has 2026-03-01 to"),
        (["--out", "x.pdf"], "--out x.pdf has to end in .html"),
    ],
)
def test_what_is_asked_is_checked_before_anything_starts(ask, first_night, capsys, words, says):
    assert ask("reports", "run", "late-one", *words) == 1
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
    assert not list(first_night[0].root.rglob("*-by-hand*"))
    assert ask("reports", "run", "late-on") == 1
    assert "there is no report 'late-on': did you mean 'late-one'?" in capsys.readouterr().err


def test_a_list_tells_parameters_and_how_each_ended(give, after, capsys):
    notebook(after.root / "ours" / "broken.ipynb", "1", EACH)
    notebook(after.root / "ours" / "hangs.ipynb", "1", f"{OF_ALL}\nodd = {{b'a': 1e999}}")
    (after.root / "ours" / "scratch.ipynb").write_text('{"cells": []}')
    capsys.readouterr()
    assert give("reports", "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    rows = {row["report"]: row for row in told["reports"]}
    assert [name for name in rows if not rows[name]["own"]] == list(QUESTIONS)
    assert rows["drift"]["last"]["state"] == rows["helped"]["last"]["state"] == "ok"
    assert rows["broken"]["last"]["state"] == rows["hangs"]["last"]["state"] == "failed"
    assert (rows["helped"]["per"], rows["hangs"]["per"]) == ("model", "day")
    odd = next(one for one in rows["hangs"]["parameters"] if one["name"] == "odd")
    assert odd["default"] == "{b'a': inf}"
    top = next(one for one in rows["hangs"]["parameters"] if one["name"] == "top")
    assert (top["type"], top["default"], top["lowest"], top["highest"]) == ("int", 5, 1, 9)
    assert "scratch.ipynb has no cell" in told["no_reports"][0]
    assert give("reports", "list") == 0
    said = capsys.readouterr().out
    assert "hangs: your own, once a day, failed on 2026-03-05; day=, top=5 (1..9), odd=" in said
    assert "scratch.ipynb has no cell" in said
    for command, n in (("status", 0), ("doctor", 0)):
        code = give(command)
        assert "scratch.ipynb has no cell" in capsys.readouterr().out and code in (n, 1)


def test_without_a_browser_a_sentence_says_so_before_anything_starts(ask, capsys, monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda _: None)
    assert ask("reports", "run", "drift", "--to", "pdf") == 1
    assert "a PDF is printed by a browser, and there is none here" in capsys.readouterr().err


def test_a_browser_that_fails_or_takes_too_long_leaves_nothing(tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    for body, says in (("exit 3", "could not print"), ("echo no room >&2", "no room")):
        (tmp_path / "odd").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "odd").chmod(0o755)
        with pytest.raises(StoreError, match=says):
            pdf.print_page(tmp_path / "page.html", tmp_path / "x.pdf", str(tmp_path / "odd"))
    (tmp_path / "odd").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(StoreError, match="took longer than 0.1 seconds"):
        pdf.print_page(tmp_path / "page.html", tmp_path / "x.pdf", str(tmp_path / "odd"), 0.1)
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "odd"}


@browser
@needs_chromium
def test_a_page_is_printed_by_the_browser_of_the_machine(give, after, capsys):
    assert give("reports", "run", "helped", "--to", "pdf", "--out", "helped.pdf") == 0
    printed = (after.root / "helped.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and printed.rstrip().endswith(b"%%EOF")
    assert f"open {after.root / 'helped.pdf'}" in capsys.readouterr().out
    assert not list(after.root.rglob("*-by-hand*")) and not list(after.root.glob("*.html"))


def test_what_a_report_opens_by_itself_has_the_settings_of_the_run(tmp_path, monkeypatch):
    told = {"coverage": 0.95, "risk_cuts": (0.1, 0.2, 0.3, 0.4), "null_words": ("nix",)}
    told |= {"retrain_enabled": True, "tune_max_fdr": 0.2, "label_delay_days": 3}
    known = Settings(data=tmp_path, config=NO_FILE, timezone="Europe/Berlin", **told)
    for name, value in variables(known.model_dump(mode="json", exclude=PRIVATE)).items():
        monkeypatch.setenv(name, value)
    assert Settings(data=tmp_path, config=NO_FILE) == known


def test_parameters_of_those_of_the_package_are_checked_as_well():
    drift = report_named("drift", built_in_reports())
    assert drift.per == "model" and not drift.own
    values, chosen = values_given(drift, {"day": "2026-03-05"}, {"model": "late"})
    assert values == {} and chosen == {"day": "2026-03-05", "model": "late"}
    assert {one.name for one in drift.parameters} == set(
        given(Path("x"), DAY, "late", NOW, Settings(config=NO_FILE))
    )
