"""What people and programs are shown of one workbench, as texts.

Commands say it in a terminal, pages in a browser, the service in JSON, and `Workbench` in a
notebook. Numbers are those of the log, whose oracles stand elsewhere; here they only must not
change unnoticed.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path

from recorded import short
from starlette.testclient import TestClient

from aiops_wb import Settings, Workbench
from aiops_wb.api.app import create_app

from .made import BEGUN, LAST, MODEL, MORNING, READ, House, built

__all__ = ["PARTS", "Parts"]

ROOT = Path(__file__).parents[2]
LONGEST = 60
"Lines of one answer that are kept as they are; three times as many of a page."

UNSTEADY = [
    (r"awb_[\w-]{20,}", "awb_SECRET"),
    (r"\b[\d,]+ MB of memory", "N MB of memory"),
    (r"\b[\d.]+ MB(?=/s|[,)])", "N MB"),
    (r"\bhead [0-9a-f]{12}\b", "head HASH"),
    (r'"[0-9a-f]{12}"', '"HASH"'),
    (r'("bytes": )\d+', r"\1N"),
    (r'("mb_per_second": )[\d.]+', r"\1N"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r'(data-state=")[0-9a-f]{16}', r"\1STATE"),
    (r"-[0-9a-f]{8}\.(duckdb|parquet)", r"-HASH.\1"),
]
"What is another in each run: secrets, times of work, what they are hashed to."


class Parts:
    "A house that is lived through once; every part of it is asked for in the same order."

    def __init__(self, root: Path):
        self.house: House = built(root)
        self.settings = Settings(data=root / "data", reports=root / "reports", complete_share=1)

    def _steady(self, text: str) -> str:
        "A text without what is another in each run."
        for place, name in ((self.house.root, "HOUSE"), (ROOT, "HERE")):
            text = text.replace(str(place), name)
        for pattern, instead in UNSTEADY:
            text = re.sub(pattern, instead, text)
        return text

    def _said(self, script: str) -> str:
        answers = map(self._steady, self.house.calls(script))
        return "\n".join("\n".join(short(answer, LONGEST)) for answer in answers)

    def begun(self) -> str:
        "What commands say that take in, train, set and declare."
        return self._said(BEGUN)

    def morning(self) -> str:
        "What a morning says, with alarms and cases, and when it is asked for again."
        self.house.now += timedelta(7)
        return self._said(MORNING)

    def pages(self) -> str:
        "Every page of that morning: its words, and what is drawn."
        told, root = [], self.house.root / "reports"
        for path in sorted(root.rglob("*.html")):
            shown = self._steady("\n".join(read(path.read_text(encoding="utf-8"))))
            told += [f"== {path.relative_to(root)}", *short(shown, 3 * LONGEST), ""]
        return "\n".join(told)

    def read(self) -> str:
        "What commands say that only read."
        return self._said(READ)

    def service(self) -> str:
        "What the service answers."
        app = create_app(
            self.settings.data, self.settings, clock=lambda: self.house.now, take_in=False
        )
        told = []
        with TestClient(app, "http://127.0.0.1:8765", client=("127.0.0.1", 50_000)) as client:
            for path in ADDRESSES:
                answer = client.get(path)
                body = answer.text
                if "json" in answer.headers["content-type"]:
                    body = json.dumps(answer.json(), indent=1, ensure_ascii=False)
                told += [
                    f"GET {path}",
                    *short(self._steady(body), LONGEST),
                    f"[{answer.status_code}]",
                    "",
                ]
        return "\n".join(told)

    def lab(self) -> str:
        "What `Workbench` answers in a notebook."
        told = []
        with Workbench(self.settings.data, config=self.house.root / "aiops.toml") as wb:
            model = wb[MODEL]
            for name, ask in ANSWERS.items():
                answer = ask(model, wb)
                told += [f">>> {name}", *short(self._steady(repr(answer)), LONGEST)]
                frame = getattr(answer, "frame", None)
                if frame is not None:
                    told += short(frame.to_csv(index=False, float_format="%.6g"), LONGEST)
                if html := getattr(answer, "_repr_html_", lambda: "")():
                    told += short("\n".join(read(html)), LONGEST)
                if hasattr(answer, "plot"):
                    told += short("\n".join(read(answer.plot()._repr_svg_())), LONGEST)
                told.append("")
        return "\n".join(told)

    def told(self, part: str) -> str:
        "A part, as a text that is the same in each run."
        return self._steady(getattr(self, part)())


PARTS = ("begun", "morning", "pages", "read", "service", "lab")
"In the order in which they are lived through."

ADDRESSES = (
    "/thresholds",
    "/thresholds/late~20arrivals:v1",
    "/proposals",
    "/proposals/P-1",
    "/proposals/P-9",
    "/models",
    f"/models/{MODEL}/daily",
    f"/models/{MODEL}/daily?from=2026-03-27&metric=precision",
    "/metrics/false-positive-rate?by=site",
    "/metrics/false-positive-rate?by=version",
    f"/explanations/{MODEL}/e1660",
    f"/explanations/{MODEL}/nobody",
    "/cases",
    "/cases?state=open&site=south&limit=2",
    "/alarms",
    "/drift",
    "/acts",
    "/health",
    "/",
    "/web/thresholds/late~20arrivals:v1",
)

WEEK = (LAST - timedelta(9), LAST - timedelta(3))
ANSWERS: dict[str, Callable] = {
    "wb": lambda m, wb: wb,
    "wb[model]": lambda m, wb: m,
    "model.features, model.sites": lambda m, wb: (m.features, m.sites, m.version, m.threshold),
    "model.top(5)": lambda m, wb: m.top(5),
    "model.top(2, site='south')": lambda m, wb: m.top(2, site="south"),
    "model.rows(where=...)": lambda m, wb: m.rows(*WEEK, where="rain > 8 and label == 1"),
    "model.alerts(...)": lambda m, wb: m.alerts(WEEK[1]),
    "model.performance()": lambda m, wb: m.performance(),
    "model.performance('precision', threshold=.4)": lambda m, wb: m.performance(
        "precision", days=10, threshold=0.4
    ),
    "model.curve(by='site')": lambda m, wb: m.curve(by="site"),
    "model.drift()": lambda m, wb: m.drift(),
    "model.drift('rain')": lambda m, wb: m.drift("rain"),
    "model.drift('shift')": lambda m, wb: m.drift("shift"),
    "model.simulate(.5)": lambda m, wb: m.simulate(0.5),
    "model.why('precision')": lambda m, wb: m.why("precision", *WEEK),
    "model.why('alerts', by='all')": lambda m, wb: m.why("alerts", *WEEK, by="all"),
    "model.explain(...)": lambda m, wb: m.explain("e1660"),
    "model.replay({'threshold': .7})": lambda m, wb: m.replay({"threshold": 0.7}, *WEEK),
}


SHAPES = "d|points|x|y|x1|x2|y1|y2|width|height|r|cx|cy|transform"
"Attributes that say where something is drawn."


def read(html: str) -> Iterator[str]:
    """The words of a page or of a drawing, a line for each element that has some, where links lead,
    and of each drawing a hash of its shapes."""
    html = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.S)
    for drawn in re.findall(r"<svg\b.*?</svg>", html, flags=re.S):
        shapes = re.findall(rf'\b(?:{SHAPES})="[^"]*"', drawn)
        mark = sha256(" ".join(shapes).encode()).hexdigest()[:12]
        html = html.replace(drawn, f"{drawn}<p>[{len(shapes)} shapes, {mark}]</p>", 1)
    for tag, attributes, text in re.findall(r"<(\w+)([^>]*)>([^<]*)", html):
        named = re.findall(r'\b(?:href|aria-label|title|alt)="([^"]*)"', attributes)
        if said := " ".join(unescape("".join(f"{{{name}}} " for name in named) + text).split()):
            yield f"{tag}: {said}"
    for said in re.findall(r"</\w+>([^<]+)", html):
        if said := " ".join(unescape(said).split()):
            yield f"  {said}"
