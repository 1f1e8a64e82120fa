"""A browser that a test drives as a person does: Chromium over its DevTools protocol."""

import base64
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import websocket
from browser import CHROMIUM

KEYS = {
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "Home": 36,
    "End": 35,
    "PageUp": 33,
    "Tab": 9,
    "Enter": 13,
}


class Page:
    "One page of a browser: what it says, and what a hand does to it."

    def __init__(self, address: str):
        self._socket = websocket.create_connection(address, timeout=120, suppress_origin=True)
        self._asked = 0
        self.errors = []  # what was thrown and not caught
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def close(self):
        self._socket.close()

    def call(self, method, **parameters):
        "The answer to a command of the protocol."
        self._asked += 1
        told = {"id": self._asked, "method": method, "params": parameters}
        self._socket.send(json.dumps(told))
        while (said := json.loads(self._socket.recv())).get("id") != self._asked:
            if said.get("method") in ("Runtime.exceptionThrown",):
                self.errors.append(said["params"])
        assert "error" not in said, (method, said["error"])
        return said["result"]

    def ask(self, script):
        "The value of an expression, awaited."
        wanted = {"awaitPromise": True, "returnByValue": True}
        said = self.call("Runtime.evaluate", expression=script, **wanted)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def until(self, script, seconds=60):
        "Wait for what an expression says; what the page shows where it never comes."
        end = time.monotonic() + seconds
        while not self.ask(f"Boolean({script})"):
            shown = time.monotonic() > end and self.ask("document.body.innerText")
            assert time.monotonic() < end, f"{script} never came: {shown[-2000:]}"
            time.sleep(0.1)

    def show(self, url, width=1200, height=900, dark=False):
        "Open an address in a window of a size."
        self.size(width, height)
        self.dark(dark)
        self.call("Page.navigate", url=url)

    def size(self, width, height=900):
        told = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **told)

    def dark(self, dark):
        chosen = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[chosen])

    def press(self, key, times=1, shift=False):
        "A key, pressed so often."
        told = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        told |= {"modifiers": 8} if shift else {}
        more = {"text": "\r"} if key == "Enter" else {}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", **told, **more)
            self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def write(self, text):
        "Text, key by key."
        for letter in text:
            told = {"key": letter, "text": letter}
            told |= {"windowsVirtualKeyCode": ord(letter.upper())} if letter.isalnum() else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **told)
            self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def drag(self, start, end):
        "Press the mouse at a place (x, y), and let it go at another."
        for kind, (x, y) in (
            ("mouseMoved", start),
            ("mousePressed", start),
            ("mouseMoved", ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            held = {"button": "left", "buttons": 1, "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **held)

    def click(self, at):
        "Press and let go at a place."
        self.drag(at, at)

    def picture(self, path):
        "What is seen, as a file."
        shot = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(shot))


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


@contextmanager
def chromium(folder: Path):
    "A browser of its own with one page, until the block ends."
    profile, log = folder / "profile", folder / "browser.log"
    command = [
        CHROMIUM,
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "about:blank",
    ]
    with running(command, log) as ran:
        page = Page(waited(lambda: _address(profile / "DevToolsActivePort"), ran, log))
        try:
            yield page
        finally:
            page.close()


def _address(told: Path):
    "Where the first page of a browser listens; None as long as there is none."
    try:
        port = told.read_text().split()[0]
        with urlopen(f"http://127.0.0.1:{port}/json/list") as said:
            pages = [page for page in json.load(said) if page["type"] == "page"]
    except (OSError, IndexError):
        return None
    return pages[0]["webSocketDebuggerUrl"] if pages else None
