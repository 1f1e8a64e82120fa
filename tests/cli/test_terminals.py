"""Commands on any terminal and in any environment: each runs, or ends in a sentence."""

import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import few
from test_commands import LEAVES
from typer.main import get_command

from aiops_wb.cli import app, lines, main
from aiops_wb.cli.lines import finish, line
from aiops_wb.log.catalog import open_snapshot

MODEL = "Müller 🦉"
NAMED = ["--model", MODEL]
WHY = ["--why", "weiß ich nicht"]
SPAN = ["--from", "2026-11-01", "--to", "2026-11-03"]
CALLS = [
    ["ingest", "--file", "more.csv", "--set", f"model={MODEL},version=1,threshold=0.5"],
    ["ingest"],
    ["consume", "file:größe.jsonl", "--once", "--set", f"model={MODEL}"],
    ["daily", "--reports", "none", *NAMED],
    ["register-files"],
    ["backfill", *SPAN, "--reports", "none"],
    ["backfill", *SPAN, "--recount"],
    ["schedule", "show"],
    ["schedule", "install"],
    ["replay", *NAMED, *SPAN],
    ["status"],
    ["config"],
    ["doctor"],
    ["features", "list"],
    ["features", "set", MODEL, "Größe", "number", *WHY],
    ["features", "rollback", MODEL, "Größe", *WHY],
    ["models", "list"],
    ["models", "train", *NAMED, "--version", "zwei ½", *SPAN],
    ["models", "adopt", *NAMED, "--version", "drei", *SPAN],
    ["history", "import", "--predictions", "more.csv", "--outcomes", "more.csv", *NAMED],
    ["models", "promote", *NAMED, "--version", "½", *WHY],
    ["models", "rollback", *NAMED, *WHY],
    ["models", "show", MODEL],
    ["models", "compare", MODEL, "zwei ½", "½"],
    ["models", "shadow", MODEL, "½", "on", *WHY],
    ["models", "export", *NAMED, "--version", "½", "--to", "Ordner"],
    ["models", "import", "kein Ordner", *NAMED, "--version", "½"],
    ["models", "guard", MODEL],
    ["models", "watch", f"{MODEL}/1", "off", *WHY],
    ["models", "watch", f"{MODEL}/1", "on", *WHY],
    ["models", "dial", MODEL],
    ["models", "dial", MODEL, "off", *WHY],
    ["retrain", *NAMED],
    ["labels", "show"],
    ["labels", "never", "20%", *NAMED, *WHY],
    ["labels", "rollback", *NAMED, *WHY],
    ["calibrations", "list", *NAMED],
    ["calibrations", "make", *NAMED],
    ["thresholds", "show", *NAMED],
    ["thresholds", "simulate", "0.4", *NAMED],
    ["thresholds", "choose", "--model", MODEL, "--max-fpr", "0.1", "--by", "site"],
    ["thresholds", "set", "0.4", *NAMED, *WHY],
    ["thresholds", "list"],
    ["thresholds", "propose", "0.3", "--model", MODEL, "--site", "Süd", *WHY],
    ["thresholds", "approve", "P-1", *WHY],
    ["thresholds", "reject", "P-Ö", *WHY],
    ["thresholds", "history", "--model", MODEL],
    ["thresholds", "tune", "--model", MODEL, "--max-fdr", "0.2"],
    ["thresholds", "rollback", *NAMED, *WHY],
    ["ab", "start", MODEL, "--threshold", "0.9", *WHY],
    ["ab", "read"],
    ["ab", "stop", MODEL, *WHY],
    ["anomalies", "--model", MODEL],
    ["promises", MODEL],
    ["reference", "show", *NAMED],
    ["reference", "set", *NAMED, *SPAN, *WHY],
    ["reference", "rollback", *NAMED, *WHY],
    ["drift", "list"],
    ["drift", "explain", *NAMED],
    ["drift", "acknowledge", "D-Ö", *WHY],
    ["drift", "attribution"],
    ["why", "alerts", *NAMED],
    ["score", *NAMED, *SPAN, "--into", "Größen"],
    ["explain", "--id", "Afirst"],
    ["sql", "select site_id, features, count(*) as n from predictions group by all"],
    ["cases", "send"],
    ["cases", "list"],
    ["cases", "show", "A-Ö"],
    ["cases", "acknowledge", "A-Ö", *WHY],
    ["cases", "assign", "A-Ö", "--to", "Zoë 🦉", *WHY],
    ["cases", "comment", "A-Ö", "--text", "weiß ich nicht"],
    ["cases", "close", "A-Ö", *WHY],
    ["messages", "show"],
    ["messages", "list"],
    ["messages", "test"],
    ["events", "list"],
    ["events", "send"],
    ["acts", "take"],
    ["acts", "list"],
    ["reports", "new", "größe"],
    ["reports", "list"],
    ["reports", "run", "Größe", "-p", "größe=1"],
    ["serve", "--host", "192.0.2.1"],
    ["score-service", "größe", "--host", "192.0.2.1"],
    ["mcp"],
    ["tokens", "make", "Zoë 🦉", "--role", "read", *WHY],
    ["tokens", "list"],
    ["tokens", "revoke", "Zoë 🦉", *WHY],
    ["sites", "load", "sites.csv", *WHY],
    ["sites", "list"],
    ["calendar", "add", "Öffnung", "--from", "2026-11-02", *WHY],
    ["calendar", "list"],
    ["calendar", "remove", "kein Eintrag", *WHY],
    ["calendar", "holidays", "--country", "DE", "--region", "Bayern", "--years", "2026", *WHY],
    ["repair"],
    ["backup", "kept", "--list"],
    ["restore", "kept", "--check"],
    ["verify"],
    ["forget", "--entity", "Zoë 🦉", *WHY],
    ["retention", "--days", "30", *WHY],
    ["compact"],
    ["audit", "list"],
    ["audit", "verify"],
    ["audit", "accept", *WHY],
    ["demo", "--until", "2013-01-01"],
]

