"""The explorer in a real JupyterLab: moved, proposed with, and looked at as a person does it."""

import json
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import browser, needs_chromium
from conftest import MODEL, events
from devtools import chromium, running, waited
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

TOKEN = "a-token-of-this-test"
CELLS = (
    "from aiops_wb import ThresholdExplorer\nexplorer = ThresholdExplorer('data')\nexplorer",
    "import json\nprint('KERNEL', json.dumps([explorer.points, explorer.figures]))",
    "explorer.value = 0.7",
    "print('STATE', explorer.state, explorer.said)",
)

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
    more = own | {"IPYTHONDIR": str(folder / "ipython"), "LOGNAME": "ana"}
    log = folder / "lab.log"
    with running(command, log, cwd=folder, env=os.environ | more) as ran:
        server = waited(lambda: [*folder.glob("jupyter/runtime/jpserver-*.json")], ran, log)[0]
        yield json.loads(waited(server.read_text, ran, log))["url"]


def opened(page, address, notebook):
    "A notebook in JupyterLab, whose cells can be run."
    page.show(f"{address}lab/tree/{quote(notebook)}?token={TOKEN}&reset")
    page.until("globalThis.jupyterapp && document.querySelector('.jp-Notebook')")
    page.until("document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')")
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
