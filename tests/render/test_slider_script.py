"""The script of a slider: its figures are Python's, in node; and how it acts, in Chromium."""

import json
import os
import re
import shlex
from fractions import Fraction
from math import nan
from pathlib import Path

import numpy as np
import pytest
from browser import browser, dom, in_chromium, in_node, needs_chromium, needs_node
from nbformat.v4 import new_code_cell, new_notebook, new_output
from read_pages import elements, hash_of, held, text

from aiops_wb.render.frame import Link
from aiops_wb.render.jobs import Job
from aiops_wb.render.notebook import _write_beside, render
from aiops_wb.render.sliders import SEGMENTS, SLIDER, Segments, Slider, as_text, script, scripted
from aiops_wb.render.tables import note
from aiops_wb.render.vocabulary import METRICS
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import confusion
from aiops_wb.stats.points import Grid
from aiops_wb.watch.slider import packed

HOSTILE = "</script><script>alert('a & b')</script> \"site\" 'a' \u2028 Zürich 🛫"
COSTS = {"missed": 7.3, "false": 1.1, "review": 0.25}
DAYS = 30


def table(kind="logit", step=1, n=20_000, seed=0):
    "Counts of made events, a third without a label."
    rng = np.random.default_rng(seed)
    points = np.clip(rng.normal(-500, 1_800, n), -15_000, 15_000).astype(int)
    labels = (rng.random(n) < 1 / (1 + np.exp(-points / 1_000))).astype(float)
    labels[rng.random(n) < 0.3] = nan
    return ScoreCounts.from_events(points, labels, Grid(kind, step))


def data_of(counts, in_force=405, **more):
    "What a page holds of a table of counts."
    edge = int(counts.grid.cells(in_force))
    ours = packed(counts, [edge, -268]) | {"name": "all events", "inForce": edge, "says": ""}
    named = {"model": "m", "version": "v", "kind": counts.grid.kind, "days": DAYS, "says": "Days."}
    return named | {"marks": [{"name": "best F1", "points": -268}], "parts": [ours]} | more


def stops(part):
    every = range(part["low"], part["high"] + 1, part["step"])
    return sorted({*every, *part["marks"]})


def thousand(part):
    "A thousand stops with the ends, or all where there are fewer."
    all_of = stops(part)
    at = np.unique(np.linspace(0, len(all_of) - 1, 1_000).round().astype(int))
    return at.tolist(), [all_of[i] for i in at]


def written(x, digits, signed=False):
    "As Python writes it; no sign where nothing is left to see."
    if x != x:
        return "-"
    text = f"{abs(x):,.{digits}f}"
    sign = "-" if x < 0 else "+" if signed else ""
    return sign + text if re.search("[1-9]", text) else text


def in_python(counts, at):
    "The figures of a threshold, by the table of counts itself, and how many digits are shown."
    cells, alerts = confusion(counts, at), counts.at_or_above(at)[0]
    missed, false = COSTS["missed"] * cells.fn, COSTS["false"] * cells.fp
    reviewed = COSTS["review"] * (cells.tp + cells.fp)
    return {
        "alerts": (alerts / DAYS, 1),
        "tp": (cells.tp, 0),
        "fn": (cells.fn, 0),
        "fp": (cells.fp, 0),
        "precision": (cells.precision.value, 3),
        "recall": (cells.recall.value, 3),
        "fpr": (cells.fpr.value, 3),
        "cost": ((missed + (false + reviewed)) / DAYS, 1),
    }


def shown_at(counts, at, in_force):
    "The rows of the page's table at a threshold: here, in force, difference."
    here, there = in_python(counts, at), in_python(counts, in_force)
    return {
        name: [written(a, d), written(there[name][0], d), written(a - there[name][0], d, True)]
        for name, (a, d) in here.items()
    }


