"""What others build on, described in one text: names with their signatures, commands with their
options, exit codes, settings, addresses of the API, files, and views with their columns.

`tests/surface.txt` is the description of the last time that somebody looked at it; a test compares.
`python -m tests.surface` writes it anew, and docs/public_api.md says what a change demands.
"""

import ast
import inspect
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from typer.main import get_command

import aiops_wb
from aiops_wb.api.app import ROUTERS
from aiops_wb.cli import app
from aiops_wb.cli.later import Later
from aiops_wb.config import Settings
from aiops_wb.log.columns import COLUMNS, REQUIRED
from aiops_wb.log.store import open_store
from aiops_wb.render.plots.chart import panels
from aiops_wb.watch.headlines import Headline
from aiops_wb.watch.sinks import SENT

RECORDED = Path(__file__).with_suffix(".txt")
HOW = "'python -m tests.surface' writes it anew"
LINE = 100


# names


@cache
def _definitions(module: str) -> dict[str, ast.AST]:
    "Functions and classes of a module, by their names."
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def _defined(thing: object) -> ast.AST:
    "The definition of a function or a class of the package."
    return _definitions(thing.__module__)[thing.__qualname__]


def _signature(node: ast.FunctionDef, drop_self: bool = False) -> str:
    "Arguments with their types and defaults, and what is returned."
    arguments = ast.arguments(**vars(node.args) | {"args": node.args.args[drop_self:]})
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(arguments)}){returned}"


def _decorators(node: ast.FunctionDef) -> set[str]:
    return {ast.unparse(one).rpartition(".")[2].partition("(")[0] for one in node.decorator_list}


def _method(node: ast.FunctionDef) -> str:
    "A method, or a property, in a line."
    decorated = _decorators(node)
    if decorated & {"property", "cached_property"}:
        return f"{node.name}: {ast.unparse(node.returns) if node.returns else 'untyped'}"
    kind = next(iter(decorated & {"classmethod", "staticmethod"}), "")
    told = _signature(node, drop_self=kind != "staticmethod")
    return f"{kind} {node.name}{told}".strip()


UNSAID = {"__repr__", "__hash__", "__post_init__", "settings_customise_sources"}


def _is_public(name: str) -> bool:
    return name not in UNSAID and (not name.startswith("_") or name.endswith("__"))


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("aiops_wb.")


def _parts(kind: type) -> Iterator[tuple[type, str, ast.AST]]:
    "What a class and its ancestors here define that is public: who defines it, its name."
    for ancestor in filter(_is_ours, reversed(kind.__mro__)):
        for node in _defined(ancestor).body:
            named = node.target if isinstance(node, ast.AnnAssign) else node
            named = node.targets[0] if isinstance(node, ast.Assign) else named
            name = getattr(named, "name", getattr(named, "id", "_"))
            if _is_public(name) and not (name.endswith("__") and isinstance(node, ast.Assign)):
                yield ancestor, name, node


def _members(kind: type) -> tuple[list[str], dict[str, str]]:
    "Fields of a class in their order, and its methods by name."
    fields, methods = {}, {}
    for _, name, node in _parts(kind):
        if isinstance(node, ast.FunctionDef):
            methods[name] = _method(node)
        else:
            fields[name] = ast.unparse(node)
    return list(fields.values()), methods


def _told_types(kind: type) -> Iterator[type]:
    "Classes of the package that fields of a class and answers of its methods are."
    for owner, _, node in _parts(kind):
        said = node.returns if isinstance(node, ast.FunctionDef) else node
        yield from _named(said, sys.modules[owner.__module__])


def _named(said: ast.AST | None, module) -> Iterator[type]:
    "Classes of the package that an annotation names."
    for node in ast.walk(said) if said else ():
        found = vars(module).get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(found, type) and _is_ours(found) and not found.__name__.startswith("_"):
            yield found


