"""A command of the owner's takes the anchor, or one sentence says why it did not."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import until

from aiops_wb.config import Settings
from aiops_wb.log.anchor import read_anchors, verify_trail
from aiops_wb.log.anchor_command import anchor_trail, tell_anchor
from aiops_wb.log.errors import StoreError

NOW = datetime(2026, 3, 20, tzinfo=UTC)
TAKES = "cat >> {}"


def shell(text):
    return ("/bin/sh", "-c", text)


def test_it_gets_each_line_once_and_what_it_took_holds_the_trail(bench, tmp_path):
    taken = tmp_path / "far" / "taken.jsonl"
    taken.parent.mkdir()
    settings = Settings(config="no file", audit_anchor_command=shell(TAKES.format(taken)))
    with bench.store() as store:
        for value in ("on", "off"):
            store.record(NOW, "ana", "watch", "m/v1", value, "because")
            for _ in range(2):
                anchor_trail(store, settings, NOW)
        anchors, unreadable = read_anchors(taken)
        assert [a.rows for a in anchors] == [1, 2] and not unreadable
        assert (anchors[-1].rows, anchors[-1].head) == store.audit_head()
        assert verify_trail(store, anchors).anchored == 2
        store.con.execute("DELETE FROM audit")
        (found,) = verify_trail(store, anchors).findings
        assert "the trail has 0 rows and had more in line 1 of taken.jsonl" in found


@pytest.mark.parametrize(
    ("command", "says"),
    (
        (("no-such-command-at-all",), "no-such-command-at-all (No such file or directory)"),
        (shell("echo no  room >&2; exit 3"), "sh (exit code 3: no room)"),
        (shell("cat > /dev/null; exit 1"), "sh (exit code 1)"),
        (shell("kill -9 $$"), "sh (exit code -9)"),
    ),
)
def test_a_command_that_fails_is_one_sentence_and_is_asked_again(bench, tmp_path, command, says):
    settings = Settings(config="no file", audit_anchor_command=command)
    with bench.store() as store:
        store.record(NOW, "ana", "watch", "m/v1", "on", "because")
        for _ in range(2):
            with pytest.raises(StoreError) as told:
                anchor_trail(store, settings, NOW)
            assert says in str(told.value) and "What was done is done" in str(told.value)
        both = settings.model_copy(update={"audit_anchor": tmp_path / "file"})
        with pytest.raises(StoreError, match="was not taken by"):
            anchor_trail(store, both, NOW)
        assert len(read_anchors(tmp_path / "file").anchors) == 1, "the file has it all the same"
        assert store.verify_audit() == 1


def test_a_command_that_hangs_is_ended_with_all_that_it_began(tmp_path):
    "It would be waited for by whoever reads its output, and by the morning."
    began = tmp_path / "began"
    hangs = shell(f"sleep 600 & echo $! > {began}; wait")
    with pytest.raises(StoreError, match=r"sh \(it did not end in 0.5 s\)"):
        tell_anchor(hangs, "{}\n", 0.5)
    child = Path(f"/proc/{int(began.read_text())}/stat")

    def ended():
        try:
            return child.read_text().split()[2] == "Z"  # it waits to be buried
        except OSError:
            return True

    assert until(ended)


def test_it_stands_in_no_shell_and_is_given_no_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://secret")
    told = tmp_path / "told"
    code = f"import os,sys; open({str(told)!r}, 'w').write(str([sys.argv[1:], *os.environ]))"
    tell_anchor((sys.executable, "-c", code, "$HOME; *"), json.dumps({}), 20)
    assert "['$HOME; *']" in told.read_text() and "AIOPS_" not in told.read_text()
