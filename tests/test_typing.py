"""What type checkers of others see of the package."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import surface

import aiops_wb

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "tests" / "typed.py", ROOT / "examples" / "service.py"]
SCRIPTS += [ROOT / "examples" / "batch.py"]


def checked(*scripts, cache):
    "What `mypy --strict` says of scripts of a user: of the package it asks for types alone."
    strict = ["--strict", "--follow-imports=silent", "--cache-dir", str(cache)]
    command = [sys.executable, "-m", "mypy", *strict, *map(str, scripts)]
    path = os.environ | {"MYPYPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=path)


def test_the_script_of_a_user_uses_every_public_name():
    tree = ast.parse(SCRIPTS[0].read_text(encoding="utf-8"))
    taken = next(n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "aiops_wb")
    names = {alias.name for alias in taken.names}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert names == set(aiops_wb.__all__) and names <= used


def functions():
    "Public functions and methods, by name."
    for name in aiops_wb.__all__:
        thing = getattr(aiops_wb, name)
        if not isinstance(thing, type):
            yield name, surface._defined(inspect.unwrap(thing)), 0
            continue
        for _, part, node in surface._parts(thing):
            if isinstance(node, ast.FunctionDef):
                yield f"{name}.{part}", node, "staticmethod" not in surface._decorators(node)


def test_every_public_function_says_what_it_takes_and_gives():
    found = list(functions())
    assert len(found) > 300
    for name, node, first in found:
        told = node.args
        taken = [*told.posonlyargs, *told.args][first:] + told.kwonlyargs
        taken += [one for one in (told.vararg, told.kwarg) if one]
        assert node.returns is not None, name
        assert all(one.annotation for one in taken), name


@pytest.mark.slow
def test_a_strict_type_checker_finds_our_types(tmp_path):
    pytest.importorskip("mypy", reason="make setup installs it")
    ran = checked(*SCRIPTS, cache=tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.slow
def test_it_finds_what_is_wrong_with_a_script_too(tmp_path):
    pytest.importorskip("mypy", reason="make setup installs it")
    script = tmp_path / "wrong.py"
    script.write_text("from aiops_wb import Grid, open_snapshot\nGrid(7).quantise('x').nothing\n")
    ran = checked(script, cache=tmp_path)
    assert ran.returncode == 1 and ran.stdout.count("error:") == 2, ran.stdout
