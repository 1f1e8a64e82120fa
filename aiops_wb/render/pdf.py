"""A page as PDF, printed by the browser of the system: none is downloaded."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from ..log.durable import fsync
from ..log.errors import StoreError
from ..log.modes import as_its_folder, make_below

__all__ = ["BROWSERS", "browser", "print_page"]

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge"),
)
"Programs that print a page, the first that is there."


def browser() -> str:
    "The browser of the system; StoreError where there is none."
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise StoreError(
            "a PDF is printed by a browser, and there is none here (Chromium or Chrome): install "
            "one (apt-get install chromium), or print the page, --to html, from another machine."
        )
    return found


def print_page(page: Path, place: Path, program: str, seconds: float = 120) -> None:
    """Print a page, its folded sections open, whole or not at all. StoreError where the browser
    fails or takes longer."""
    make_below(place.parent)
    aside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    # a profile of its own: no page of the user's is opened, and nothing of it is kept
    with TemporaryDirectory(prefix="aiops-wb-") as profile:
        words = [program, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]
        words += ["--disable-background-networking", f"--user-data-dir={profile}"]
        words += ["--no-sandbox"] if os.geteuid() == 0 else []  # it has none for root
        words += [f"--print-to-pdf={aside.absolute()}", page.absolute().as_uri()]
        try:
            done = subprocess.run(
                words, capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            aside.unlink(missing_ok=True)
            raise StoreError(f"{program} took longer than {seconds:g} seconds to print.") from None
    if done.returncode or not aside.exists():
        aside.unlink(missing_ok=True)
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason is known"]
        raise StoreError(f"{program} could not print {page}: {said[-1][:200]}.")
    as_its_folder(aside)
    fsync(aside)
    aside.replace(place)
