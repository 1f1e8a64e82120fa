"""A browser that a test drives as a person does, through playwright, and processes beside it.

One Chromium serves all tests of a run; each has a window of its own, with its own cookies and
storage.
"""

import atexit
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@cache
def _browser():
    "The browser of this run: started when it is first asked for, and ended with the run."
    from playwright.sync_api import sync_playwright

    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)


class Page:
    "One page of a browser: what it says, and what a hand does to it."

    def __init__(self, page):
        self._page = page
        self.errors = []  # what was thrown and not caught
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def beside(self):
        "Another page in the same window."
        return Page(self._page.context.new_page())

    def close(self):
        self._page.close()

    def first(self, script):
        "Run a script in every document before its own."
        self._page.add_init_script(script)

    def ask(self, script):
        "The value of an expression, awaited."
        return self._page.evaluate(script)

    def until(self, script, seconds=60):
        "Wait for what an expression says; what the page shows where it never comes."
        end = time.monotonic() + seconds
        while not self._is(script):
            shown = time.monotonic() > end and self.ask("document.body.innerText")
            assert time.monotonic() < end, f"{script} never came: {shown[-2000:]}"
            self._page.wait_for_timeout(20)

    def _is(self, script):
        from playwright.sync_api import Error

        try:
            return self.ask(f"Boolean({script})")
        except Error as error:  # a document that gives way to the next says nothing
            if "context was destroyed" in str(error) or "navigation" in str(error):
                return False
            raise

    def show(self, url, width=1200, height=900, dark=False):
        "Open an address in a window of a size."
        self.size(width, height)
        self.dark(dark)
        self._page.goto(url, wait_until="commit")

    def size(self, width, height=900):
        self._page.set_viewport_size({"width": width, "height": height})

    def dark(self, dark):
        self._page.emulate_media(color_scheme="dark" if dark else "light")

    def paper(self, printed=True):
        "Show the document as it is printed, or on the screen again."
        self._page.emulate_media(media="print" if printed else "screen")

    def press(self, key, times=1, shift=False):
        "A key, pressed so often."
        for _ in range(times):
            self._page.keyboard.press(f"Shift+{key}" if shift else key)

    def write(self, text):
        "Text, key by key."
        self._page.keyboard.type(text)

    def drag(self, start, end):
        "Press the mouse at a place (x, y), and let it go at another."
        mouse = self._page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(*end, steps=2)
        mouse.up()

    def click(self, at):
        "Press and let go at a place."
        self._page.mouse.click(*at)

    def source(self):
        "The document as it stands."
        return self._page.content()


@contextmanager
def chromium():
    "A window of its own with one page, until the block ends."
    window = _browser().new_context(viewport={"width": 1200, "height": 900})
    try:
        yield Page(window.new_page())
    finally:
        window.close()


@contextmanager
def running(command, log: Path, **options):
    "A process with all that it starts, until the block ends; what it says goes into a file."
    with open(log, "wb") as said:
        ran = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True, **options)
    try:
        yield ran
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(ran.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                ran.wait(10)


def waited(true, ran, log: Path, seconds=60):
    "What a process that was started brings about."
    end = time.monotonic() + seconds
    while not (found := true()):
        assert ran.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.05)
    return found
