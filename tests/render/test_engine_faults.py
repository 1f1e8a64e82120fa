"""Reports that do harm: each costs itself, and no other."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import MODEL, Bench, events
from test_daily import notebook, short_reports

from aiops_wb import daily
from aiops_wb.config import Settings
from aiops_wb.render import engine
from aiops_wb.render.engine import Job, run_jobs

FINE = "assert x == 2"
HARM = {
    "megabytes": ("import os; [os.write(1, b'no result\\n' * 100_000) for _ in range(20)]", "ok"),
    "garbage": (
        "import contextlib, os\n"
        "for fd in range(3, 256):\n"
        "    with contextlib.suppress(OSError): os.write(fd, b'{\"index\": 0}\\n')",
        "no readable result",
    ),
    "thief": (
        "import contextlib, os, time\n"
        "for fd in range(3, 64):\n"
        "    with contextlib.suppress(OSError):\n"
        "        os.set_blocking(fd, False); os.read(fd, 1 << 20)",
        None,
    ),
    "killed": ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    "gone": ("import os; os._exit(0)", "exit code 0"),
    "left": ("import sys; sys.exit(0)", "sys.exit(0) was called"),
    "deep": (
        "import sys\nsys.setrecursionlimit(300)\nf = lambda n: f(n + 1)\nf(0)",  # few lines to show
        "RecursionError",
    ),
    "large": (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "bytearray(1 << 33)",
        "MemoryError",
    ),
    "closed": ("import os; os.closerange(3, 256)", "exit code 0"),
    "forked": (
        "import os, time\nif os.fork() == 0: time.sleep(600)",
        "ok",
    ),
    "doubled": ("import os\nos.fork()", "ok"),
    "half": ("print('\\ud800')", "surrogates not allowed"),
}


def jobs(folder, **sources):
    return [
        Job(
            name,
            notebook(folder / f"{name}.ipynb", source),
            folder / "out" / f"{name}.html",
            {"x": 2},
            name,
        )
        for name, source in sources.items()
    ]


def test_what_a_report_does_to_itself_it_does_to_no_other(tmp_path):
    sources = {name: source for name, (source, _) in HARM.items()}
    sources |= {f"fine_{i}": FINE for i in range(4)}
    results = {r.name: r for r in run_jobs(jobs(tmp_path, **sources), parallel=4, timeout=200)}
    for name, (_, says) in HARM.items():
        result = results.pop(name)
        if says == "ok":
            assert result.state == "ok", result.error
        elif says:
            assert result.state == "failed" and says in result.error, (name, result.error)
        assert (tmp_path / "out" / f"{name}.html").exists()
    assert {r.state for r in results.values()} == {"ok"}, results
    assert not list((tmp_path / "out").glob(".*")), "nothing half written stays"


def test_a_report_that_closes_its_pipe_and_goes_on_is_stopped(tmp_path):
    source = "import os, time\nos.closerange(3, 256)\ntime.sleep(600)"
    (result,) = run_jobs(jobs(tmp_path, deaf=source), timeout=3)
    assert result.state == "failed" and "longer than 3 seconds" in result.error


@pytest.mark.slow
def test_a_report_that_takes_too_much_memory_is_stopped_and_is_not_tried_again(tmp_path):
    large = "import time; kept = b'x' * (1 << 30); time.sleep(600)"
    taken, fine = run_jobs(jobs(tmp_path, large=large, fine=FINE), memory=900, timeout=120)
    assert "MB of memory, more than 900 (report_memory), and was stopped." in taken.error
    assert fine.state == "ok" and not taken.passing
    assert "(report_memory)" in (tmp_path / "out" / "large.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("started_anew")
def test_lines_that_are_no_results_cost_nothing(tmp_path, monkeypatch, caplog):
    "Whatever else writes where the helper answers."
    served = (
        'import os, sys; os.write(1, b\'\\xff no text\\n[]\\n{"index": 9, "result": {}}\\n\'); '
        "from aiops_wb.render.engine import serve; serve(); os._exit(0)"
    )
    real = engine.subprocess.Popen

    def popen(command, **options):
        return real([*command[:-1], served], **options)

    monkeypatch.setattr(engine.subprocess, "Popen", popen)
    (result,) = run_jobs(jobs(tmp_path, fine=FINE))
    assert result.state == "ok" and caplog.text.count("no result") == 3


def test_a_helper_that_dies_fails_its_reports_and_raises_nothing(tmp_path):
    kill = "import os, signal; os.kill(os.getppid(), signal.SIGKILL); import time; time.sleep(2)"
    results = run_jobs(jobs(tmp_path, murder=kill, next=FINE), parallel=1)
    assert [r.state for r in results] == ["failed"] * 2 and "exit code -9" in results[1].error
    assert "exit code -9" in (tmp_path / "out" / "next.html").read_text(encoding="utf-8")


def test_a_helper_that_is_told_to_end_while_it_forks_ends(tmp_path):
    path = notebook(tmp_path / "a.ipynb", "import time; time.sleep(600)")
    told = f"""
