"""Answers of the API beside those of an empty endpoint of the same server, asked in turn on one
connection; the first answers after a snapshot was published, which are made then.
"""

import http.client
import json
import multiprocessing
import signal
import statistics
from datetime import UTC, datetime, timedelta
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from aiops_wb.api.app import create_app
from aiops_wb.api.server import serving
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.examples.flights import ZONE, departures
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store
from aiops_wb.log.tokens import make_token
from bench.common import arguments, figure, folder, print_error

MODEL = "late-at-departure"
NOW = datetime(2013, 7, 1, 10, tzinfo=UTC)
READS = (
    "/thresholds",
    f"/thresholds/{MODEL}:v1",
    "/models",
    f"/models/{MODEL}/daily?limit=100",
    "/cases?limit=100",
    "/drift",
    "/alarms",
    "/proposals",
    "/metrics/false-positive-rate?by=site",
    "/health",
)
"Read in turn, and a simulation of one of ten thresholds."


def logged(root, first):
    "Flights up to June as they were known, and the figures of the last week."
    flights = departures(first, "2013-06-30").dropna(subset=["late"])
    noon = pd.to_datetime(flights.day).dt.tz_localize(ZONE) + pd.Timedelta(hours=12)
    past = pd.DataFrame(
        {
            "prediction_id": [f"f{i:06d}" for i in range(len(flights))],
            "predicted_at": noon,
            "score": flights.score,
            "site_id": flights.site_id,
            "label": flights.late.astype(int),
            "observed_at": noon + pd.Timedelta(hours=12),
        }
    )
    past.to_csv(root / "past.csv", index=False)
    files = dict.fromkeys(("predictions", "outcomes"), root / "past.csv")
    with open_store(root / "data", "bench", ZONE) as store:
        told = choices(MODEL, {}, {"version": "v1", "threshold": "0.6"})
        import_history(store, NOW - timedelta(hours=5), "bench", MODEL, files, told)
        store.publish()
    settings = Settings(data=root / "data", label_delay_days=1, config="no file")
    days = [(NOW - timedelta(back)).date() for back in range(7, 0, -1)]
    run(root / "data", root / "reports", NOW, settings, days=days, show="none")
    return len(past), settings


def serve(data, settings, told):
    "A process of its own: the client's work is not the server's."
    app = create_app(data, settings, clock=lambda: NOW)

    @app.get("/empty", tags=["service"])
    async def empty() -> dict:
        return {}

    with serving(app) as address:
        told.send(address)
        signal.sigwait({signal.SIGTERM})


class Client:
    "One connection; how long each answer took, in milliseconds."

    def __init__(self, address, token):
        at = urlsplit(address)
        self.connection = http.client.HTTPConnection(at.hostname, at.port)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, path, body=None):
        "Milliseconds until the whole answer is here."
        method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
        began = perf_counter()
        self.connection.request(method, path, sent, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        took = 1000 * (perf_counter() - began)
        assert answer.status == 200, (path, answer.status)
        return took

    def read(self, turn):
        "One of the reads, by turns."
        if turn % (len(READS) + 1) == len(READS):
            threshold = 0.3 + (turn // (len(READS) + 1)) % 10 / 20
            return self.ask("/thresholds/simulate", {"model": MODEL, "threshold": threshold})
        return self.ask(READS[turn % (len(READS) + 1)])


def main():
    quick, root = arguments(__doc__).quick, folder()
    rounds, publications = (2_000, 2) if quick else (20_000, 5)
    print_error("a log of flights, and the figures of its last week")
    rows, settings = logged(root, "2013-05-01" if quick else "2013-01-01")
    token = make_token(root / "data", "bench", ["read"], "bench", NOW)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # for whom it is sent waits for it
    told, tell = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    server = context.Process(target=serve, args=(root / "data", settings, tell))
    server.start()
    client = Client(told.recv(), token)
    first, ours, empty = [], [], []
    try:
        for _ in range(publications):
            with open_store(root / "data", "bench") as store:
                store.publish()
            first += [client.read(turn) for turn in range(len(READS) + 1)]
            [client.read(turn) for turn in range(10 * (len(READS) + 1))]  # each threshold once
            for turn in range(rounds // publications):
                empty.append(client.ask("/empty"))
                ours.append(client.read(turn))
    finally:
        server.terminate()
        server.join()
    p99 = [float(np.quantile(side, 0.99)) for side in (ours, empty)]
    against = "an empty endpoint of the same server, in turn"
    figure("api_p99_vs_empty", *p99, "ms", rows, f"{against}; p99 of {len(ours):,} answers")
    middle = [statistics.median(side) for side in (ours, empty)]
    figure("api_median_vs_empty", *middle, "ms", rows, f"{against}; medians")
    told = f"{against}; ours: the first answer of a snapshot, which is made then; medians"
    figure("api_first_vs_empty", statistics.median(first), middle[1], "ms", rows, told)


if __name__ == "__main__":
    main()
