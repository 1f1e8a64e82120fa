"""`make mutants`: change the package in small, a line at a time, and see whether its tests notice.

    python -m tests.mutation [-n 300] [--seed 0] [--module watch/alarms] [--tests tests/watch]
    python -m tests.mutation --again FILE

A change is noticed when a test that executes its line fails, or does not come to its end. Tests
run in a copy, nearest first, up to `--seconds` of them a change; which test executes which lines is
kept in `build/mutants/` until one of these modules, or the file of the test, is another. What is
left over and changes nothing that anybody could see stands in `accepted.toml`, with the reason.
"""

import argparse
import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from .executed import Listening
from .mutate import draw, modules, once_more
from .workers import LATE, ROOT, in_copies, run

KEPT = ROOT / "build" / "mutants"
ACCEPTED = Path(__file__).parent / "accepted.toml"
SHARE = 0.95
# what looks at the text of the package notices every change of it, and what it computes never
READERS = {"test_project.py", "test_docs.py", "test_surface.py"}
SURFACE = "tests/test_surface.py::test_nothing_public_changes_by_accident"
"Which compares signatures and options, not texts: defaults of what is public are its to notice."


def main() -> int:
    "Draw, run, say."
    asked = _asked()
    sources = {m: (ROOT / m).read_bytes() for m in modules(ROOT) if asked.module in m}
    if not sources:
        sys.exit(f"No module's path holds {asked.module!r}.")
    tests = _executed(asked, {m: sha256(source).hexdigest() for m, source in sources.items()})
    accepted = {(s["module"], s["before"], s["after"]): s["why"] for s in _accepted()}
    if asked.again:
        chosen = once_more(sources, asked.again.read_text(encoding="utf-8"))
        asked.n = len(chosen)
    else:
        chosen = draw(sources, asked.n, asked.seed)
    drawn, left, passed_over = Counter(), defaultdict(list), 0
    tasks = ((m, sources[m.module], _choose(m, tests, sources, asked.seconds)) for m in chosen)
    for number, ((mutant, source, chosen), code) in enumerate(
        in_copies(_noticed, tasks, asked.jobs), 1
    ):
        print(f"{number} of {asked.n} changes", file=sys.stderr, flush=True)
        before, after = mutant.shown(source)
        if code == 0 or not chosen:
            if (mutant.module, before, after) in accepted:
                passed_over += 1
                continue
            left[mutant.module].append((mutant.line, before, after, len(chosen)))
            print(f"left: {mutant.module}:{mutant.line} ({len(chosen)} tests)", flush=True)
            print(f"  - {before}\n  + {after}", flush=True)
        drawn[mutant.module] += 1
    return _say(drawn, left, passed_over)


def _asked():
    parser = argparse.ArgumentParser("python -m tests.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=300, help="changes, drawn evenly over modules")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again", type=Path, metavar="FILE", help="those that a run left, as it printed them"
    )
    parser.add_argument("--module", default="", help="only modules with this in their path")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="only these tests")
    parser.add_argument("--seconds", type=float, default=120, help="of tests, at most, a change")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def _accepted():
    return tomllib.loads(ACCEPTED.read_text(encoding="utf-8"))["survivor"]


def _say(drawn, left, passed_over):
    print(f"\n{'':32} noticed / drawn")
    folders = defaultdict(Counter)
    for module, n in sorted(drawn.items()):
        folders[module.split("/")[1].removesuffix(".py")].update(
            drawn=n, noticed=n - len(left[module])
        )
    for folder, n in folders.items():
        print(f"{folder:32} {n['noticed']:7} / {n['drawn']}")
    n = drawn.total()
    noticed = n - sum(map(len, left.values()))
    print(f"{'in all':32} {noticed:7} / {n}: {noticed / max(n, 1):.1%}")
    if passed_over:
        print(f"{passed_over} changes that are accepted, with a reason, are not counted.")
    return int(noticed < SHARE * n)


# one change