import os, signal, sys
from pathlib import Path
from aiops_wb.render.engine import Job, _Helper
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
job = Job("a", Path({str(path)!r}), Path({str(tmp_path / "a.html")!r}), {{}}, "a")
_Helper([job], 1, 600, sys.stdout, os.pipe()[0], os.pipe()).run()
"""
    run = [sys.executable, "-c", told]
    ended = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_an_error_of_who_asked_ends_the_helper_and_its_reports(tmp_path):
    "As Ctrl-C does."
    waits = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    until = f"from pathlib import Path\nwhile not Path({str(tmp_path / 'pid')!r}).exists(): pass"
    sources = {"a": f"import os, time; {waits}", "b": until}
    with pytest.raises(RuntimeError):
        run_jobs(jobs(tmp_path, **sources), on_done=lambda _: fail())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text() or 0), 0)


def fail():
    raise RuntimeError("no terminal")


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    "Three days with their figures; to be read only."
    bench = Bench(tmp_path_factory.mktemp("computed"))
    bench.log(events(days=3))
    bench.ingest()
    with bench.store() as store:
        days, at = store.days(MODEL), store.last_committed()
        for day in days:
            daily.compute(store, day, MODEL, at, Settings(data=bench.data))
        store.publish()
    return bench, [(day, MODEL, at) for day in days]


@pytest.fixture(scope="module")
def reported(computed, tmp_path_factory):
    "Reports of the first of three days; to be read only."
    (bench, pairs), folder = computed, tmp_path_factory.mktemp("reported")
    settings = Settings(data=bench.data, reports=folder / "reports")
    with pytest.MonkeyPatch.context() as patch:
        short = short_reports(folder)
        patch.setattr(daily, "report_notebooks", lambda: short)
        daily.make_reports(bench.data, settings.reports, pairs[:1], settings)
    return settings.reports


@pytest.fixture
def three_days(computed, tmp_path, monkeypatch):
    bench = computed[0].copy_to(tmp_path)
    short = short_reports(tmp_path)
    monkeypatch.setattr(daily, "report_notebooks", lambda: short)
    return bench, Settings(data=bench.data, reports=bench.root / "reports"), computed[1]


def test_index_and_manifests_are_written_whatever_becomes_of_a_day(three_days):
    "The folder of one day is a file; those of the others are made, and the front door."
    bench, settings, pairs = three_days
    (bench.root / "reports").mkdir()
    (bench.root / "reports" / str(pairs[1][0])).write_text("in the way")
    results = daily.make_reports(
        bench.data, settings.reports, pairs, settings, on_done=lambda _: fail()
    )
    index = (settings.reports / "index.html").read_text(encoding="utf-8")
    for place, (day, *_) in enumerate(pairs):
        there = (settings.reports / str(day)).is_dir()
        assert there == (place != 1) and (f"{day}/index.html" in index) == there
    failed = [r for r in results if r.state == "failed"]
    assert len(failed) == 7 and failed[-1].name == f"{pairs[1][0]} manifest"


def test_a_snapshot_that_vanished_is_said_on_the_pages(three_days):
    bench, settings, pairs = three_days
    (bench.data / "aiops.duckdb").unlink()
    daily.make_reports(bench.data, settings.reports, pairs[:1], settings)
    manifest = json.loads((settings.reports / str(pairs[0][0]) / "manifest.json").read_text())
    assert "no published snapshot" in manifest["models"][MODEL]["error"]
    assert (settings.reports / "index.html").exists()


def test_a_page_that_cannot_be_made_costs_one_day(three_days, monkeypatch):
    bench, settings, pairs = three_days
    made = daily.write_pages.__globals__["day_page"]

    def broken(reports, day, *rest):
        if day == str(pairs[0][0]):
            raise ValueError("a broken page")
        return made(reports, day, *rest)

    monkeypatch.setitem(daily.write_pages.__globals__, "day_page", broken)
    results = daily.make_reports(bench.data, settings.reports, pairs, settings)
    assert [r.name for r in results if r.state == "failed"] == ["pages"]
    there = [(settings.reports / str(day) / "index.html").exists() for day, *_ in pairs]
    assert there == [False, True, True] and (settings.reports / "index.html").exists()


@pytest.mark.parametrize("broken", ["{}", "[]", '{"models": {"late": 3}}', "null"])
def test_a_manifest_of_another_kind_costs_nothing(three_days, reported, broken):
    bench, settings, pairs = three_days
    shutil.copytree(reported, settings.reports)
    other = settings.reports / "2026-01-01"
    other.mkdir()
    (other / "manifest.json").write_text(broken)
    results = daily.make_reports(bench.data, settings.reports, pairs[1:2], settings)
    assert {r.state for r in results} == {"ok"}
