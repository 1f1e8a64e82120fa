"""What is shown, whole: held to what was recorded of it, so that no part of it changes unnoticed.

    RECORD=1 pytest tests/render/test_drawn.py    # then read the difference, as of any other text

Each file of tests has one of its own beside it, in `recorded/`; a text stands there below its name.
Of a long one the first lines are kept as they are, and a hash of what follows.
"""

import os
import re
from difflib import unified_diff
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
LONG = re.compile(r"\d+\.\d{9,}(?:e[-+]?\d+)?")
"Numbers to their last digits, which processors of another kind compute otherwise."
HEAD = re.compile(r"^==== (.*)\n", re.M)


def hold(of: str, name: str, told: str, most: int = 150) -> None:
    "That a text is the recorded one; `of` is the `__file__` of its test."
    test = Path(of)
    file = test.parent / "recorded" / f"{test.stem}.txt"
    known, now = read(file), short(told, most)
    if os.environ.get("RECORD"):
        known[name] = "\n".join(now)
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"==== {n}\n{known[n]}\n" for n in sorted(known)), encoding="utf-8")
    before = known.get(name, "").splitlines()
    changed = "\n".join(unified_diff(before, now, "recorded", "now", lineterm="", n=1))
    assert before == now, f"{name} is shown otherwise; RECORD=1 writes it anew.\n{changed}"


def short(text: str, most: int) -> list[str]:
    "Lines of a text, numbers rounded; of those behind the first `most` how many, and a hash."
    lines = [line.rstrip() for line in rounded(text).splitlines()]
    if len(lines) <= most:
        return lines
    rest = sha256("\n".join(lines[most:]).encode()).hexdigest()[:12]
    return [*lines[:most], f"... and {len(lines) - most:,} lines, {rest}"]


def rounded(text: str) -> str:
    "A text with its long numbers to eight digits."
    return LONG.sub(lambda found: f"{float(found[0]):.8g}", text)


def read(file: Path) -> dict[str, str]:
    "Name -> text of a file that was recorded."
    if not file.exists():
        return {}
    _, *parts = HEAD.split(file.read_text(encoding="utf-8"))
    return {name: text.removesuffix("\n") for name, text in zip(parts[::2], parts[1::2])}


def loaded_anew(file: Path) -> ModuleType:
    "A module of the package beside the one that is loaded already: what it says as it is loaded."
    package = file.parts[len(ROOT.parts) :]
    spec = spec_from_file_location(".".join(package).removesuffix(".py"), file)
    spec.loader.exec_module(module := module_from_spec(spec))
    return module