RUN = """import json, os, sys
from pathlib import Path
if len(sys.argv) > 4:
    os.rmdir(sys.argv[4])
from aiops_wb.cli import main
calls = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
house = ["--data", sys.argv[3], "--reports-dir", sys.argv[3] + "-pages"]
codes = [main([*words, *house]) for words in calls]
Path(sys.argv[2]).write_text(json.dumps(codes))"""

BARE = {"PYTHONPATH": str(Path(__file__).parents[2])}
"All that a process needs here; cron gives little more."


def test_every_command_is_called_here():
    called = {" ".join(words) for words in CALLS}
    assert all(any(f"{name} ".startswith(f"{leaf} ") for name in called) for leaf in LEAVES)
    assert get_command(app).commands


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "A folder with a log of a few events of a model whose name not every terminal can show."
    tmp_path = tmp_path_factory.mktemp("house")
    heads = "prediction_id,predicted_at,score,site_id\n"
    for name, ids in (("first", "ABCD"), ("more", "EF")):
        rows = (f"{i}{name},2026-11-02T07:00:00+01:00,0.9,Süd\n" for i in ids)
        bad = f"{name},bäd,0.2,Süd\n"
        (tmp_path / f"{name}.csv").write_text(heads + "".join(rows) + bad, encoding="utf-8")
    table = "site_id,name,security_manager,manager\nSüd,Süd 🦉,Zoë,Jürgen\n"
    (tmp_path / "sites.csv").write_text(table, encoding="utf-8")
    told = f"model={MODEL},version=1,threshold=0.5"
    words = ["--file", str(tmp_path / "first.csv"), "--set", told]
    assert main(["ingest", *words, "--data", str(tmp_path / "data")]) == 0
    return tmp_path


@pytest.fixture
def house(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path, symlinks=True, dirs_exist_ok=True))


FEW = [["ingest", "--file"], ["daily", "--reports"], ["status"], ["models", "list"]]
FEW += [["thresholds", "set"], ["drift", "explain"], ["calendar", "remove"], ["audit", "list"]]
"Calls of every kind: that take in, that work, that list, that change, that are refused."


def all_calls(house, redirected="", gone=False, few=False, **environment):
    "Whether calls in one process ended as usual, and what it wrote."
    calls = [words for words in CALLS if not few or words[:2] in FEW]
    files = [house / "calls.json", house / "codes.json", house / "data"]
    here = [house / word if word.endswith(".csv") else word for words in calls for word in words]
    it = iter(map(str, here))
    files[0].write_text(json.dumps([[next(it) for _ in words] for words in calls]))
    below = house / "below"
    below.mkdir()
    words = [sys.executable, "-c", RUN, *files, *([below] if gone else [])]
    script = f"exec {' '.join(shlex.quote(str(word)) for word in words)} {redirected}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=below,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    codes = zip(calls, json.loads(files[1].read_text()))
    return [words for words, code in codes if code != int(words[:2] in STOPPED)], done


