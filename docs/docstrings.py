"""From docstrings as this project writes them, plain sentences, to what Sphinx reads."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import aiops_wb

CODE = re.compile(r"(``.+?``|`[^`]+`)")
SPECIAL = re.compile(r"([\\*|_<>])")
LIST = re.compile(r"\s*[-*] ")


def marked_up(line: str) -> str:
    "A line of prose as reStructuredText: code between backticks, everything else as it stands."
    bullet = LIST.match(line)
    start = bullet.group() if bullet else ""
    parts = CODE.split(line[len(start) :])
    return start + "".join(
        f"``{part.strip('`')}``" if CODE.fullmatch(part) else SPECIAL.sub(r"\\\1", part)
        for part in parts
    )


def _fields(node: ast.AST) -> Iterator[ast.AnnAssign | ast.arg]:
    "Fields of a class, arguments of a function."
    if isinstance(node, ast.ClassDef):
        yield from (part for part in node.body if isinstance(part, ast.AnnAssign))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (*node.args.args, *node.args.kwonlyargs)


def _comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    "Comments by line: those beside code, and those on lines of their own."
    beside, alone = {}, {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            where = beside if token.line[: token.start[1]].strip() else alone
            where[token.start[0]] = token.string.lstrip("# ")
    return beside, alone


def comments(source: str) -> dict[str, str]:
    "name -> the comment above or beside it, for fields of a class or arguments of a function."
    source = textwrap.dedent(source)
    beside, alone = _comments(source)
    told = {}
    for field in _fields(ast.parse(source).body[0]):
        name = field.arg if isinstance(field, ast.arg) else field.target.id
        first = field.lineno
        while first - 1 in alone:
            first -= 1
        lines = range(first, field.end_lineno + 1)
        text = " ".join(t for n in lines if (t := alone.get(n) or beside.pop(n, "")))
        if text and not name.startswith("_"):
            told[name] = text
    return told


def described(thing: object) -> dict[str, str]:
    "What the source says behind each field or argument; nothing where there is no source."
    try:
        return comments(inspect.getsource(thing))
    except (OSError, TypeError, SyntaxError):
        return {}


def ancestors(thing: type) -> str:
    "A sentence that names the classes of this package that a class builds on; '' without any."
    ours = [base for base in thing.__bases__ if base.__module__.startswith("aiops_wb.")]
    names = [f":py:class:`{b.__name__} <{b.__module__}.{b.__qualname__}>`" for b in ours]
    return f"Builds on {', '.join(names)}." if names else ""


@cache
def examples() -> dict[str, list[str]]:
    "name -> the lines of its example, for names that are offered at the top."
    text = Path(__file__).with_name("examples.md").read_text(encoding="utf-8")
    found = re.findall(r"^### `(\w+)`\n.*?^```pycon\n(.*?)^```", text, re.M | re.S)
    return {name: code.strip().splitlines() for name, code in found}


def example(thing: object) -> list[str]:
    "The example of a name that is offered at the top; nothing of any other."
    name = getattr(thing, "__qualname__", "")
    if name not in examples() or getattr(aiops_wb, name) is not thing:
        return []
    told = [
        "An example, from :doc:`the session of all </docs/examples>`:",
        "",
        ".. code-block:: pycon",
        "",
    ]
    return ["", *told, *(f"   {line}" for line in examples()[name]), ""]


def complete(module: object) -> None:
    """Import what a module takes from others of ours for type checkers alone: of classes that have
    one name in different modules, annotations then mean the right one."""
    for block in ast.parse(inspect.getsource(module)).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            kept = [s for s in block.body if isinstance(s, ast.ImportFrom) and s.level]
            exec(compile(ast.Module(kept, []), module.__name__, "exec"), vars(module))


def process(app, what, name, thing, options, lines: list[str]) -> None:
    "Sphinx asks for each docstring: prose, then what the source says behind fields and arguments."
    lines[:] = [marked_up(line) for line in lines]
    if isinstance(thing, type) and (told := ancestors(thing)):
        lines += ["", told, ""]
    if what in ("class", "function", "method") and not hasattr(thing, "model_fields"):
        fields = [f":param {name}: {marked_up(text)}" for name, text in described(thing).items()]
        lines += ["", *fields, ""] if fields else []
    lines += example(thing)


def sign(app, what, name, thing, options, signature: str, returned: str) -> tuple[str, str] | None:
    "Settings are taken by name, and have a page of their own."
    return ("(**settings)", returned) if hasattr(thing, "model_fields") else None


def skip(app, what, name, thing, skipped: bool, options) -> bool | None:
    "Fields of a named tuple are in its signature already, and hooks of pydantic are nobody's."
    alias = (getattr(thing, "__doc__", None) or "").startswith("Alias for field number")
    return True if alias or name in ("model_config", "settings_customise_sources") else None