@needs_node
@pytest.mark.parametrize(("kind", "cells"), [("logit", 1), ("logit", 20), ("linear", 1)])
def test_figures_at_a_thousand_positions_are_pythons(tmp_path, kind, cells):
    counts = table(kind, cells)
    (part,) = data_of(counts)["parts"]
    _, points = thousand(part)
    said = in_node(
        tmp_path,
        """
        const table = slider.unpack(given.part);
        const stops = slider.stopsOf(given.part);
        const told = given.points.map((at) => {
          const now = slider.confusion(table, at);
          return [now, slider.figures(now, given.days, given.costs)];
        });
        return { stops, told, least: slider.cheapest(table, stops, given.costs) };""",
        {"part": part, "points": points, "days": DAYS, "costs": COSTS},
    )
    assert said["stops"] == stops(part)
    assert len(points) == 1_000 if cells == 1 else points == stops(part)
    for at, (now, figures) in zip(points, said["told"]):
        cells, above = confusion(counts, at), counts.at_or_above(at)
        assert [now[name] for name in ("tp", "fp", "fn", "tn")] == [*cells.__dict__.values()]
        assert now["alerts"] == above[0] and now["unknown"] == above[0] - above[1]
        assert now["unknown"] + now["unknownBelow"] == counts.total[0] - counts.total[1]
        for name, (value, digits) in in_python(counts, at).items():
            ours = nan if figures[name] is None else figures[name]
            assert ours == value or (ours != ours and value != value), (name, at, digits)
    by_cost = {at: in_python(counts, at)["cost"][0] for at in stops(part)}
    least = min(by_cost.values())
    assert said["least"] == max(at for at, cost in by_cost.items() if cost == least)


@needs_node
def test_numbers_are_written_as_python_writes_them(tmp_path):
    rng = np.random.default_rng(0)
    ties = [k / 2 ** (d + 1) for d in (0, 1, 3) for k in range(-99, 100)]
    ratios = [float(Fraction(int(a), int(b))) for a, b in rng.integers(1, 2_000, (3_000, 2))]
    numbers = [*ties, *ratios, *(rng.normal(0, 1e6, 2_000)), 0.0, -0.0, 1e6, 999.95, 0.9995]
    said = in_node(
        tmp_path,
        """return given.map((x) => [0, 1, 3].flatMap((digits) => [
          slider.written(x, digits), slider.written(x, digits, true)]));""",
        numbers,
    )
    for x, texts in zip(numbers, said):
        wanted = [written(x, d, signed) for d in (0, 1, 3) for signed in (False, True)]
        assert texts == wanted, x


@needs_node
@pytest.mark.parametrize("kind", ["logit", "linear"])
def test_the_score_that_is_shown_is_read_as_the_same_threshold(tmp_path, kind):
    grid = Grid(kind)
    points = [*range(-9_600, 9_601, 7), *range(-16_000, -9_600, 97), 405, -268, 0]
    high = [*range(9_601, 16_000, 97), 15_999, 16_000]
    said = in_node(
        tmp_path,
        "return given.points.map((at) => slider.spelled(at, given.kind));",
        {"points": points + high, "kind": kind},
    )
    read = grid.quantise([float(text) for text in said]).tolist()
    assert read[: len(points)] == points
    assert all(len(text) <= 13 for text in said[: len(points)])
    if kind == "logit":
        assert said[points.index(405)] == "0.600"
        near_one = np.float32(1) - np.arange(1, 2_000, dtype=np.float32) * np.float32(2**-24)
        reached = np.unique(grid.quantise(near_one))  # no other score is logged up there
        for at, back in zip(high, read[len(points) :]):
            assert np.searchsorted(reached, at) == np.searchsorted(reached, back), at


@needs_node
def test_the_command_is_read_by_a_shell_as_it_was_meant(tmp_path):
    names = ["m", "late at 'dep'", HOSTILE, "$(rm -rf /)", "-x", "a`b`", "é\\", "a\nb"]
    parts = [{}, {"site": None}, *({"site": name, "tenant": name[::-1]} for name in names)]
    asked = [[m, part, at, m] for m in names for part in parts for at in ("0.600", "-1.5")]
    said = in_node(tmp_path, "return given.map((words) => slider.command(...words));", asked)
    for (model, part, score, why), line in zip(asked, said):
        of = [f"--{key}={part[key]}" for key in ("tenant", "site") if part.get(key)]
        options = [f"--model={model}", *of, f"--why={why}"]
        words = [*options, "--", score] if score[0] == "-" else [score, *options]
        assert shlex.split(line) == ["aiops-wb", "thresholds", "propose", *words]
    assert said[0] == "aiops-wb thresholds propose 0.600 --model=m --why=m"


