"""Peers that need an environment of their own, made on first use beside their pins and kept."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def environment(name: str, place: Path = HERE) -> Path | None:
    """Python of the environment with a peer's pins, in a folder; None, and why on stderr, when it
    cannot be made."""
    pins, made = HERE / f"{name}.txt", place / f".venv-{name}"
    python, ready = made / "bin" / "python", made / "ready.txt"
    if ready.exists() and ready.read_text() == pins.read_text():
        return python
    shutil.rmtree(made, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    steps = (
        [
            [uv, "venv", "--quiet", "--python", sys.executable, made],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", pins],
        ]
        if uv.exists()
        else [
            [sys.executable, "-m", "venv", made],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins],
        ]
    )
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(
                f"{name} is skipped, its environment cannot be made from {pins.name}: "
                f"{(done.stderr.strip().splitlines() or ['no reason given'])[-1]}",
                file=sys.stderr,
            )
            shutil.rmtree(made, ignore_errors=True)
            return None
    shutil.copy(pins, ready)
    return python


def run(python: Path, script: str, *arguments) -> dict:
    "What a peer's script says of itself: the last line of its output, JSON."
    done = subprocess.run(
        [python, HERE / f"{script}.py", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