STOPPED = [
    ["schedule", "install"],
    ["features", "set"],
    ["features", "rollback"],
    ["models", "train"],
    ["models", "adopt"],
    ["history", "import"],
    ["models", "promote"],
    ["models", "rollback"],
    ["models", "compare"],
    ["models", "shadow"],
    ["models", "export"],
    ["models", "import"],
    ["retrain", "--model"],
    ["calibrations", "make"],
    ["thresholds", "reject"],
    ["ab", "start"],
    ["ab", "stop"],
    ["reference", "set"],
    ["reference", "rollback"],
    ["drift", "explain"],
    ["drift", "acknowledge"],
    ["score", "--model"],
    ["explain", "--id"],
    ["cases", "show"],
    ["cases", "acknowledge"],
    ["cases", "assign"],
    ["cases", "comment"],
    ["cases", "close"],
    ["messages", "show"],
    ["messages", "test"],
    ["events", "send"],
    ["calendar", "remove"],
    ["audit", "accept"],
    ["restore", "kept"],
    ["reports", "new"],
    ["reports", "run"],
    ["serve", "--host"],
    ["score-service", "größe"],
    ["consume", "file:größe.jsonl"],
    ["demo", "--until"],
]
"What cannot be done to a log of a few events."

ENVIRONMENTS = {
    "bare": {},
    "ascii": {"PYTHONIOENCODING": "ascii", "LANG": "C", "HOME": "/nowhere"},
    "posix": {"LC_ALL": "POSIX", "COLUMNS": "0", "TERM": ""},
    "no utf-8 at all": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a name that is no text": {"LOGNAME": "J\udcfcrgen", "COLUMNS": "no number"},
}
CLOSED = {"output": ">&-", "errors": "2>&-", "input": "<&-", "all": "<&- >&- 2>&-"}


@pytest.mark.parametrize("name", few(ENVIRONMENTS, "no utf-8 at all"))
def test_every_command_runs_in_any_environment(house, name):
    few = name != "no utf-8 at all"  # the narrowest of them runs every call
    odd, done = all_calls(house, few=few, **BARE | ENVIRONMENTS[name])
    assert not odd, done.stderr
    assert "Traceback" not in done.stderr and "should not happen" not in done.stderr
    assert all(said.startswith("aiops-wb: ") for said in done.stderr.splitlines())
    assert "ller" in done.stdout and "2 loaded" in done.stdout


@pytest.mark.slow
def test_every_command_runs_with_nothing_open(house):
    assert not all_calls(house, CLOSED["all"], few=False, **BARE)[0]


@pytest.mark.parametrize("name", few(CLOSED, "all"))
def test_every_command_runs_whatever_was_closed(house, name):
    closed = CLOSED[name]
    odd, done = all_calls(house, closed, few=True, **BARE)
    assert not odd, done.stderr
    assert "should not happen" not in done.stderr
    if "2>" in closed:
        assert "aiops-wb:" not in done.stdout, "what is no result stays out of the results"
    with open_snapshot(house / "data") as log:
        assert log.known_batch() >= 2


def test_every_command_runs_where_the_working_directory_is_gone(house):
    odd, done = all_calls(house, gone=True, few=True, **BARE)
    assert not odd, done.stderr


def command(*words, **options):
    "A command in a process of its own, in a bare environment."
    start = [sys.executable, "-c", "import sys; from aiops_wb.cli import main; sys.exit(main())"]
    settings = {"env": BARE, "timeout": 120, "stderr": subprocess.PIPE} | options
    return subprocess.run([*start, *map(str, words)], encoding="utf-8", **settings)