def page_of(data, shown=(), folder=Path()):
    "A report with a slider, and what else its cells show."
    outputs = [
        new_output("display_data", data=made._repr_mimebundle_()) for made in (Slider(data), *shown)
    ]
    nb = new_notebook(cells=[new_code_cell("x", outputs=outputs)])
    links = (Link("All days", "../../index.html"), Link("m"), Link("Thresholds"))
    job = Job("j", Path(), folder / "thresholds.html", {}, f"{HOSTILE}: Thresholds", links)
    return nb, job, render(nb, job)


def test_a_page_with_a_slider_runs_that_script_and_no_other():
    _, _, html = page_of(data_of(table(), model=HOSTILE))
    held(html)
    assert html.count("<script") == 1 and "</script" not in script()
    assert f"script-src {hash_of(script())}" in scripted()["policy"]
    (root,) = (e for e in elements(html) if e.get("data-slider"))
    assert json.loads(root.get("data-slider"))["model"] == HOSTILE
    assert len(html) < 80_000
    plain = new_notebook(cells=[])
    without = render(plain, Job("j", Path(), Path(), {}, "t"))
    assert "script" not in without.partition("</head>")[0] and "<script" not in without


def test_where_no_script_runs_the_sentences_stand():
    flat = {"low": 1, "high": 2, "says": f"Cheap {HOSTILE}", "inside": "is", "outside": "is not"}
    _, _, html = page_of(data_of(table(), flat=flat))
    held(html)
    stripped = text(re.sub("<script.*?</script>", "", html, flags=re.S))
    for said in ("Days.", f"Cheap {HOSTILE}", "Where scripts run, a slider"):
        assert " ".join(said.split()) in stripped


def test_tenants_and_sites_have_a_page_beside_that_goes_when_they_do(tmp_path):
    data = data_of(table(step=20))
    data["parts"] = [p | {"name": f"site {HOSTILE}", "site": HOSTILE} for p in data["parts"] * 2]
    nb, job, html = page_of(data_of(table()), [Segments(note("a table"), data, 3)], tmp_path)
    _write_beside(nb, job)
    beside = (tmp_path / "thresholds.segments.html").read_text()
    held(html), held(beside)
    assert 'href="thresholds.segments.html"' in html and "3 smaller ones" in html
    assert 'href="thresholds.html"' in beside
    (root,) = (e for e in elements(beside) if e.get("data-slider"))
    assert json.loads(root.get("data-slider"))["parts"][0]["site"] == HOSTILE
    _write_beside(new_notebook(cells=[]), job)
    assert not (tmp_path / "thresholds.segments.html").exists()


def test_rows_are_called_as_everywhere():
    titles = {entry.title for entry in METRICS.values()}
    for title in ("Positives caught", "Positives missed", "False positives", "False positive rate"):
        assert title in titles and f'"{title}"' in script()
    assert as_text({"a": HOSTILE}).isascii()
    assert {SLIDER, SEGMENTS} & {"text/html"} == set()


READ = """
const cells = (row) =>
  [...document.querySelectorAll(`[data-row=${row}] td`)].map((cell) => cell.textContent);
const range = document.querySelector("[type=range]");
const key = (name, more = {}) =>
  range.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true, ...more }));
const set = (field, value, type) => {
  field.value = value;
  field.dispatchEvent(new Event(type, { bubbles: true }));
};
const rest = () => new Promise((resolve) => setTimeout(resolve, 900));
"""