def _class(name: str, kind: type) -> Iterator[str]:
    known = [b for b in kind.__bases__ if not _is_ours(b) or b.__name__ in aiops_wb.__all__]
    bases = [{"tuple": "NamedTuple"}.get(b.__name__, b.__name__) for b in known]
    bases = [base for base in bases if base != "object"]
    yield f"class {name}" + (f"({', '.join(bases)})" if bases else "")
    fields, methods = _members(kind)
    if kind is aiops_wb.Store:
        asks = _members(aiops_wb.Reader)[1]
        yield "    ... and what Reader has"
        methods = {name: told for name, told in methods.items() if asks.get(name) != told}
    if kind is not Settings:  # which have a part of their own
        yield from (f"    {line}" for line in fields)
    yield from (f"    {methods[key]}" for key in sorted(methods))


def names() -> Iterator[str]:
    "Everything that `from aiops_wb import ...` offers."
    for name in aiops_wb.__all__:
        thing = getattr(aiops_wb, name)
        if isinstance(thing, type):
            yield from _class(name, thing)
        else:
            yield f"{name}{_signature(_defined(inspect.unwrap(thing)))}"


def of_reports() -> Iterator[str]:
    "What a report of one's own begins with, as the templates import it."
    yield f"aiops_wb.render.plots.chart.panels{_signature(_defined(panels))}"
    yield from _class("aiops_wb.watch.headlines.Headline", Headline)


