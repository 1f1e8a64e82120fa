"""From docstrings as this project writes them, plain sentences, to what Sphinx reads."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator

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


def _fields(node: ast.AST) -> Iterator[tuple[str, int]]:
    "Names that stand on a line of their own: fields of a class, arguments of a function."
    if isinstance(node, ast.ClassDef):
        yield from (
            (part.target.id, part.end_lineno)
            for part in node.body
            if isinstance(part, ast.AnnAssign) and not part.target.id.startswith("_")
        )
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from ((a.arg, a.lineno) for a in (*node.args.args, *node.args.kwonlyargs))


def comments(source: str) -> dict[str, str]:
    "name -> the comment behind it, for the fields of a class or the arguments of a function."
    source = textwrap.dedent(source)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    behind = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip()
    }
    fields = list(_fields(ast.parse(source).body[0]))
    lines = [line for _, line in fields]
    return {name: behind[n] for name, n in fields if n in behind and lines.count(n) == 1}


def described(thing: object) -> dict[str, str]:
    "What the source says behind each field or argument; nothing where there is no source."
    try:
        return comments(inspect.getsource(thing))
    except (OSError, TypeError, SyntaxError):
        return {}


def process(app, what, name, thing, options, lines: list[str]) -> None:
    "Sphinx asks for each docstring: prose, then what the source says behind fields and arguments."
    lines[:] = [marked_up(line) for line in lines]
    if what in ("class", "function", "method"):
        told = [f":param {field}: {marked_up(text)}" for field, text in described(thing).items()]
        lines += ["", *told, ""] if told else []


def skip(app, what, name, thing, skipped: bool, options) -> bool | None:
    "Fields of a named tuple are in its signature; 'Alias for field number 0' tells nobody anything."
    alias = (getattr(thing, "__doc__", None) or "").startswith("Alias for field number")
    return True if alias else None
