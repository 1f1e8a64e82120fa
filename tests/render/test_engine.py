"""Reports in processes of their own: where their code comes from, and when they end."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from conftest import few
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from aiops_wb.render.engine import Job, run_jobs

HELD = """import re
re.match("(a|a)+$", "a" * 60 + "b")"""
"A cell in which the interpreter is never free."


def job(folder, *cells, engine="inline", **parameters):
    "A job whose notebook has these cells, in a folder."
    declared = new_code_cell("\n".join(f"{name} = None" for name in parameters))
    declared.metadata.tags = ["parameters"]
    notebook = new_notebook(cells=[new_markdown_cell("# A"), declared, *map(new_code_cell, cells)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    for cell in notebook.cells:
        cell.pop("id", None)
    notebook.nbformat_minor = 4
    place = folder / f"{len(list(folder.glob('*.ipynb')))}.ipynb"
    nbformat.write(notebook, place)
    target = folder / "out" / f"{place.stem}.html"
    return Job(place.stem, place, target, parameters, "A report", engine=engine)


PLANTED = [
    *("json", "numpy", "pandas", "duckdb", "nbconvert", "papermill", "nbformat", "jinja2"),
    *("matplotlib", "xgboost", "IPython", "ipykernel", "ipykernel_launcher", "traitlets"),
    *("sitecustomize", "usercustomize", "ipython_config", "ipython_kernel_config"),
    *("jupyter_config", "jupyter_nbconvert_config"),
]

LOOK = """import json, os, sys, matplotlib, pandas, duckdb, papermill
from pathlib import Path
seen = {"here": os.getcwd(), "path": sys.path, "face": matplotlib.rcParams["figure.facecolor"]}
seen["settings"] = [name for name in os.environ if name.startswith("AIOPS_")]
Path(place).write_text(json.dumps(seen))"""


def plant(folder):
    "Code and configuration that leave a mark when somebody takes them from a folder."
    folder.mkdir(parents=True, exist_ok=True)
    mark = f"open({str(folder / 'taken')!r}, 'a').write(__file__ + '\\n')\n"
    for name in PLANTED:
        (folder / f"{name}.py").write_text(mark)
    (folder / "matplotlibrc").write_text("figure.facecolor: red\n")
    (folder / "basic").mkdir()
    (folder / "basic" / "index.html.j2").write_text("taken from here")
    startup = folder / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text(mark)


@pytest.mark.usefixtures("started_anew")
@pytest.mark.parametrize("engine", few(["inline", "kernel"], "inline"))
def test_no_code_and_no_look_come_from_the_working_directory(tmp_path, monkeypatch, engine):
    here, seen = tmp_path / "here", tmp_path / "seen.json"
    plant(here)
    asked = job(tmp_path, LOOK, engine=engine, place=str(seen))
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", before]))
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://host/canary")
    monkeypatch.chdir(here)
    (result,) = run_jobs([asked])
    assert result.state == "ok", result.error
    assert not (here / "taken").exists(), (here / "taken").read_text()
    told = json.loads(seen.read_text())
    assert told["face"] != "red" and told["settings"] == []
    beside = str(asked.notebook.parent)  # which is looked in for reports of one's own alone
    assert not {"", ".", str(here), beside} & set(told["path"]) and told["here"] != str(here)
    assert "taken from here" not in asked.target.read_text()


@pytest.mark.slow
def test_a_morning_takes_no_code_from_where_it_runs_nor_from_its_folders(tmp_path):
    folders = [tmp_path / name for name in ("here", "data", "pages")]
    for folder in folders:
        plant(folder)
    (tmp_path / "p.csv").write_text(
        "prediction_id,predicted_at,score,model,version\na,2026-11-02T07:00:00Z,0.9,../m,v\n"
    )
    house = ["--data", str(folders[1]), "--reports-dir", str(folders[2])]
    start = "import sys; from aiops_wb.cli import main; sys.exit(main())"
    for words in (["ingest", "--file", str(tmp_path / "p.csv")], ["daily"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-P", "-c", start, *words, *house],
            cwd=folders[0],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert not [folder for folder in folders if (folder / "taken").exists()]
    assert (folders[2] / "2026-11-02" / "%2e.%2fm" / "drift.html").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"here", "data", "pages", "p.csv"}


@pytest.mark.usefixtures("started_anew")
def test_places_of_jobs_may_be_relative_to_where_one_stands(tmp_path, monkeypatch):
    asked = job(tmp_path, "1")
    monkeypatch.chdir(tmp_path)
    near = Job("near", Path(asked.notebook.name), Path("pages/near.html"), {}, "A report")
    assert [result.state for result in run_jobs([near])] == ["ok"]
    assert (tmp_path / "pages" / "near.html").exists()


@pytest.mark.slow
def test_a_kernel_of_ones_own_looks_beside_its_notebook_and_there_last(tmp_path):
    (tmp_path / "ours.py").write_text("FACTOR = 7\n")
    (tmp_path / "pandas.py").write_text("planted = True\n")
    asked = job(
        tmp_path, "import ours, pandas\npandas.Series([ours.FACTOR]).sum()", engine="kernel"
    )
    beside, alone = run_jobs([replace(asked, own=True), asked], timeout=120)
    assert beside.state == "ok", beside.error
    assert alone.state == "failed" and "No module named 'ours'" in alone.error


def test_a_report_has_nothing_to_read_and_tells_what_it_took(tmp_path):
    cell = "import sys, time\nassert sys.stdin.read() == ''\ntime.sleep(.3)"
    (result,) = run_jobs([job(tmp_path, cell)], timeout=60)
    assert result.state == "ok" and result.title == "", result.error
    assert result.seconds.keys() == result.cpu.keys() == {"execute", "render"}
    assert result.seconds["execute"] >= result.cpu["execute"] + 0.25  # it slept without working


STARTED = """import os, time
from pathlib import Path
Path(place).write_text(f"{os.getppid()} {os.getpid()}")
"""
ASK = """import json, sys
from pathlib import Path
from aiops_wb.render.engine import Job, run_jobs
notebook, target, place = map(Path, sys.argv[1:])
run_jobs([Job("a", notebook, target, {"place": str(place)}, "A")], timeout=600)"""


def wait_for(condition):
    "Until something holds; the test fails when it does not for a minute."
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def gone(process):
    "Whether a process has ended, waited for or not."
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("cell", few(["time.sleep(600)", HELD], HELD), ids=["sleeps", "computes"])
@pytest.mark.parametrize("killed", ["asker", "helper"])
def test_a_report_ends_with_the_processes_that_wanted_it(tmp_path, killed, cell):
    place = tmp_path / "started"
    asked = job(tmp_path, STARTED + cell, place=str(place))
    words = [sys.executable, "-c", ASK, asked.notebook, asked.target, place]
    with subprocess.Popen([*map(str, words)]) as asker:
        helper, report = None, None
        try:
            wait_for(lambda: place.exists() and len(place.read_text().split()) == 2)
            helper, report = map(int, place.read_text().split())
            os.kill(asker.pid if killed == "asker" else helper, signal.SIGKILL)
            wait_for(lambda: gone(report) and gone(helper))
        finally:
            for process in (report, helper, asker.pid):
                with suppress(ProcessLookupError, TypeError):
                    os.kill(process, signal.SIGKILL)


def test_a_process_that_a_cell_forked_ends_with_that_cell(tmp_path):
    "Else it would run the other cells and write the report's files, too."
    ran = tmp_path / "ran"
    fork = "import os, time\nif os.fork(): time.sleep(1)"
    note = f"print(os.getpid(), file=open({str(ran)!r}, 'a'))"
    (result,) = run_jobs([job(tmp_path, fork, note)])
    assert result.state == "ok" and len(ran.read_text().split()) == 1
