"""Every page of a morning in a browser: nothing serious, nothing cut off, what is folded opens."""

import io
import json
import os
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from browser import browser, in_chromium, needs_chromium
from conftest import Bench, events
from devtools import chromium

from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.render import plots
from aiops_wb.render.plots.chart import STYLE
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import curve

pytestmark = [pytest.mark.slow, browser, needs_chromium]  # make test-browser runs them
AXE = os.environ.get("AXE_CORE")
FOUND = """
axe.run().then(({ violations }) => violations.map(
  ({ id, impact, nodes }) => [id, impact, nodes.map(({ html }) => html.slice(0, 200)).slice(0, 3)]))
"""


LETTERS = """
[...document.querySelectorAll(".output_area > svg.drawing")]
  .filter((svg) => innerWidth > 560 || svg.querySelector("style").textContent.includes("@media"))
  .flatMap((svg) => [...svg.querySelectorAll("text")]).filter((text) => text.checkVisibility())
  .map((text) => [text.getBoundingClientRect(), text.getAttribute("transform")])
  .map(([{ left, right, width, height }, turned]) => [left, right, turned ? width : height])
  .filter(([left, right]) => right > left)
"""
"Where the letters of drawings of reports stand; on a phone, of those whose panels are stacked."


@pytest.fixture(scope="module")
def morning(tmp_path_factory):
    "The pages of two days of two models."
    bench = Bench(tmp_path_factory.mktemp("morning"))
    for model, seed in (("late", 0), ("slow", 1)):
        frame = events(days=5, seed=seed)
        frame["id"] = model + frame.id
        bench.log(frame, model=model)
        bench.label(frame, at="2026-03-05T12:00:00Z")
    settings = Settings(data=bench.data)
    for day in (5, 6):
        now = datetime(2026, 3, day, 6, tzinfo=UTC)
        ran = run(bench.data, bench.root / "reports", now, settings, show="last")
        assert ran.exit_code == 0
    return bench.root / "reports"


def shown(page, path, width=1200, dark=False, at=""):
    page.show(path.as_uri() + at, width, 900, dark)
    page.until(f"location.pathname.endsWith({json.dumps('/' + quote(path.name))})")
    page.until("document.readyState === 'complete'")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_every_page_is_well(morning, width, dark):
    "Nothing is broken or cut off, and axe finds nothing serious, folded or not."
    pages = [*morning.glob("*.html"), *(morning / "2026-03-05").rglob("*.html")]
    assert len(pages) >= 3 + 1 + 2 * 8
    with chromium() as page:
        for path in pages:
            shown(page, path, width, dark)
            for all_open in (False, True):
                page.ask(
                    f"document.querySelectorAll('details').forEach((e) => e.open = {all_open:d})"
                )
                assert page.ask("document.documentElement.scrollWidth") <= width, path
                for left, right, high in page.ask(LETTERS):
                    assert 0 <= left <= right <= width and high > 6, (path, left, right, high)
                if AXE:
                    page.ask(Path(AXE).read_text(encoding="utf-8") + ";0")
                    found = [one for one in page.ask(FOUND) if one[1] in ("serious", "critical")]
                    assert not found, (path, found)
        assert not page.errors


def test_what_is_folded_opens_for_a_link_a_key_and_paper(morning):
    performance = morning / "2026-03-05" / "late" / "performance.html"
    part = "document.getElementById('Calibration').checkVisibility()"
    word = "document.querySelector('.words dd').checkVisibility()"
    with chromium() as page:
        shown(page, performance)
        assert not page.ask(part) and not page.ask(word)
        page.paper()
        assert page.ask(part)
        page.paper(False)
        page.ask("document.querySelector('.fold summary').focus()")
        page.press("Enter")
        assert page.ask("document.querySelector('.fold').open")
        shown(page, performance, at="#Calibration")
        page.until(part)
        page.ask("document.querySelector('a.word').click()")
        page.until(word)


def charts():
    "One of each kind of drawing."
    days = pd.date_range("2026-01-01", periods=40).date
    value = 0.5 + 0.3 * np.sin(np.arange(40))
    known = pd.DataFrame({"event_date": days, "value": value, "metric": "recall"})
    counts = ScoreCounts.from_events(np.arange(-6000, 6000, 7), np.arange(1715) % 3 == 0)
    reasons = pd.DataFrame({"reason_1": ["a", "b", "a"], "push_1": [1.0, 2.0, 0.5]})
    yield plots.history(known.assign(lower=value - 0.1, upper=value + 0.1), ["recall"])
    yield plots.threshold_curve(curve(counts), Grid(), 0, 500, blind=-500)
    yield plots.score_shift(counts, counts, at=0)
    yield plots.reason_bars(reasons)
    yield plots.reliability(counts)
    yield plots.decision_flow()


COMPARED = """
const seen = async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = new OffscreenCanvas(883, 500);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, 883, 500);
  context.drawImage(image, 0, 0, 883, 883 * image.naturalHeight / image.naturalWidth);
  return context.getImageData(0, 0, 883, 500).data;
};
Promise.all(GIVEN.map((pair) => Promise.all(pair.map(seen)))).then((pairs) => answer(
  pairs.map(([ours, theirs]) => {
    const off = ours.map((value, place) => Math.abs(value - theirs[place]));
    return [off.reduce((a, b) => a + b, 0) / off.length,
            off.filter((value) => value > 64).length / off.length];
  })));
"""


def test_a_drawing_looks_as_matplotlib_draws_it(tmp_path):
    """But for the edges of letters and lines: coordinates are whole tenths of a point. Another one
    does not."""
    drawn = []
    for chart in charts():
        theirs, ours = io.StringIO(), chart._repr_svg_()
        with mpl.rc_context(STYLE | {"svg.fonttype": "none"}):
            chart.savefig(theirs, format="svg")
        said = theirs.getvalue().replace("font-family: 'DejaVu Sans'", "font-family: system-ui")
        drawn.append([_as_source(svg) for svg in (ours, said)])
    others = [(ours, theirs) for (ours, _), (_, theirs) in zip(drawn, drawn[1:])]
    asks = COMPARED.replace("GIVEN", json.dumps([*drawn, *others]))
    told = in_chromium(tmp_path, '<!doctype html><meta name="script-src"><body></body>', asks)
    for k, (mean, apart) in enumerate(told):
        assert (mean < 2 and apart < 0.01) == (k < len(drawn)), (k, mean, apart)


def _as_source(svg):
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