@browser
@needs_chromium
def test_a_page_shows_pythons_figures_at_a_thousand_positions(tmp_path):
    counts = table()
    data = data_of(counts, costs=COSTS)
    (part,) = data["parts"]
    places, points = thousand(part)
    asks = (
        READ
        + f"""
    const names = {json.dumps([*in_python(counts, 0)])};
    answer({places}.map((place) => {{
      set(range, place, "input");
      return [Object.fromEntries(names.map((name) => [name, cells(name)])), cells("score"),
        cells("above"), cells("below")];
    }}));
    """
    )
    said = in_chromium(tmp_path, page_of(data)[2], asks)
    assert len(said) == 1_000
    for at, (rows, score, above, below) in zip(points, said):
        assert rows == shown_at(counts, at, 405), at
        assert int(Grid().quantise(float(score[0]))) == at and score[1] == "0.600"
        cells, (n, labelled, _) = confusion(counts, at), counts.at_or_above(at)
        unknown = n - labelled, counts.total[0] - counts.total[1] - (n - labelled)
        assert above == [f"{x:,}" for x in (cells.tp, cells.fp, unknown[0])]
        assert below == [f"{x:,}" for x in (cells.fn, cells.tn, unknown[1])]


@browser
@needs_chromium
def test_keys_move_it_and_a_reader_is_told_once_it_rests(tmp_path):
    data = data_of(
        table(),
        flat={
            "low": 300,
            "high": 500,
            "says": "0.57 to 0.62.",
            "inside": "is one",
            "outside": "is none",
        },
        marks=[{"name": "best F1", "points": -268}],
    )
    asks = (
        READ
        + """
    const status = document.querySelector("[role=status]");
    const said = { start: range.value, min: range.min, max: range.max, values: [] };
    const told = [];
    new MutationObserver(() => told.push(status.textContent)).observe(status, { childList: true });
    for (const name of ["ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown",
        "Home", "ArrowLeft", "End", "ArrowRight", "a"]) {
      const free = key(name);
      said.values.push([name, Number(range.value), free]);
    }
    key("ArrowLeft", { ctrlKey: true });
    said.kept = Number(range.value);
    await rest();
    said.told = [...told];
    const score = document.querySelector(".score");
    set(score, "0,6", "change");
    said.typed = [score.value, range.getAttribute("aria-valuetext"), cells("score")[0]];
    said.band = document.querySelector("[data-band=flat]").textContent;
    said.width = [document.querySelector("rect.flat").getAttribute("width")];
    set(score, "0.4334", "change");
    said.outside = document.querySelector("[data-band=flat]").textContent;
    set(score, "0.6", "change");
    for (const wrong of ["", "much", "7"]) {
      set(score, wrong, "change");
      said.typed.push(score.value);
    }
    set(score, "1", "change");
    said.top = Number(range.value);
    await rest();
    said.buttons = [...document.querySelectorAll("[data-jumps] button")].map((e) => e.textContent);
    document.querySelectorAll("[data-jumps] button")[0].click();
    said.back = cells("score")[0];
    said.before = document.querySelector("[data-jumps]").textContent.includes("cheapest");
    for (const [name, value] of Object.entries({ missed: 7, false: 1, review: 0 }))
      set(document.querySelector(`[name=${name}]`), value, "input");
    await rest();
    said.cheapest = document.querySelector("[data-jumps]").textContent.includes("cheapest");
    said.cost = cells("cost");
    said.other = document.querySelector("[data-band=flat]").textContent;
    said.width.push(document.querySelector("rect.flat").getAttribute("width"));
    document.querySelector("button:not([data-jumps] *)").click();
    said.asked = [status.textContent, document.activeElement.className];
    set(document.querySelector(".why"), "too many 'alerts'", "input");
    said.command = document.querySelector("code").textContent;
    said.labels = [...document.querySelectorAll("input, select")].map((e) =>
      e.getAttribute("aria-label") || (e.labels[0] && e.labels[0].textContent.trim()) || "");
    answer(said);
    """
    )
    said = in_chromium(tmp_path, page_of(data)[2], asks)
    at, last = int(said["start"]), int(said["max"])
    page = round((last + 1) / 20)
    moved = [at + 1, at + 2, at + 1, at, at + page, at, 0, 0, last, last, last]
    assert [value for _, value, _ in said["values"]] == moved
    assert [free for *_, free in said["values"]] == [False] * 10 + [True]
    assert said["min"] == "0" and said["kept"] == last
    assert len(said["told"]) == 1 and "alerts a day, precision -, recall 0.000" in said["told"][0]
    assert said["typed"][0] == said["typed"][2] == "0.600"
    assert said["typed"][1].startswith("0.600, ") and said["typed"][1].endswith("alerts a day")
    assert said["typed"][3:5] == ["0.600", "0.600"] and said["typed"][5] == "0.600"
    wide = sum(300 <= stop < 500 for stop in stops(data["parts"][0]))
    assert said["band"] == "0.57 to 0.62. 0.600 is one."
    assert said["outside"] == "0.57 to 0.62. 0.4334 is none."
    assert said["other"].startswith("At other costs") and said["width"] == [str(wide), "0"]
    assert said["top"] == last and said["back"] == "0.600"
    assert said["buttons"][:2] == ["in force: 0.600", "best F1: 0.4334"]
    assert (said["before"], said["cheapest"]) == (False, True) and said["cost"][0] != "-"
    assert said["asked"] == ["Say why first: the reason is kept with the change.", "why"]
    assert shlex.split(said["command"])[2:] == [
        *("propose", "0.600", "--model=m", "--why=too many 'alerts'")
    ]
    assert all(said["labels"])


