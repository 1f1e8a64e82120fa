"""Small changes of a module that its tests ought to notice: drawn from its syntax tree, made in its
text, so that a change is a line that a person reads."""

import ast
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

__all__ = ["Mutant", "draw", "modules", "mutants", "once_more"]

SWAPPED = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
OTHER_NAMES = {
    "min": "max",
    "minimum": "maximum",
    "nanmin": "nanmax",
    "argmin": "argmax",
    "any": "all",
    "floor": "ceil",
    "cumsum": "cumprod",
    "append": "remove",
    "first": "last",
    "left": "right",
}
OTHER_NAMES |= {there: here for here, there in OTHER_NAMES.items() if here != "append"}
SQL = re.compile(r"\b(SELECT|WHERE|JOIN|GROUP BY|ORDER BY|UPDATE|DELETE FROM|HAVING)\b")
SQL_CHANGES = (
    (re.compile(r"\bmin\(", re.I), "max("),
    (re.compile(r"\bmax\(", re.I), "min("),
    (re.compile(r"(?<=[\w)}$?] )<(?= )"), "<="),
    (re.compile(r"(?<=[\w)}$?] )<=(?= )"), "<"),
    (re.compile(r"(?<=[\w)}$?] )>(?= )"), ">="),
    (re.compile(r"(?<=[\w)}$?] )>=(?= )"), ">"),
    (re.compile(r"(?<=[\w)}$?] )=(?= )"), "<>"),
    (re.compile(r"\bAND\b"), "OR"),
    (re.compile(r"\bOR\b"), "AND"),
    (re.compile(r"\bNOT "), ""),
    (re.compile(r"\bDISTINCT "), ""),
    (re.compile(r"\bDESC\b"), ""),
    (re.compile(r"\bLEFT JOIN\b"), "JOIN"),
    (re.compile(r"\bFILTER \((?=WHERE)"), "FILTER (WHERE true OR NOT "),
)
QUIET_NAMES = {"__repr__", "__str__", "_repr_html_", "__all__", "__slots__", "__dir__", "__doc__"}
QUIET_CALLS = {"debug", "info", "warning", "warn", "exception", "cast", "TypeVar", "field"}
QUIET_KEYWORDS = {
    "copy",
    "daemon",
    "default",
    "encoding",
    "exist_ok",
    "help",
    "name",
    "parents",
    "stacklevel",
    "strict",
    "threads",
}
"Without these nothing else is computed, or a default says the same."

LOOKS = {"alpha", "color", "fontsize", "height", "linewidth", "lw", "pad", "width", "zorder"}
"How a picture looks is seen, not computed."


@dataclass(frozen=True)
class Mutant:
    "One change: of `module` (its path in the repository) at bytes `start` to `end`."

    module: str
    start: int
    end: int
    new: str
    line: int
    lines: tuple[int, int]  # of the statement, or of its head where it holds others
    inside: bool  # of a function: else it runs at import, or is a default
    body: tuple[int, int] | None  # of the function whose default it is

    def apply(self, source: bytes) -> bytes:
        "The text of the module with the change."
        return source[: self.start] + self.new.encode() + source[self.end :]

    def shown(self, source: bytes) -> tuple[str, str]:
        "The lines that it changes, before and after."
        first = source.rfind(b"\n", 0, self.start) + 1
        last = (source + b"\n").find(b"\n", self.end)
        new = self.apply(source)[first : last + len(self.new.encode()) - (self.end - self.start)]
        return _on_one_line(source[first:last]), _on_one_line(new)


def _on_one_line(text):
    return " ".join(text.decode().split())


def modules(root: Path) -> list[str]:
    "Modules whose tests are asked: not examples, and no lists that are made."
    return sorted(
        str(p.relative_to(root))
        for p in (root / "aiops_wb").rglob("*.py")
        if not p.name.startswith("_") and "examples" not in p.parts
    )


def draw(sources: dict[str, bytes], n: int, seed: int) -> Iterator[Mutant]:
    "`n` mutants, one module after another in an order by the seed, anew when all have had one."
    rng = random.Random(seed)
    order = sorted(sources)
    rng.shuffle(order)
    shuffled = [_shuffled(m, sources[m], random.Random(f"{seed} {m}")) for m in order]
    drawn = (m for turn in zip_longest(*shuffled) for m in turn if m is not None)
    return islice(drawn, n)


def once_more(sources: dict[str, bytes], told: str) -> list[Mutant]:
    "The changes that an earlier run printed as left (`told`), those that can still be made."
    left = re.findall(r"^left: (\S+):(\d+) .*\n  - (.*)\n  \+ (.*)$", told, re.M)
    made = defaultdict(list)
    for module in {module for module, *_ in left} & {*sources}:
        for mutant in mutants(module, sources[module]):
            made[module, *mutant.shown(sources[module])].append(mutant)
    return [
        min(alike, key=lambda mutant: abs(mutant.line - int(line)))
        for module, line, *change in left
        if (alike := made.get((module, *change)))
    ]


def _shuffled(module, source, rng):
    found = mutants(module, source)
    rng.shuffle(found)
    before = ast.dump(ast.parse(source))
    yield from (m for m in found if _differs(m.apply(source), before))


def _differs(source, before):
    try:
        return ast.dump(ast.parse(source)) != before
    except SyntaxError:
        return False


def mutants(module: str, source: bytes) -> list[Mutant]:
    "All changes of a module, in their order in the text; some may be no program, or no other one."
    finder = _Finder(module, source)
    finder.visit(ast.parse(source))
    return finder.found


