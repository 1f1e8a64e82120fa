"""The pages in a browser: used by two people at once, as people do it."""

import os
import re
import sys
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from browser import browser, needs_chromium
from conftest import MODEL
from devtools import chromium, running, waited
from serving import NOW, copy

from aiops_wb.log.tokens import make_token, revoke_token
from aiops_wb.watch.view import open_view

pytestmark = [browser, needs_chromium]
AXE = os.environ.get("AXE_CORE")
SERVE = "import sys; from aiops_wb.cli import main; sys.exit(main())"
PAGES = ["/", f"/pages/models/{MODEL}?threshold=0.7", "/pages/proposals"]
PAGES += ["/pages/cases?days=90", "/pages/alarms", "/pages/nowhere"]
BROKEN = """
globalThis.broken = [];
document.addEventListener("securitypolicyviolation",
  (event) => broken.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def served(bench, log: Path, **settings):
    "The address of a service that runs, and its process."
    command = [sys.executable, "-c", SERVE, "serve", "--port=0", f"--data={bench.data}"]
    more = {f"AIOPS_{name.upper()}": str(value) for name, value in settings.items()}
    with running(command, log, cwd=bench.root, env=os.environ | more) as ran:
        at = waited(lambda: re.search(r"http://\S+:\d+", log.read_text()), ran, log)
        yield at[0], ran


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("seen") / "bench")


class Person:
    "Somebody at a browser of their own."

    def __init__(self, page, address, secret):
        self.page, self.address = page, address
        page.first(BROKEN)
        self.open("/")
        self.type("input[name=token]", secret)
        page.press("Enter")
        page.until("document.querySelector('nav .who')")

    def open(self, path):
        self.page.show(self.address + path)
        self.page.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def text(self, selector):
        return self.page.ask(f"document.querySelector({selector!r})?.innerText")

    def sees(self, text, selector="main"):
        self.page.until(f"document.querySelector({selector!r})?.innerText.includes({text!r})")

    def click(self, selector):
        "Click in the middle of what is found."
        at = self.page.ask(
            f"""(() => {{
              const el = document.querySelector({selector!r});
              el.scrollIntoView({{ block: "center" }});
              const {{ x, y, width, height }} = el.getBoundingClientRect();
              return [x + width / 2, y + height / 2];
            }})()"""
        )
        self.page.click(at)

    def type(self, selector, text):
        "Write over what stands in a field."
        self.page.until(f"document.querySelector({selector!r})")
        self.page.ask(f"document.querySelector({selector!r}).select()")
        self.page.ask(f"document.querySelector({selector!r}).focus()")
        self.page.write(text)

    def simulate(self, score):
        self.type("#rows input[name=threshold]", score)
        self.page.press("Enter")
        self.page.until("document.querySelector('#panel table')")

    def do(self, form, why, what):
        "Fill in a reason and press a button."
        self.type(f"{form} input[name=why]", why)
        self.click(f"{form} button[value={what}]")

    def is_well(self):
        assert self.page.ask("broken") == [] and self.page.errors == []


def test_two_people_change_a_threshold_and_put_it_back(bench, tmp_path):
    secrets = [make_token(bench.data, name, ["approve"], "root", NOW) for name in ("ana", "ben")]
    log = tmp_path / "served.log"
    with ExitStack() as stack:
        address, ran = stack.enter_context(served(bench, log, threshold_four_eyes=1))
        pages = [stack.enter_context(chromium()) for _ in range(2)]
        ana, ben = (Person(*told) for told in zip(pages, (address, address), secrets))
        of_model = f"/pages/models/{MODEL}"
        ana.open(of_model)
        before = ana.text("#rows b")

        ana.simulate("0.7")
        result = open_view(bench.data, MODEL).other_thresholds
        told = result.simulate(847).record["precision"]
        row = ana.page.ask(
            "[...document.querySelectorAll('#panel tr')].find((tr) => "
            "tr.innerText.startsWith('Precision')).innerText"
        )
        assert f"{told.current.value:.3f}" in row and f"{told.candidate.value:.3f}" in row
        assert ana.page.ask("!document.querySelector('#panel button[value=set]')")  # four eyes
        ana.do("#panel", "too many are called", "propose")
        ana.sees("P-1: late v1, threshold 0.700 instead of", "#said")
        ana.page.until("document.querySelector('#rows').innerText.includes('P-1')")
        assert ana.text("#panel") == ""
        ana.open("/pages/proposals")
        ana.sees("Somebody else has to approve it.")
        ana.open(of_model)

        ana.type("#rows input[name=threshold]", "0.65")  # typed while another one decides
        ben.open("/pages/proposals")
        ben.do("#P-1", "agreed", "approve")
        ben.sees("is now 0.700", "#said")
        ben.page.until("document.querySelector('#P-1').innerText.includes('Approved')")
        ana.page.until("document.querySelector('#rows b').innerText === '0.700'")
        assert ana.page.ask("document.querySelector('#rows input[name=threshold]').value") == "0.65"
        ana.sees("agreed (proposed by ana, P-1)", "#history")

        ben.open(of_model)
        ben.click("#rows a.button")
        ben.sees(f"Put back: {before} instead of 0.700", "#panel")
        ben.do("#panel", "it was better before", "rollback")
        ana.page.until(f"document.querySelector('#rows b').innerText === '{before}'")
        ana.sees("rolled back", "#history")

        ana.click("details.explore summary")
        ana.page.until("document.querySelector('.slider [type=range]')")
        ana.page.ask("document.querySelector('.slider [type=range]').focus()")
        ana.page.press("PageUp")
        chosen = ana.page.ask("document.querySelector('.slider .score').value")
        typed = "document.querySelector('#rows input[name=threshold]').value"
        ana.page.until(f"{typed} === {chosen!r}")

        for one in (ana, ben):
            one.is_well()
        ana.open("/")  # a stream is open when the token ends, and one when the service does
        revoke_token(bench.data, "ana", "root", datetime.now(NOW.tzinfo), "she left")
        ana.open("/")
        assert ana.page.ask("location.pathname") == "/pages/sign-in"
        ran.terminate()
        ran.wait(30)
    said = log.read_text()
    assert "exceeded" not in said and not any(secret in said for secret in secrets)


def test_a_case_is_looked_after_beside_what_is_typed(bench, tmp_path):
    secret = make_token(bench.data, "eve", ["propose"], "root", NOW)
    with served(bench, tmp_path / "log") as (address, _), chromium() as page:
        person = Person(page, address, secret)
        person.open("/pages/cases?days=90")
        page.until("globalThis.htmx")
        ids = page.ask("[...document.querySelectorAll('tbody tr')].map(({ id }) => id)")[:2]
        first, other = (f"#do-{one}" for one in ids)
        for keeper in (other, first):
            page.ask(f"document.querySelector('{keeper}').open = true")
        person.type(f"{other} input[name=why]", "not yet")
        person.do(first, "I look at it", "acknowledge")
        person.sees(f"{ids[0]}: acknowledged.", "#said")
        person.sees("acknowledged by eve", f"#{ids[0]}")
        assert not page.ask(f"document.querySelector('{first}').open")
        assert page.ask(f"document.querySelector('{other} input[name=why]').value") == "not yet"
        person.is_well()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 400])
def test_every_page_is_well(bench, tmp_path, width, dark):
    "Nothing is broken or cut off, and axe finds nothing serious."
    secret = make_token(bench.data, f"{width}{dark}", ["approve"], "root", NOW)
    with served(bench, tmp_path / "log") as (address, _), chromium() as page:
        person = Person(page, address, secret)
        for path in [*PAGES, "/pages/sign-in"]:
            if path == "/pages/sign-in":
                page.ask("document.querySelector('nav form')?.requestSubmit()")
            page.show(address + path, width, 900, dark)
            page.until("document.readyState === 'complete'")
            if "models/" in path:
                person.click("details.explore summary")
                page.until("document.querySelector('.slider [type=range]')")
            if "cases" in path:
                page.ask("document.querySelector('td details').open = true")
            assert page.ask("document.documentElement.scrollWidth") <= width, path
            person.is_well()
            if AXE:
                page.ask(Path(AXE).read_text(encoding="utf-8") + ";0")
                found = page.ask(
                    "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => "
                    "[id, impact, nodes[0].html]))"
                )
                assert not [one for one in found if one[1] in ("serious", "critical")], path
