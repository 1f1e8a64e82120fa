"""Runs scripts as a page does: in Chromium, and in node where there is one."""

import json
import shutil
import subprocess
from functools import cache
from html import escape
from pathlib import Path

import pytest
from devtools import CHROMIUM, chromium
from read_pages import hash_of

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
    with chromium() as page:
        page.show(frame.as_uri(), width, dark=dark)
        page.until("document.getElementById('answer')?.textContent")
        return json.loads(page.ask("document.getElementById('answer').textContent"))


def dom(page: Path, fragment: str = "") -> str:
    "A page as it stands once its scripts have run."
    with chromium() as shown:
        shown.show(page.as_uri() + fragment)
        shown.until("document.readyState === 'complete'")
        return shown.source()


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