class _Finder(ast.NodeVisitor):
    "Collects the changes of a tree, with the statement and the function each stands in."

    def __init__(self, module, source):
        self.module, self.source, self.found = module, source, []
        starts = [0, *(i + 1 for i, b in enumerate(source) if b == 10)]
        self._at = lambda line, column: starts[line - 1] + column
        self._lines, self._inside, self._body = (1, 1), False, None

    # what is looked for

    def visit_Compare(self, node):
        if len(node.ops) == 1:
            self._operator(node.ops[0], node.left, node.comparators[0])
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if not any(isinstance(n, (ast.JoinedStr, ast.List)) or _text(n) for n in ast.walk(node)):
            self._operator(node.op, node.left, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in zip(node.values, node.values[1:]):
            self._operator(node.op, left, right)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
            start, operand = self._span(node)[0], self._span(node.operand)[0]
            if b"(" not in self.source[start:operand]:
                self._add(start, operand, "")
        self.generic_visit(node)

    def visit_Constant(self, node):
        start, end = self._span(node)
        value = node.value
        if isinstance(value, bool):
            self._add(start, end, str(not value))
        elif isinstance(value, int):
            for other in (value + 1, value - 1):
                self._add(start, end, str(other) if other >= 0 else f"({other})")
        elif isinstance(value, float):
            self._add(start, end, repr(value * 1.5 if value else 1.0))
        elif _text(node) and SQL.search(value):
            self._query(start, end)

    def visit_JoinedStr(self, node):
        start, end = self._span(node)
        if SQL.search(self.source[start:end].decode()):
            self._query(start, end)

    def visit_Return(self, node):
        if node.value is not None and not _is_none(node.value):
            self._add(*self._span(node.value), "None")
        self.generic_visit(node)

    def visit_Break(self, node):
        self._add(*self._span(node), "continue")

    def visit_Continue(self, node):
        self._add(*self._span(node), "break")

    def visit_Slice(self, node):
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, ast.Constant):
                self._around(bound, "{} + 1")
        self.generic_visit(node)

    def visit_Call(self, node):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        if name in QUIET_CALLS:
            return
        if name in OTHER_NAMES:
            end = self._span(called)[1]
            self._add(end - len(name.encode()), end, OTHER_NAMES[name])
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in QUIET_KEYWORDS | LOOKS:
                self._without(keyword, node)
        for part in (called, *node.args, *(k for k in node.keywords if k.arg not in LOOKS)):
            self.visit(part)

    def visit_IfExp(self, node):
        self._around(node.test, "not ({})")
        self.generic_visit(node)

    def visit_comprehension(self, node):
        for test in node.ifs:
            self._around(test, "not ({})")
        self.generic_visit(node)

    # where it stands

    def visit(self, node):
        if not isinstance(node, ast.stmt):
            super().visit(node)
            return
        before = self._lines
        self._lines = _head(node)
        asks = isinstance(node, (ast.If, ast.While))
        if asks and not (_type_checking(node) or _is_true(node.test)):
            self._around(node.test, "not ({})")
        if not self._quiet(node):
            super().visit(node)
        self._lines = before

    def _quiet(self, node):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert)):
            return True
        if isinstance(node, ast.If) and _type_checking(node):
            return True
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id in QUIET_NAMES
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        return alone or getattr(node, "name", None) in QUIET_NAMES

    def visit_FunctionDef(self, node):
        outer = self._inside, self._body
        first, last = node.body[0].lineno, node.end_lineno
        self._body = first, last
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._lines = first, last
                self.visit(default)
        self._inside = True
        for statement in node.body:
            self.visit(statement)
        self._inside, self._body = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    # how it is written down

    def _span(self, node):
        return (
            self._at(node.lineno, node.col_offset),
            self._at(node.end_lineno, node.end_col_offset),
        )

    def _add(self, start, end, new):
        line = self.source.count(b"\n", 0, start) + 1
        place = self._lines, self._inside, None if self._inside else self._body
        self.found.append(Mutant(self.module, start, end, new, line, *place))

    def _around(self, node, form):
        start, end = self._span(node)
        self._add(start, end, form.format(self.source[start:end].decode()))

    def _operator(self, operator, left, right):
        if type(operator) not in SWAPPED:
            return
        here, there = SWAPPED[type(operator)]
        start, end = self._span(left)[1], self._span(right)[0]
        between = self.source[start:end].decode()
        pattern = r"\s+".join(map(re.escape, here.split()))
        if found := re.search(pattern if not here[0].isalpha() else rf"\b{pattern}\b", between):
            before = len(between[: found.start()].encode())
            self._add(start + before, start + before + len(found[0]), there)

    def _without(self, keyword, call):
        "The call without a keyword, and without the comma before or behind it."
        start, end = self._span(keyword)
        _, last = self._span(call)
        if behind := re.match(rb"\s*,\s*", self.source[end:last]):
            self._add(start, end + behind.end(), "")
        elif before := re.search(rb",\s*$", self.source[:start]):
            self._add(before.start(), end, "")
        else:
            self._add(start, end, "")

    def _query(self, start, end):
        text = self.source[start:end].decode()
        deep = _depths(text)
        for pattern, new in SQL_CHANGES:
            for found in pattern.finditer(text):
                if not deep[found.start()]:
                    before = start + len(text[: found.start()].encode())
                    self._add(before, before + len(found[0].encode()), new)


def _depths(text):
    "How deep in braces each letter stands: what stands in them is no query."
    deep, depths = 0, []
    for letter in text:
        deep += (letter == "{") - (letter == "}")
        depths.append(deep)
    return depths


def _head(node):
    "First and last line of a statement, up to the first that it holds."
    held = getattr(node, "body", None)
    return node.lineno, max(node.lineno, held[0].lineno - 1) if held else node.end_lineno


def _text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def _is_true(node):
    return isinstance(node, ast.Constant) and node.value is True


def _type_checking(node):
    return getattr(node.test, "id", None) == "TYPE_CHECKING"
