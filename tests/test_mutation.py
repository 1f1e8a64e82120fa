"""What `make mutants` changes, and that what is accepted is still there to be changed."""

import ast
import tomllib
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest
from mutation.__main__ import SURFACE, _choose
from mutation.mutate import draw, modules, mutants, once_more

ROOT = Path(__file__).parent.parent


def changes(text):
    "The lines of a module as they are after each change that makes a program of it."
    source = dedent(text).encode()
    made = [m for m in mutants("m.py", source) if _parses(m.apply(source))]
    return [m.shown(source)[1] for m in made]


def _parses(source):
    try:
        return bool(ast.parse(source))
    except SyntaxError:
        return False


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("x = a < b", ["x = a <= b"]),
        ("x = (a) not in b", ["x = (a) in b"]),
        ("x = a + b", ["x = a - b"]),
        ("x = a and b or c", ["x = a and b and c", "x = a or b or c"]),
        ("x = not a", ["x = a"]),
        ("x = f(a, b=c)", ["x = f(a)"]),
        ("x = f(b=c, d=e)", ["x = f(d=e)", "x = f(b=c)"]),
        ("x = min(a)", ["x = max(a)"]),
        ("x = a[b:]", ["x = a[b + 1:]"]),
        ("x = 0", ["x = 1", "x = (-1)"]),
        ("x = True", ["x = False"]),
        ("x = 0.5", ["x = 0.75"]),
        ("x = a if b else c", ["x = a if not (b) else c"]),
        ("x = [a for a in b if c]", ["x = [a for a in b if not (c)]"]),
        ('x = "SELECT min(a) FROM b WHERE c < $d AND e"', 3),
        (
            'x = f"SELECT a FROM b WHERE c {d < e} >= $f"',
            ['x = f"SELECT a FROM b WHERE c {d < e} > $f"'],
        ),
        ('x = "a < b AND c"', []),
        ('"A docstring with 1 < 2"', []),
        ('raise ValueError("at most", 1 + 2)', []),
        ("x: int | None = a", []),
        ('x = f"{a} of" + "b"', []),
        ("logger.info(1 + 2)", []),
        ("import a", []),
    ],
)
def test_a_line_is_changed_in_small(line, changed):
    found = changes(line)
    if isinstance(changed, int):
        assert len(found) == changed
    else:
        assert Counter(found) == Counter(changed)


def test_a_function_loses_its_answer_its_condition_and_its_default():
    text = """
        def f(a, b=1):
            if a > b:
                return a
            for c in a:
                continue
            return None
    """
    assert Counter(changes(text)) == Counter(
        [
            "def f(a, b=2):",
            "def f(a, b=0):",
            "if not (a > b):",
            "if a >= b:",
            "return None",
            "break",
        ]
    )
    source = dedent(text).encode()
    default, *_, inner = mutants("m.py", source)
    assert (default.inside, default.body, default.lines) == (False, (3, 7), (3, 7))
    assert (inner.inside, inner.lines) == (True, (6, 6))
    of_head = next(m for m in mutants("m.py", source) if m.new == ">=")
    assert of_head.lines == (3, 3)


def test_the_same_seed_draws_the_same_evenly_over_modules():
    sources = {name: b"x = a + b + c\ny = 1\n" for name in ("a.py", "b.py", "c.py")}
    drawn = list(draw(sources, 7, 1))
    assert drawn == list(draw(sources, 7, 1)) != list(draw(sources, 7, 2))
    counted = Counter(m.module for m in drawn)
    assert sorted(counted.values()) == [2, 2, 3] and len({*drawn}) == 7
    assert len(list(draw(sources, 99, 1))) == 3 * 4, "none is drawn twice"


def test_what_a_run_left_is_tried_again_where_it_can_still_be_made():
    sources = {"a.py": b"x = 1\n", "b.py": b"y = 2\nif y < 1:\n    z = 3\nz\nif y < 1:\n    y\n"}
    told = """left: b.py:7 (12 tests)
  - if y < 1:
  + if y <= 1:
left: b.py:3 (0 tests)
  - z = 4
  + z = 5
left: gone.py:1 (1 tests)
  - a = 1
  + a = 2

b                                      1 /       3
  line 3, 0 tests
    - z = 3
    + z = 4
"""
    found = [(m.module, m.line, *m.shown(sources["b.py"])) for m in once_more(sources, told)]
    assert found == [("b.py", 5, "if y < 1:", "if y <= 1:")], "of two alike the nearer one"


def test_all_modules_but_examples_are_asked_about():
    asked = modules(ROOT)
    assert {"aiops_wb/stats/drift.py", "aiops_wb/daily.py", "aiops_wb/cli/app.py"} <= {*asked}
    assert not [m for m in asked if "examples" in m or "__init__" in m]


def test_what_is_accepted_can_still_be_made_and_has_a_reason():
    accepted = tomllib.loads((ROOT / "tests/mutation/accepted.toml").read_text(encoding="utf-8"))
    for one in accepted["survivor"]:
        source = (ROOT / one["module"]).read_bytes()
        shown = [m.shown(source) for m in mutants(one["module"], source)]
        assert (one["before"], one["after"]) in shown and one["why"].strip()


def test_a_constant_is_tried_by_tests_of_what_names_it():
    held = b"MOST = 256\n"
    sources = {"held.py": held, "asks.py": b"from .held import MOST\n\ndef f(x):\n    x > MOST\n"}
    tests = {  # seconds, and lines as bits
        "tests/test_a.py::test_names": (0.5, {"asks.py": 1 << 4}),
        "tests/test_a.py::test_other": (0.1, {"asks.py": 1 << 3}),
        "tests/test_b.py::test_none": (0.1, {"b.py": 1 << 1}),
    }
    change = next(iter(mutants("held.py", held)))
    always = {SURFACE: 5.0}  # a public default, say
    assert _choose(change, tests, sources, 60) == {"tests/test_a.py::test_names": 0.5} | always
    near = tests | {"tests/test_c.py::test_held": (0.2, {"held.py": 1 << 9})}
    assert _choose(change, near, sources, 60) == {"tests/test_c.py::test_held": 0.2} | always