def answers() -> Iterator[str]:
    "What fields, functions and methods of these names are, and so on: one reads them, too."
    public = [getattr(aiops_wb, name) for name in aiops_wb.__all__]
    kinds = {thing for thing in public if isinstance(thing, type)}
    waiting = [found for kind in kinds for found in _told_types(kind)]
    for thing in (t for t in public if not isinstance(t, type)):
        of = inspect.unwrap(thing)
        waiting += _named(_defined(of).returns, sys.modules[of.__module__])
    known = set(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in known:
            known.add(kind)
            waiting += _told_types(kind)
    for told in sorted([*_class(kind.__name__, kind)] for kind in known - kinds):
        yield from told


# the command line


def _walk(command, *words: str) -> Iterator[tuple[str, object]]:
    "Commands, with the words that call them."
    command = command.load() if isinstance(command, Later) else command
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
    for name in sorted(below or ()):
        yield from _walk(below[name], *words, name)


def _parameter(one, context) -> str:
    "An argument or an option as it is written, and what holds without it."
    told = (one.get_help_record(context) or (" ".join(one.opts), ""))[0]
    default = one.default if isinstance(one.default, str | int | float | Path) else None
    said = [
        "needed" if one.required else "",
        "may be repeated" if getattr(one, "multiple", False) else "",
        f"default {default}" if default not in (None, False, "") else "",
    ]
    return f"{told}{''.join(f', {word}' for word in said if word)}"


def commands() -> Iterator[str]:
    "Every command, with what it takes beside what all of them take."
    found = {}
    for words, command in _walk(get_command(app)):
        context = command.make_context(words, [], resilient_parsing=True)
        found[words] = [_parameter(one, context) for one in command.params]
    common = set.intersection(*map(set, found.values()))
    yield f"every command: {'; '.join(sorted(common))}"
    for words, parameters in found.items():
        yield f"aiops-wb {words}"
        yield from (f"    {one}" for one in parameters if one not in common)


EXIT_CODES = """\
0  done
1  refused or found wrong: one sentence on standard error says what
2  wrong usage
3  some steps of a morning failed
4  all steps of a morning failed
128 and the number of a signal that ended it (130: Ctrl-C)
"""


# what is set, asked for and stored


def settings() -> Iterator[str]:
    "Settings with their types and defaults, and what the names of types stand for."
    told, named = {}, set()
    for kind in reversed(Settings.__mro__):
        if kind.__module__ == Settings.__module__:
            for node in _defined(kind).body:
                if isinstance(node, ast.AnnAssign) and node.target.id in Settings.model_fields:
                    told[node.target.id] = ast.unparse(node)
                    named |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    assert told.keys() == Settings.model_fields.keys()
    yield from (told[name] for name in sorted(told))
    source = ast.parse(inspect.getsource(sys.modules[Settings.__module__]))
    for node in (n for n in source.body if isinstance(n, ast.Assign)):
        if node.targets[0].id in named:
            yield ast.unparse(node)


def addresses() -> Iterator[str]:
    "What the API answers; pages for people are none of it."
    told = [
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        if getattr(route, "include_in_schema", False)
        for method in sorted(route.methods)
    ]
    yield from sorted(told, key=lambda line: line.partition(" ")[::-1])


def files() -> Iterator[str]:
    "Columns of what services log and files deliver, and what a case that is sent consists of."
    for kind, columns in COLUMNS.items():
        yield f"{kind}, of which {', '.join(REQUIRED[kind])} are needed"
        yield from (f"    {name} {type_}" for name, type_ in columns.items())
    yield "a case as it is sent (case_file, webhook_url)"
    yield from (f"    {name}" for name in (*SENT, "idempotency_key", "update"))


def views() -> Iterator[str]:
    "Views of a published snapshot."
    with tempfile.TemporaryDirectory() as folder:
        with open_store(folder, "surface") as store:
            store.publish()
        with aiops_wb.open_snapshot(folder) as reader:
            query = """
                SELECT table_name, column_name, data_type FROM duckdb_columns()
                WHERE database_name = current_database() AND table_name IN (
                    SELECT view_name FROM duckdb_views()
                    WHERE NOT internal AND database_name = current_database())
                ORDER BY table_name, column_index"""
            for name, columns in groupby(reader.con.execute(query).fetchall(), itemgetter(0)):
                yield name
                yield from (f"    {column} {kind}" for _, column, kind in columns)


def tools() -> Iterator[str]:
    "What a program may ask over MCP; read from the source, so that the extra need not be here."
    tree = ast.parse((Path(aiops_wb.__file__).parent / "mcp" / "server.py").read_text())
    for node in ast.walk(tree):
        for one in getattr(node, "decorator_list", ()):
            what = ast.unparse(one).partition("(")[0]
            if what == "server.tool":
                yield f"{node.name}{_signature(node)}"
            elif what == "server.resource":
                yield f"resource {one.args[0].value}"


PARTS = {
    "Names: from aiops_wb import ...": names,
    "Reports of one's own": of_reports,
    "What they answer with": answers,
    "Commands": commands,
    "Exit codes": EXIT_CODES.splitlines,
    "Settings": settings,
    "Addresses of the API": addresses,
    "Tools over MCP": tools,
    "Files": files,
    "Views of the catalog": views,
}


def _folded(lines: Iterable[str]) -> Iterator[str]:
    "Long signatures, an argument a line: a change of one is a change of one line."
    for line in lines:
        if len(line) <= LINE or "(" not in line:
            yield line
            continue
        start = line.index("(") + 1
        indent, depth, parts = " " * (len(line) - len(line.lstrip()) + 8), 0, [line[:start]]
        for mark in line[start:]:
            depth += (mark in "([{") - (mark in ")]}")
            parts.append(f",\n{indent}" if (mark, depth) == (",", 0) else mark)
        yield from (part.replace(f"{indent} ", indent) for part in "".join(parts).splitlines())


@cache
def parts() -> dict[str, list[str]]:
    "Lines of each part, by its title."
    return {title: list(_folded(lines())) for title, lines in PARTS.items()}


def described() -> str:
    "The whole description."
    told = [f"\n== {title}\n\n" + "\n".join(lines) for title, lines in parts().items()]
    return "\n".join([f"The public surface of aiops_wb: {HOW}.\n", *told]) + "\n"


if __name__ == "__main__":
    RECORDED.write_text(described(), encoding="utf-8")
