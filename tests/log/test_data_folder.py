"""The guide says of everything in a data folder what it is."""

import json
import re
from pathlib import Path

import pytest
from conftest import events

from aiops_wb.cli import main
from aiops_wb.log import (
    accepting,
    anchor_command,
    backup,
    base,
    forgetting,
    gone,
    named_files,
    pseudonyms,
    retired,
    rewriting,
)

GUIDE = Path(__file__).parents[2] / "nbs" / "guides" / "log.ipynb"
WHY = ("--why", "a trial")


def described():
    "The names in the first column of the guide's table."
    cells = json.loads(GUIDE.read_text(encoding="utf-8"))["cells"]
    (text,) = ("".join(c["source"]) for c in cells if "## What lies in a data" in str(c["source"]))
    rows = re.findall(r"^\| (`.*?) \|", text, re.M)
    names = {
        name.removeprefix("data/").rstrip("/")
        for row in rows
        for name in re.findall("`(.+?)`", row)
    }
    return {f"catalog.duckdb{name}" if name == ".wal" else name for name in names}


def test_what_a_folder_may_hold_is_described():
    told = {base.WRITING, base._UNPUBLISHED, gone._NOTED, rewriting.JOURNAL, forgetting._BEGUN}
    told |= {retired.RETIRED}
    told |= {anchor_command._TOLD, pseudonyms.KEY_FILE, accepting.INCIDENTS}
    told |= backup._ELSEWHERE | named_files._OWN | {*named_files._NOT_SEARCHED}
    assert told <= described(), told - described()


@pytest.mark.slow
def test_what_a_folder_holds_is_described(bench):
    (bench.root / "aiops.toml").write_text('audit_anchor_command = ["true"]\n')
    where = ("--data", str(bench.data), "--config", str(bench.root / "aiops.toml"), "-q")
    bench.log(events(days=2, per_day=6))
    (bench.data / "spool" / "predictions" / "torn.parquet").write_bytes(b"PAR1")
    assert main(["ingest", *where]) == 1
    for command in (
        ("tokens", "make", "ana", "--role", "read", *WHY),
        ("forget", "--entity", "north", *WHY),
    ):
        assert main([*command, *where]) == 0
    found = {path.name for path in bench.data.iterdir()}
    assert {"anchored.json", "tokens.json", "rejected", "pseudonyms.key"} <= found <= described()
