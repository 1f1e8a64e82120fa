"""The explorer in a real JupyterLab: moved, proposed with, and looked at as a person does it."""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import browser, needs_chromium
from conftest import MODEL, Bench, events
from devtools import chromium, running, waited
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

from aiops_wb import open_snapshot
from aiops_wb.stats.performance import confusion
from aiops_wb.watch.view import View

pytestmark = [browser, needs_chromium]
TOKEN = "a-token-of-this-test"
AXE = os.environ.get("AXE_CORE", "")
CELLS = (
    "from aiops_wb import ThresholdExplorer\nexplorer = ThresholdExplorer('data')\nexplorer",
    "import json\nprint('KERNEL', json.dumps([explorer.points, explorer.figures]))",
    "explorer.value = 0.7",
    "print('STATE', explorer.state, explorer.said)",
)

SHOWN = "Math.round(1000 * Math.log(score() / (1 - score())))"  # points of the threshold
LOOK = """
axe.run(inside('').getRootNode().host).then(({ violations }) => violations.map(
  ({ id, impact, nodes }) => [id, impact, nodes.map((node) => node.html.slice(0, 200))]))
"""
FIND = """
globalThis.inside = (selector) => {
  const found = (root) => {
    for (const el of root.querySelectorAll("*")) {
      const shadow = el.shadowRoot;
      const hit = shadow && (shadow.querySelector(`.slider ${selector}`) ?? found(shadow));
      if (hit) return hit;
    }
  };
  return found(document);
};
globalThis.cells = (row) =>
  [...inside(`[data-row=${row}]`).querySelectorAll("td")].map((cell) => cell.textContent);
globalThis.placed = (el) => {
  el.scrollIntoView({ block: "center" });
  const { x, y, width, height } = el.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
};
globalThis.thumb = () => {
  const { value, max } = inside("[type=range]");
  const { x, y, width, height } = inside("[type=range]").getBoundingClientRect();
  return [x + 8 + (width - 16) * (value / max), y + height / 2];
};
globalThis.score = () => Number(inside(".score").value);
true
"""


