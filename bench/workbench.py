"""Answers of the API beside those of an empty endpoint of the same server, asked in turn on one
connection; the first answers after a snapshot was published, which are made then.

Before that the pages of a morning: how large the front page of a hundred models and the largest
report are, and what a second model of the flights demo costs beside the first; and what somebody
waits for who opens a notebook: the import of the package, and a first table of the demo's log.
"""

import http.client
import json
import multiprocessing
import re
import signal
import statistics
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from aiops_wb.api.app import create_app
from aiops_wb.api.server import serving
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.examples.flights import ZONE, departures
from aiops_wb.examples.stories import STORIES
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.store import open_store
from aiops_wb.log.tokens import make_token
from aiops_wb.render.pages import index_page
from bench.common import arguments, figure, folder, interleaved, print_error
from bench.daily import REPLAY, demo, python

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


MORNING = """
import sys
from datetime import date, datetime
from pathlib import Path
from aiops_wb.config import Settings
from aiops_wb.daily import run
root, day, at, show, *models = sys.argv[1:]
data, reports = Path(root) / "data", Path(root) / "reports"
settings = Settings(data=data, reports=reports, config="no file")
asked = {"days": [date.fromisoformat(day)], "models": models, "show": show}
ran = run(data, reports, datetime.fromisoformat(at), settings, **asked)
assert ran.exit_code == 0, ran
"""
MODELS = 100
DAYS = 60
SPARK = re.compile(r'<svg class="spark".*?</svg>', re.DOTALL)


def front_page(root, manifest):
    "The front page of a hundred models over 60 days, each day as a real one was."
    entries = list(manifest["models"].values())
    names = [f"a-model-of-a-usual-length-{i:03d}" for i in range(MODELS)]
    many = manifest | {"models": dict(zip(names, cycle(entries)))}
    last = date.fromisoformat(manifest["day"])
    for back in range(DAYS):
        day = str(last - timedelta(back))
        (root / day).mkdir(parents=True)
        (root / day / "manifest.json").write_text(json.dumps(many | {"day": day}))
    return index_page(root)


def pages(root, quick):
    "Sizes of pages, and what a second model costs: of the newest day of the flights demo."
    story = STORIES["flights"]
    last = story.live + timedelta(2) if quick else story.until
    print_error(f"the flights demo to {last}")
    python("-c", REPLAY, root, story.live, 20 if quick else 200)
    demo(root, last)
    with open_snapshot(root / "data") as reader:
        models = reader.models()
    at = story.night(last).isoformat()

    def morning(show, *names):
        return lambda: python("-c", MORNING, root, last, at, show, *names)

    sides = [morning(show, *named) for show in ("none", "last") for named in (models[:1], models)]
    figures_one, figures_all, one, every = interleaved(*sides, runs=2 if quick else 5)
    others = len(models) - 1
    told = "a morning of the first model; ours is what a second one adds"
    costs = ("", figures_one, figures_all), ("_reports", one, every)
    for name, first, all_of_them in costs:
        extra = (all_of_them - first) / others
        with_what = f"{told}, {'with six reports each' if name else 'figures alone'}"
        figure(f"daily_per_extra_model{name}", extra, first, "CPU s", len(models), with_what)
    made = root / "reports" / str(last)
    largest = max(made.glob("*/*.html"), key=lambda page: page.stat().st_size)
    told = f"the largest page of a model on the demo's newest day: {largest.name}"
    figure("report_kb", largest.stat().st_size / 1000, 0, "kB", len(models), told)
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    html = SPARK.sub("", front_page(root / "front", manifest))
    told = "the front page without its drawings, 60 days"
    figure("index_kb_100_models", len(html.encode()) / 1000, 0, "kB", MODELS, told)
    notebook(root / "data", models[0], 5 if quick else 15)


FIRST_TABLE = """
import sys
from aiops_wb import Workbench
shown = Workbench(sys.argv[1])[sys.argv[2]].top(20)._repr_html_()
assert shown and "scipy.stats" not in sys.modules
"""


def notebook(data, model, runs):
    "What the import of the package costs, and a first table, each in a process of its own."
    bare, imported, table = interleaved(
        lambda: python("-c", "pass"),
        lambda: python("-c", "import aiops_wb"),
        lambda: python("-c", FIRST_TABLE, data, model),
        runs=runs,
    )
    told = "python that does nothing; ours is what 'import aiops_wb' adds"
    figure("import_s", imported - bare, bare, "CPU s", 1, told)
    told = (
        "python that does nothing; ours is a whole process: Workbench(data)[model].top(20), shown"
    )
    figure("workbench_first_table_s", table, bare, "CPU s", 20, told)


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
    pages(root / "demo", quick)
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