def test_a_batch_is_published_although_its_messages_have_odd_characters(tmp_path):
    (tmp_path / "in.csv").write_text(
        "prediction_id,predicted_at,score\nA1,2026-11-02T07:00:00+01:00,0.2\nA2,bäd,0.2\n",
        encoding="utf-8",
    )
    ascii_only = {"env": BARE | {"PYTHONIOENCODING": "ascii"}, "stdout": subprocess.PIPE}
    house = ["--data", tmp_path / "data", "--reports-dir", tmp_path / "pages"]
    told = ["--file", tmp_path / "in.csv", "--set", "model=Müller,version=1,threshold=0.5"]
    done = command("ingest", *told, *house, **ascii_only)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "'b\\xe4d'" in done.stdout and "1 loaded" in done.stdout
    with open_snapshot(tmp_path / "data") as log:
        assert log.models() == ["Müller"] and log.quarantine_size() == 1
    done = command("daily", "--reports", "none", *house, **ascii_only)
    assert done.returncode == 0 and "M\\xfcller: figures ok" in done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_output_onto_a_full_disk_costs_the_output_only(house):
    told = f"model={MODEL},version=1,threshold=0.5"
    words = ["ingest", "--file", house / "more.csv", "--set", told, "--data", house / "data"]
    with open("/dev/full", "w") as full:
        done = command(*words, stdout=full)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "not all of the output could be written: No space left" in done.stderr
        done = command("daily", "--help", stdout=full)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        done = command("models", "show", stdout=full, stderr=full)
        assert done.returncode == 2
    with open_snapshot(house / "data") as log:
        assert log.known_batch() == 2, "what was committed is published"


def test_what_is_lost_is_lost_at_the_first_line_and_said_once(tmp_path, monkeypatch):
    class Full:
        def __init__(self):
            self.file, self.tries = open(tmp_path / "out", "w"), 0

        def fileno(self):
            return self.file.fileno()

        def isatty(self):
            return False

        def write(self, text):
            self.tries += 1
            raise OSError(28, "No space left on device")

        def flush(self):
            return None

    full = Full()
    monkeypatch.setattr(lines.sys, "stdout", full)
    line("one")
    line("two")
    assert finish() == "No space left on device" and full.tries == 1


def test_a_stream_that_cannot_be_told_to_escape_gets_escapes(monkeypatch):
    class Plain(list):
        def isatty(self):
            return False

        def write(self, text):
            text.encode("ascii")
            self.append(text)

        def flush(self):
            return None

    plain = Plain()
    monkeypatch.setattr(lines.sys, "stdout", plain)
    line("Müller")
    assert "".join(plain) == "M\\xfcller\n"


def test_an_argument_that_is_no_text_is_one_sentence(house):
    done = command("thresholds", "show", "--model", "M\udcfcller", "--data", house / "data")
    assert done.returncode == 2 and "is not valid text" in done.stderr
    words = ["thresholds", "set", "0.4", *NAMED, "--why", "wei\udcdf", "--data", house / "data"]
    done = command(*words)
    assert done.returncode == 1 and "surrogate" in done.stderr
    assert (
        done.stderr.count("\n") == 1
        and "0.5"
        in command(
            "thresholds", "show", *NAMED, "--data", house / "data", stdout=subprocess.PIPE
        ).stdout
    )


# a width for each table: the first is there when the process starts, the others are set in it
WIDE = """import os, sys
from aiops_wb.cli import main
for width in [os.environ.get("COLUMNS"), *sys.argv[2:]]:
    os.environ.pop("COLUMNS", None) if width is None else os.environ.update(COLUMNS=width)
    print("width", width, main(["status", "--data", sys.argv[1]]), flush=True)
"""


@pytest.mark.parametrize("widths", [["0", "1", "-7", "wide"], [None]], ids=["set", "not set"])
def test_a_terminal_of_any_width_gets_the_table(house, widths):
    shown, terminal = pty.openpty()
    environment = BARE | {"PYTHONIOENCODING": "ascii"}
    environment |= {"COLUMNS": widths[0]} if widths[0] else {}
    start = [sys.executable, "-c", WIDE, str(house / "data"), *widths[1:]]
    with subprocess.Popen(start, stdout=terminal, env=environment) as process:
        os.close(terminal)
        text = b""
        while part := _read(shown):
            text += part
        assert process.wait() == 0
    for width in widths:
        table, said, text = text.partition(f"width {width} 0".encode())
        assert said, table
        assert b"model" in b"".join(table.split()) and b"quarantine" in table


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs a user that nobody knows")
def test_reports_are_made_for_a_user_whom_nobody_knows(house):
    unknown = [shutil.which("unshare"), "-U", "--map-user=54321"]
    if subprocess.run([*unknown, "true"], capture_output=True).returncode:
        pytest.skip("this machine maps no users")
    words = ["daily", "--data", house / "data", "--reports-dir", house / "pages"]
    start = "import os, sys; assert os.getuid() == 54321; from aiops_wb.cli import main; main()"
    done = subprocess.run(
        [*unknown, sys.executable, "-c", start, *map(str, words)],
        env=BARE,
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert "6 reports, 0 failed" in done.stdout, done.stdout + done.stderr