@contextmanager
def lab(folder: Path):
    "The address of a JupyterLab of its own over a folder, and what a reader of notebooks needs."
    own = {
        f"JUPYTER{name}_DIR": str(folder / "jupyter" / name.strip("_").lower())
        for name in ("_CONFIG", "_DATA", "_RUNTIME")
    }
    told = folder / "jupyter" / "config" / "labconfig" / "page_config.json"
    told.parent.mkdir(parents=True)
    news = "@jupyterlab/apputils-extension:announcements"
    told.write_text(json.dumps({"disabledExtensions": {news: True}}))
    options = {
        "ServerApp.root_dir": folder,
        "ServerApp.port": 0,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser"]
    command += [f"--{name}={value}" for name, value in options.items()]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    more = own | {"IPYTHONDIR": str(folder / "ipython"), "LOGNAME": "ana", "PATH": path}
    log = folder / "lab.log"
    with running(command, log, cwd=folder, env=os.environ | more) as ran:
        server = waited(lambda: [*folder.glob("jupyter/runtime/jpserver-*.json")], ran, log)[0]
        yield json.loads(waited(server.read_text, ran, log))["url"]


def opened(page, address, notebook):
    "A notebook in JupyterLab, whose cells can be run."
    page.show(f"{address}lab/tree/{quote(notebook)}?token={TOKEN}&reset")
    page.until("globalThis.jupyterapp && document.querySelector('.jp-Notebook')")
    context = "[...jupyterapp.shell.widgets('main')][0]?.sessionContext"
    page.until(f"{context}?.isReady && {context}.session?.kernel?.status === 'idle'")
    page.until("!document.querySelector('.jp-Spinner')")
    page.ask(FIND)


def run(page, cell):
    "Run one cell, as a person does it."
    editor = f"document.querySelectorAll('.jp-CodeCell .jp-InputArea-editor')[{cell}]"
    page.click(page.ask(f"placed({editor})"))
    page.press("Enter", shift=True)


def printed(page, word):
    "What a cell printed behind a word."
    page.until(f"document.body.innerText.includes('{word} ')")
    said = page.ask(
        "[...document.querySelectorAll('.jp-OutputArea-output pre')].map((el) => el.innerText)"
    )
    return next(text.removeprefix(f"{word} ") for text in said if text.startswith(word))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A log of some days at two sites, and a notebook beside it."
    root = tmp_path_factory.mktemp("lab")
    bench = Bench(root)
    bench.log(events(days=5, per_day=400))
    bench.label(events(days=4, per_day=400))
    bench.ingest()
    bench.publish()
    cells = [new_code_cell(cell) for cell in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    write(new_notebook(cells=cells, metadata=kernel), root / "look.ipynb")
    return root


@pytest.fixture(scope="module")
def page(folder):
    "The notebook in a JupyterLab, its first cell run."
    with lab(folder) as address, chromium() as page:
        opened(page, address, "look.ipynb")
        run(page, 0)
        page.until("inside('.score')")
        yield page


def shown(page):
    "The stop that is shown, and the figures beside it."
    rows = "alerts", "tp", "fn", "fp", "precision", "recall", "fpr"
    told = page.ask(f"{json.dumps(rows)}.map((row) => cells(row)[0])")
    return page.ask("Number(inside('[type=range]').value)"), dict(zip(rows, told))


def in_python(counts, points, days):
    "The figures of a threshold as the slider writes them."
    cells = confusion(counts, points)
    told = {"alerts": f"{counts.at_or_above(points)[0] / days:,.1f}"}
    told |= {name: f"{getattr(cells, name):,}" for name in ("tp", "fn", "fp")}
    rates = {name: getattr(cells, name).value for name in ("precision", "recall", "fpr")}
    return told | {name: "-" if x != x else f"{x:.3f}" for name, x in rates.items()}


def test_it_is_moved_by_keys_and_mouse_and_shows_pythons_figures(page, folder):
    with open_snapshot(folder / "data") as reader:
        others = View(reader, MODEL, reader.days(MODEL)[-1]).other_thresholds
        counts, days = others.counts, others.days_replayed
    last = page.ask("Number(inside('[type=range]').max)")
    seen = set()
    page.ask("inside('[type=range]').focus(), true")
    for key, times in (("ArrowRight", 3), ("PageUp", 2), ("ArrowLeft", 1), ("Home", 1), ("End", 1)):
        page.press(key, times)
        seen.add(agrees(page, counts, days))
    x, y = page.ask("placed(inside('[type=range]'))")
    page.drag(page.ask("thumb()"), (x - 90, y))
    seen.add(agrees(page, counts, days))
    page.drag(page.ask("thumb()"), (x + 40, y))
    seen.add(agrees(page, counts, days))
    assert len(seen) == 7 and {0, last} <= seen
    page.until("inside('.unseen').textContent.startsWith(`At ${inside('.score').value}:`)")
    run(page, 1)
    points, figures = json.loads(printed(page, "KERNEL"))
    assert points == page.ask(SHOWN) and figures["tp"] == confusion(counts, points).tp
    assert figures["alerts"] == counts.at_or_above(points)[0]
    assert not page.errors


def agrees(page, counts, days):
    "The stop that is shown, whose figures are Python's."
    stop, told = shown(page)
    points = page.ask(SHOWN)
    assert told == in_python(counts, points, days), points
    return stop


def test_a_proposal_stands_in_the_log_and_keys_are_no_commands(page, folder):
    run(page, 2)  # the kernel moves it
    page.until("Math.abs(score() - 0.7) < 0.002")
    cells_before = page.ask("document.querySelectorAll('.jp-Cell').length")
    page.click(page.ask("placed(inside('.propose'))"))
    assert page.ask("inside('.answer').textContent").startswith("Say why first")
    page.write("bad days: a b dd x z")  # it has the focus
    assert page.ask("inside('.why').value") == "bad days: a b dd x z"
    assert page.ask("document.querySelectorAll('.jp-Cell').length") == cells_before
    page.click(page.ask("placed(inside('.propose'))"))
    page.until("inside('.answer').textContent.startsWith('P-1: ')")
    with open_snapshot(folder / "data") as reader:
        (of,) = reader.proposals(MODEL)
        assert (of.who, of.why, of.state) == ("ana", "bad days: a b dd x z", "open")
        assert (of.points, of.instead_of) == (page.ask(SHOWN), 0) and of.points > 800
    run(page, 3)
    assert printed(page, "STATE").startswith("done P-1: late v1")
    assert not page.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_as_light_or_dark_as_the_lab_whatever_the_system_is(page, dark):
    themed(page, dark)
    page.dark(not dark)
    back = page.ask("getComputedStyle(inside('')).backgroundColor")
    assert (sum(map(int, back[4:-1].split(","))) < 3 * 128) == dark


@pytest.mark.parametrize(
    ("words", "dark"),
    [
        ("vscode-dark", True),
        ("vscode-light", False),
        ("vscode-high-contrast", True),
        ("vscode-high-contrast vscode-high-contrast-light", False),
        ("dark dark-theme", True),
        ("light light-theme", False),
        ("", True),  # then as the system
    ],
)
def test_other_hosts_say_it_in_other_words(page, words, dark):
    page.dark(dark if not words else not dark)
    told = page.ask(
        f"""(async () => {{
          const [body, host] = [document.body, inside('').getRootNode().host];
          const kept = [body.className, body.dataset.jpThemeLight];
          delete body.dataset.jpThemeLight;
          body.className = {json.dumps(words)};
          await new Promise(requestAnimationFrame);
          const said = host.dataset.theme;
          [body.className, body.dataset.jpThemeLight] = kept;
          return said;
        }})()"""
    )
    assert told == ("dark" if dark else "light")


def themed(page, dark):
    "The lab in its light or its dark theme."
    theme = f"JupyterLab {'Dark' if dark else 'Light'}"
    page.ask(
        f"jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}}).then(() => 1)"
    )
    page.until(f"document.body.dataset.jpThemeName === '{theme}'")


@pytest.mark.skipif(not AXE, reason="axe-core is fetched by make test-browser")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_axe_finds_nothing_serious_in_it(page, width, dark):
    themed(page, dark)
    page.size(width, 1_800)
    page.ask(Path(AXE).read_text(encoding="utf-8") + "; true")
    found = page.ask(LOOK)
    assert not [each for each in found if each[1] in ("serious", "critical")], found
    page.ask("inside('[type=range]').removeAttribute('aria-label'), true")
    nameless = page.ask(LOOK)
    page.ask("inside('[type=range]').setAttribute('aria-label', 'threshold'), true")
    assert "label" in [rule for rule, *_ in nameless]