@browser
@needs_chromium
def test_names_stay_text_and_no_script_of_theirs_runs(tmp_path):
    data = data_of(table(step=20), model=HOSTILE, says=HOSTILE)
    named = [(f"site {HOSTILE}", HOSTILE), ("site b", "b")]
    of_parts = [
        data["parts"][0] | {"name": name, "site": site, "says": HOSTILE} for name, site in named
    ]
    asks = (
        READ
        + """
    const select = document.querySelector("select");
    const first = [select.options[0].textContent, document.querySelector("[data-part]").textContent,
      document.querySelector("code").textContent, document.querySelectorAll("script").length];
    set(select, 1, "change");
    answer([...first, document.querySelector("code").textContent, globalThis.ran ?? "nothing"]);
    """
    )
    hostile = "<script>globalThis.ran = 1</script><img src=x onerror='globalThis.ran = 2'>"
    html = page_of(data | {"parts": of_parts})[2].replace("<article>", f"<article>{hostile}", 1)
    name, says, command, scripts, of_b, ran = in_chromium(tmp_path, html, asks)
    assert (name, says) == (f"site {HOSTILE}", HOSTILE) and scripts == 3
    assert shlex.split(command)[4:6] == [f"--model={HOSTILE}", f"--site={HOSTILE}"]
    assert "--site=b" in of_b and ran == "nothing"


@browser
@needs_chromium
def test_a_page_that_is_opened_from_a_folder_moves(tmp_path):
    "Just as it is written: by its own policy, without a server, at the place that a link names."
    data = data_of(table())
    nb, job, html = page_of(data, folder=tmp_path)
    job.target.write_text(html)
    linked = dom(job.target, fragment="#at=-268")
    assert 'class="slider"' in linked
    assert re.search(r'data-row="score".*?>0\.4334<', linked, re.S)


AXE = os.environ.get("AXE_CORE", "")


@browser
@needs_chromium
@pytest.mark.skipif(not AXE, reason="axe-core is fetched by make test-browser")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_axe_finds_nothing_serious(tmp_path, width, dark):
    band = {"low": 300, "high": None, "says": "From 0.57.", "inside": "is", "outside": "is not"}
    data = data_of(table(), costs=COSTS, flat=band, promise=band)
    data["parts"] = [data["parts"][0] | {"name": name} for name in ("site a", "site b")]
    asks = """
    const look = async () => (await axe.run(document)).violations.map(({ id, impact, nodes }) =>
      [id, impact, nodes.map((node) => node.html.slice(0, 200))]);
    const found = await look();
    document.querySelector("[type=range]").removeAttribute("aria-label");
    answer([found, await look()]);
    """
    asks = Path(AXE).read_text(encoding="utf-8") + asks
    found, nameless = in_chromium(tmp_path, page_of(data)[2], asks, width, dark)
    assert not [each for each in found if each[1] in ("serious", "critical")], found
    assert "label" in [rule for rule, *_ in nameless]
