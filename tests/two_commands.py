"""Two commands and a browser, on a machine that has nothing: is it kept, and how long does it take?

    make first-day                   # both ways of README, cold and warm: some twenty minutes
    python tests/two_commands.py --way pip --until 2013-04-10

Each way runs in a clone of what is committed, with package caches of its own: empty at first
(cold), then filled by the run before (warm). What it says: seconds and CPU of the installation and
of the demo, and how much was fetched.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
WAYS = {  # as README has them
    "make": [["make", "setup", f"PYTHON={sys.executable}"]],
    "pip": [
        [sys.executable, "-m", "venv", ".venv"],
        [".venv/bin/pip", "install", "--quiet", "-c", "constraints.txt", ".[ml,lab,demo]"],
    ],
}
REPORTS = 6 * 2 * 7
"Pages of the last seven days: six reports of two models."


class Took(NamedTuple):
    "How long something took, and the CPU of all its processes, in seconds."

    seconds: float
    cpu: float

    def __str__(self):
        return f"{self.seconds:6.0f} s ({self.cpu:4.0f} s CPU)"


def took(commands, folder, environment) -> Took:
    "Run commands; what is wrong with one is told, and ends all."
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    for command in commands:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stderr[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.monotonic() - begun, cpu)


def size(folder: Path) -> float:
    "MB of the files of a folder."
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


REACH = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT", "REQUESTS_CA")
"Variables that say how packages are reached from here."


def clean(caches: Path, home: Path) -> dict[str, str]:
    "An environment that knows nothing of this one but where programs and packages are."
    told = {name: text for name, text in os.environ.items() if name.upper().startswith(REACH)}
    configured = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    told |= {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    told |= {"XDG_CONFIG_HOME": configured}
    return told | {"PIP_CACHE_DIR": str(caches / "pip"), "UV_CACHE_DIR": str(caches / "uv")}


def tried(way: str, caches: Path, until: str | None) -> str:
    "One way, once; a line about it."
    fetched = size(caches)
    with tempfile.TemporaryDirectory() as name:
        tree, home = Path(name) / "aiops_wb", Path(name) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", tree], check=True)
        environment = clean(caches, home)
        installed = took(WAYS[way], tree, environment)
        demo = [".venv/bin/aiops-wb", "demo", *(["--until", until] if until else [])]
        shown = took([demo], tree, environment)
        pages = list((tree / "reports").glob("20*/*/*.html"))
        assert (tree / "reports" / "index.html").exists() and len(pages) >= REPORTS, len(pages)
        held = size(tree / ".venv")
    fetched = size(caches) - fetched
    sizes = f"{fetched:5.0f} MB into the cache, {held:5.0f} MB installed"
    return f"{way:5} install {installed}, demo {shown}; {sizes}; {len(pages)} pages"


def main() -> None:
    about = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    about.add_argument("--way", choices=WAYS, action="append", help="default: both")
    about.add_argument("--until", metavar="DAY", help="last day of a shorter demo")
    given = about.parse_args()
    for way in given.way or WAYS:
        with tempfile.TemporaryDirectory() as caches:
            for state in ("cold", "warm"):
                print(f"{state:5} {tried(way, Path(caches), given.until)}", flush=True)


if __name__ == "__main__":
    main()