class _Order:
    "The tests in the order they are named in: conftest has an order of its own."

    def __init__(self, chosen):
        self.place = {test: i for i, test in enumerate(chosen)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        items[:] = sorted(
            (i for i in items if i.nodeid in self.place), key=lambda i: self.place[i.nodeid]
        )


def _noticed(copy, task):
    mutant, source, chosen = task
    if not chosen:
        return 0
    file = copy / mutant.module
    file.write_bytes(mutant.apply(source))
    _forget_compiled(file)
    try:
        files = sorted({test.split("::")[0] for test in chosen})
        limit = 20 + 5 * sum(chosen.values())
        return run(copy, ["-x", *files], [_Order(chosen)], limit)
    finally:
        file.write_bytes(source)
        _forget_compiled(file)


def _forget_compiled(file):
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def _choose(mutant, tests, sources, seconds):
    """Tests that execute its line, nearest and shortest first, with the seconds each takes. What
    runs at import is executed by those that execute the module, or what names it elsewhere."""
    first, last = mutant.lines if mutant.inside else mutant.body or (1, 100_000)
    places = {mutant.module: (1 << last + 1) - (1 << first)}
    found = _executing(places, tests, mutant)
    if not found and not mutant.inside:
        found = _executing(_naming(mutant, sources), tests, mutant)
    by_file = defaultdict(list)
    for far, took, test in sorted(found):
        by_file[test.split("::")[0]].append((far, took, test))
    chosen, total = {}, 0
    for rows in sorted(by_file.values(), key=lambda r: (r[0][0], sum(t for _, t, _ in r))):
        for _, took, test in rows:
            if total + took <= seconds or not chosen:
                chosen[test] = took
                total += took
    return chosen if mutant.inside else chosen | {SURFACE: 5.0}


def _executing(places, tests, mutant):
    "Tests that execute any of these lines: whether each is far, its seconds, its name."
    return [
        (not _near(test, mutant.module), took, test)
        for test, (took, executed) in tests.items()
        if any(executed.get(module, 0) & lines for module, lines in places.items())
    ]


def _naming(mutant, sources):
    "The lines of other modules that name what a line gives a value to."
    name = re.split("[=:]", mutant.shown(sources[mutant.module])[0])[0].strip()
    if not name.isidentifier():
        return {}
    named = re.compile(rf"\b{name}\b".encode())
    return {
        module: sum(1 << i for i, line in enumerate(text.splitlines(), 1) if named.search(line))
        for module, text in sources.items()
        if module != mutant.module
    }


def _near(test, module):
    path = Path(test.split("::")[0])
    return path.stem == f"test_{Path(module).stem}" and path.parent.name == Path(module).parent.name


# which lines a test executes


def _executed(asked, state):
    "Test -> its seconds, and the lines of each module as bits."
    files = sorted(
        str(file.relative_to(ROOT))
        for named in asked.tests
        for file in ([ROOT / named] if named.endswith(".py") else (ROOT / named).rglob("test_*.py"))
        if file.name not in READERS
    )
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = {file: _kept(file, state) for file in files}
    missing = [file for file, tests in kept.items() if tests is None]
    done = in_copies(_listen, missing, min(asked.jobs, len(missing)))
    for number, (file, code) in enumerate(done, 1):
        kept[file] = _kept(file, state) or {}
        print(f"{number} of {len(missing)}: {file}{_fault(code)}", file=sys.stderr, flush=True)
    return {test: found for tests in kept.values() for test, found in tests.items()}


def _fault(code):
    return {0: "", 5: "", LATE: " was ended"}.get(code, " has tests that fail unchanged")


def _listen(copy, file):
    listening = Listening(copy)
    return run(copy, [file], [listening], 1800, partial(_keep, listening, file))


def _keep(listening, file):
    executed = listening.executed
    touched = {m for lines in executed.lines.values() for m in lines}
    kept = {
        "file": _digest(ROOT / file),
        "modules": {m: _digest(ROOT / m) for m in touched},
        "tests": {
            test: [executed.seconds[test], {m: hex(bits) for m, bits in lines.items()}]
            for test, lines in executed.lines.items()
        },
    }
    _place(file).write_text(json.dumps(kept), encoding="utf-8")


def _kept(file, state):
    "What is kept of a file of tests; None where it, or what is asked for, is another by now."
    if not (place := _place(file)).exists():
        return None
    kept = json.loads(place.read_text(encoding="utf-8"))
    if kept["file"] != _digest(ROOT / file):
        return None
    if any(state.get(m, digest) != digest for m, digest in kept["modules"].items()):
        return None
    return {
        test: (took, {m: int(bits, 16) for m, bits in lines.items()})
        for test, (took, lines) in kept["tests"].items()
    }


def _place(file):
    return KEPT / f"{file.replace('/', '.')}.json"


def _digest(path):
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
