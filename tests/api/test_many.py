"""Many at once for a minute, while mornings are run: no error is met, no proposal is lost."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import MODEL
from serving import ID, NOW, app_of, copy, settings

from aiops_wb.api.server import serving
from aiops_wb.log.acts import waiting
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.watch.acts import take_in_acts

HERE = Path(__file__).parents[1]
CLIENTS, EACH = 50, 3
SECONDS = float(os.environ.get("API_TEST_SECONDS", 60))
READS = [
    "/thresholds",
    f"/thresholds/{ID}",
    "/models",
    f"/models/{MODEL}/daily?limit=50",
    "/cases",
    "/drift",
    "/proposals?limit=20",
    "/acts?limit=20",
    "/metrics/false-positive-rate",
    "/health",
]

MORNINGS = """
import sys, time
from datetime import timedelta
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import MODEL, Bench, events
from serving import LAST, NOW, settings
from aiops_wb.daily import run
from aiops_wb.log.errors import Busy

bench, end, ran = Bench(Path(sys.argv[1])), time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < end:
    day = LAST - timedelta(40 + ran)
    some = events(days=1, per_day=200, seed=ran, start=day, version=f"m{{ran}}")
    bench.log(some)
    try:
        run(bench.data, bench.root / "reports", NOW, settings(bench), days=[day], show="none")
    except Busy:  # the service takes acts in just now
        time.sleep(0.05)
        continue
    ran += 1
print(ran)
"""


class Client(threading.Thread):
    "Reads without a pause, and proposes now and then; what it met."

    def __init__(self, number, address, end):
        super().__init__(daemon=True)
        self.number, self.end = number, end
        at = urlsplit(address)
        self.connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
        self.answers, self.errors, self.acts = 0, [], []

    def run(self):
        try:
            began = time.monotonic()
            for turn in range(10**9):
                passed = (time.monotonic() - began) / (self.end - began)
                if passed >= 1:
                    break
                if (
                    len(self.acts) < EACH
                    and passed > (len(self.acts) + self.number / CLIENTS) / EACH
                ):
                    self.propose()
                self.ask("GET", READS[(turn + self.number) % len(READS)])
            while len(self.acts) < EACH:
                self.propose()
        except Exception as error:
            self.errors.append(repr(error))

    def propose(self):
        points = 1000 + EACH * self.number + len(self.acts)
        body = json.dumps({"points": points, "why": f"client {self.number}"})
        told = {"Content-Type": "application/json", "If-Match": "*"}
        self.acts.append((self.ask("PATCH", f"/thresholds/{ID}", body, told)["id"], points))

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        told = json.loads(answer.read())
        self.answers += 1
        if answer.status not in (200, 202):
            self.errors.append((path, answer.status, told))
        return told


@pytest.mark.slow
def test_nobody_meets_an_error_and_no_proposal_is_lost(tmp_path):
    bench = copy(tmp_path / "bench")
    code = MORNINGS.format(here=str(HERE))
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with serving(app_of(bench, take_in=True)) as address:
        words = [sys.executable, "-c", code, str(bench.root), str(SECONDS)]
        morning = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        clients = [Client(i, address, time.monotonic() + SECONDS) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        ran = int(morning.communicate(timeout=120)[0])
    errors = [error for client in clients for error in client.errors]
    assert not errors, errors[:3]
    assert ran >= 2, "no morning was run meanwhile"
    asked = dict(act for client in clients for act in client.acts)
    assert len(asked) == CLIENTS * EACH and sum(client.answers for client in clients) > 5 * CLIENTS
    with bench.store() as store:  # what the service was about to take in
        take_in_acts(store, NOW, settings(bench))
        store.publish()
    assert not waiting(bench.data / "spool")
    with open_snapshot(bench.data) as log:
        assert {act.id: act.state for act in log.acts()} == dict.fromkeys(asked, "done")
        assert sorted(p.points for p in log.proposals(MODEL)) == sorted(asked.values())
        assert log.verify_audit() > len(asked)
    print(f"{sum(c.answers for c in clients):,} answers, {ran} mornings, {len(asked)} proposals")
