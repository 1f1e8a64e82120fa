"""Runs scripts as a page does: in Chromium where there is one, and in node."""

import json
import os
import shutil
import subprocess
from functools import cache
from html import escape
from pathlib import Path

import pytest
from read_pages import hash_of

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NODE = shutil.which("node")
browser = pytest.mark.browser
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")

ANSWER = """
const answer = (said) => {
  parent.document.getElementById("answer").textContent = JSON.stringify(said);
};
"""


def in_chromium(folder: Path, html: str, asks: str, width: int = 1200, dark: bool = False):
    """What a script says, by `answer(...)`, that is added to a page which is shown so wide.

    Its policy lets the added script run as well, by its hash; all else of it stands.
    """
    asks = ANSWER + asks
    held = html.replace("script-src ", f"script-src {hash_of(asks)} ")
    held = held.replace("</body>", f'<script type="module">{asks}</script></body>')
    frame = folder / "frame.html"
    frame.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<pre id="answer"></pre><iframe style="border:0;width:{width}px;height:900px" '
        f'srcdoc="{escape(held)}"></iframe>',
        encoding="utf-8",
    )
    dumped = dom(frame, dark)
    return json.loads(unescaped(dumped.split('<pre id="answer">')[1].split("</pre>")[0]))


def unescaped(text):
    for name, mark in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u00a0"), ("&amp;", "&")):
        text = text.replace(name, mark)
    return text


def dom(page: Path, dark: bool = False, fragment: str = "") -> str:
    "A page as it stands once its scripts have run."
    command = [
        CHROMIUM,
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={page.parent / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=60000",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "--dump-dom",
        page.as_uri() + fragment,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


@cache
def _module():
    root = Path(__file__).parent.parent
    return (root / "aiops_wb" / "render" / "templates" / "slider.js").read_text(encoding="utf-8")


def in_node(folder: Path, asks: str, given):
    "What a script prints that has the slider's functions as `slider`, and `given`."
    (folder / "slider.mjs").write_text(_module(), encoding="utf-8")
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    asked = (
        'import * as slider from "./slider.mjs";\n'
        'import { readFileSync } from "node:fs";\n'
        'const given = JSON.parse(readFileSync("given.json", "utf8"));\n'
        f"console.log(JSON.stringify((() => {{ {asks} }})()));\n"
    )
    (folder / "ask.mjs").write_text(asked, encoding="utf-8")
    ran = subprocess.run(
        [NODE, "ask.mjs"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)
