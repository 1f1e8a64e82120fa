"""What commands say, whole: a day at a small house, command after command, as it was recorded."""

import getpass
import re
import shlex
from datetime import timedelta
from pathlib import Path
from sys import maxsize

import pytest
import serving
from recorded import hold
from serving import MODEL, NOW

from aiops_wb.cli import main
from aiops_wb.cli.call import Call

ROOT = Path(__file__).parents[2]
WHY = "--why 'so that it is seen'"
SITES = "site_id,name,security_manager,manager\nnorth,The north,Zoe,Jo\nsouth,The south,Al,Bo\n"
CALLS = """
status
status --json
models list
models show {m}
calibrations list --model {m}
thresholds show --model {m}
thresholds show --model {m} --json
thresholds simulate 0.4 --model {m}
thresholds choose --model {m} --max-fdr 0.35 --json
drift list
drift list --json
why alerts --model {m}
explain --id {id}
explain --id {id} --top 0 --json
features list
labels show
reference show --model {m}
sql 'select risk_level, count(*) as n, max(points) from predictions group by all order by n'
models guard {m}
models dial {m}
cases list
cases list --days 2 --json
cases show A-d9f0b8345628
cases assign A-d9f0b8345628 --to ben {why}
cases close A-d9f0b8345628 --outcome dismissed {why}
cases list --state closed
drift acknowledge {alarm} {why}
sites load sites.csv {why}
sites list
calendar add 'open day' --from 2026-03-01 --to 2026-03-02 {why}
calendar list
thresholds propose 0.65 --model {m} --site north {why}
thresholds list
thresholds list --json
thresholds set 0.58 --model {m} {why}
thresholds history --model {m}
promises {m}
promises {m} --json
models export --model {m} --version v1 --to out
models import out --model {m} --version v2
models compare {m} v1 v2
models compare {m} v1 v2 --json
models list
tokens make ben --role read --role propose {why}
tokens list
reports list
audit list
audit list --json
audit verify
verify
doctor
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return serving.copy(tmp_path_factory.mktemp("said") / "house")


MASKED = {
    r"\d+(\.\d)? ([MG]B|MB/s)": "SIZE",
    r"packages: .*|ok     (zone|disk|schedule): .*": "MASKED",
    r'"packages": \{[^}]*\}': "MASKED",
    r"awb_\S+": "SECRET",
    r"\b[cK]-([0-9a-f]{24}|[0-9a-f]{8})\b": "PSEUDONYM",
    r"[0-9a-f]{40,64}": "HASH",
    r"\d+\.\d s\b": "SECONDS",
}


def test_a_day_of_commands(house, monkeypatch, capsys):
    monkeypatch.chdir(house.root)
    monkeypatch.setattr(getpass, "getuser", lambda: "ana")
    minutes = iter(range(9999))
    monkeypatch.setattr(Call, "now", lambda self: NOW + timedelta(minutes=next(minutes)))
    (house.root / "sites.csv").write_text(SITES, encoding="utf-8")
    known = {"m": MODEL, "id": "v1-2026-03-02-00440", "why": WHY, "alarm": "D-ca50d86e130a"}
    told = []
    for call in CALLS.strip().splitlines():
        code = main([*shlex.split(call.format_map(known)), "--data", str(house.data)])
        said = capsys.readouterr()
        told.append(f"$ {call}\n{said.out}{said.err}= {code}")
    text = "\n".join(told).replace(str(house.root), "HOUSE").replace(str(ROOT), "ROOT")
    for pattern, name in MASKED.items():
        text = re.sub(pattern, name, text)
    hold(__file__, "a day", text, maxsize)
