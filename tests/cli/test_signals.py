"""Ctrl-C and SIGTERM: one sentence, an exit code that says so, and a next run that goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import MODEL, Bench, events
from test_daily import short_reports

from aiops_wb.cli import main, signals

SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "SIGTERM")}
COMMAND = "import sys; from aiops_wb.cli import main; sys.exit(main(sys.argv[1:]))"
# a command that waits for its signal where a function of it is called
HOLD = """
import sys, time
from importlib import import_module
from pathlib import Path
from aiops_wb.cli import main, signals
here, place, *arguments = sys.argv[1:]
signals.GRACE = 5.0
def hold(*_, **__):
    Path(here).write_text("held")
    time.sleep(600)
def slow(store, *_, **__):
    Path(here).write_text("held")
    store.con.execute("SELECT sum(a.range * b.range) FROM range(300000) a, range(90000) b")
module, name = place.split(":")
setattr(import_module(module), name.removeprefix("slow."), slow if "slow." in name else hold)
sys.exit(main(arguments))
"""


def heard():
    "Signals are heard as at a terminal, whoever runs the tests in the background."
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start(bench, *arguments, code=COMMAND):
    folders = ("--data", bench.data, "--reports-dir", bench.root / "reports", "-q")
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments), *map(str, folders)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heard,
    )


def asked(bench, *arguments):
    "A command that no signal meets, in this process."
    folders = ("--data", bench.data, "--reports-dir", bench.root / "reports", "-q")
    return main([*arguments, *map(str, folders)])


def wait_for(path):
    until = time.monotonic() + 300
    while not (path.exists() and path.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    return path.read_text()


def ends(child, number):
    "One sentence, and the code of the signal."
    code, says = SIGNALS[number]
    _, err = child.communicate(timeout=300)
    assert child.returncode == code, err
    assert err.startswith("aiops-wb: ") and err.count("\n") == 1 and says in err


@pytest.fixture
def logged(bench):
    frame = events(days=4)
    bench.log(frame)
    bench.label(frame)
    return bench


PLACES = {
    "ingest": (("ingest",), "aiops_wb.log.ingest:write_day_files"),
    "daily": (("daily", "--reports", "none"), "aiops_wb.daily:day_figures"),
    "a query": (("daily", "--reports", "none"), "aiops_wb.daily:slow.recalibrate"),
    "backfill": (
        ("backfill", "--from", "2026-03-01", "--to", "2026-03-04", "--reports", "none"),
        "aiops_wb.daily:record_alarms",
    ),
    "train": (
        ("models", "train", "--model", MODEL, "--version", "v2")
        + ("--from", "2026-03-01", "--to", "2026-03-04"),
        "aiops_wb.models.training:grow",
    ),
    "demo": (("demo", "--case", "attendance"), "aiops_wb.examples.demo:_set_up"),
}


EACH = [(name, list(SIGNALS)[at % 2]) for at, name in enumerate(PLACES)]


KEPT = [case for case in EACH if case[0] in ("ingest", "daily")]


@pytest.mark.parametrize(
    ("name", "number"),
    [*KEPT, *(pytest.param(*case, marks=pytest.mark.slow) for case in EACH if case not in KEPT)]
    + [pytest.param("ingest", signal.SIGTERM, marks=pytest.mark.slow)],
)
def test_a_command_that_is_interrupted_ends_in_a_sentence(logged, capfd, name, number):
    arguments, place = PLACES[name]
    if name == "train":
        logged.ingest()
    held = logged.root / "held"
    child = start(logged, held, place, *arguments, code=HOLD)
    wait_for(held)
    child.send_signal(number)
    ends(child, number)
    if name == "demo":
        return
    assert asked(logged, "daily", "--reports", "none") == 0
    assert not (err := capfd.readouterr().err), err
    with logged.store() as store:
        assert set(store.runs().state) == {"ok"} and len(store.runs()) == 4
        assert store.known_batch() == 2 and store.versions(MODEL).empty


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_while_it_is_loaded_a_command_ends_in_a_sentence(bench, number):
    slow = (
        "import sys, time; from pathlib import Path\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            Path(sys.argv.pop(1)).write_text('held'); time.sleep(600)\n"
        "sys.meta_path.insert(0, Slow())\n"
        f"{COMMAND}"
    )
    held = bench.root / "held"
    child = start(bench, held, "daily", code=slow)
    wait_for(held)
    child.send_signal(number)
    ends(child, number)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_the_sentence_goes_to_standard_error(monkeypatch, capfd, number):
    class Ended(BaseException):
        "In place of the end of this process."

    def end(code):
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    code, says = SIGNALS[number]
    with pytest.raises(Ended, match=f"^{code}$"):
        signals._end(number)  # a signal itself might end who runs the tests
    out, err = capfd.readouterr()
    assert not out and err.startswith("aiops-wb: ") and err.count("\n") == 1 and says in err


def test_what_is_finished_is_published_and_reports_end_with_the_command(bench, capsys):
    frame = events(days=2)
    bench.log(frame)
    pid = bench.root / "pid"
    source = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    short_reports(bench.root, drift=source)
    code = f"""
from aiops_wb import daily
from aiops_wb.render.pages import QUESTIONS
from pathlib import Path
folder = Path({str(bench.root)!r})
daily.report_notebooks = lambda: {{n: folder / (n + ".ipynb") for n in QUESTIONS}}
{COMMAND}"""
    child = start(bench, "daily", code=code)
    report = int(wait_for(pid))
    child.send_signal(signal.SIGTERM)
    ends(child, signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(report, 0)
    assert asked(bench, "status") == 0 and "0 days due" in capsys.readouterr().out
    short_reports(bench.root)
    done = start(bench, "daily", code=code)
    assert done.communicate(timeout=300)[1] == "" and done.returncode == 0
    assert (bench.root / "reports" / "2026-03-02" / "index.html").exists()


def test_a_message_that_nobody_can_be_told_keeps_nothing_from_being_published(tmp_path, capsys):
    "The terminal is gone: whatever is printed raises."
    bench = Bench(tmp_path)
    bench.log(events(days=2))
    code = (
        "from aiops_wb.cli import call, ingest\n"
        "def gone(*_): raise OSError(5, 'Input/output error')\n"
        "ingest.line = gone; call.line = gone\n" + COMMAND
    )
    start(bench, "ingest", code=code).communicate(timeout=300)
    asked(bench, "status")
    assert f"{MODEL}: 2026-03-01 to 2026-03-02" in capsys.readouterr().out


def test_bytecode_that_a_full_disk_cut_off_is_not_called_an_interruption(capsys, monkeypatch):
    def cut_off(name, package):
        raise EOFError("marshal data too short")

    monkeypatch.setattr("aiops_wb.cli.later.import_module", cut_off)
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert "__pycache__" in said and "interrupted" not in said and said.count("\n") == 1
