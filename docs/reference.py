"""Pages that are written from the package itself: its names, layer by layer, and its commands."""

import inspect
import json
import pkgutil
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import docstrings
from typer import Context, Typer
from typer.main import get_command

import aiops_wb
from aiops_wb.cli import app
from aiops_wb.config import Settings
from aiops_wb.render.glossary import WORDS

ROOT = Path(__file__).parent.parent
LAYERS = {  # in the order of imports: each knows only those above it
    "config": "Settings, and where each was read.",
    "stats": "Points, counts and every figure that is a function of them.",
    "log": "Nothing lost, nothing counted twice, every figure as of any time.",
    "models": "Versions: trained, registered, explained, challenged.",
    "watch": "One model on one day: every question about it, its alarms and its cases.",
    "streams": "Events of other systems come in, and what happens here goes out.",
    "render": "Tables, plots and pages.",
    "daily": "A morning, act by act.",
    "replay": "Past days lived again under policies of one's own.",
    "workbench": "One door for analysts.",
    "examples": "A real log and a simulated one to try things on.",
    "lab": "Moved by hand in a notebook.",
}
EDGES = ("cli", "api", "mcp", "service")  # told by commands and addresses


def first_sentence(thing: object) -> str:
    "The first sentence of a docstring."
    paragraph = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) (?=[A-Z`])", paragraph)[0]


def cell(text: object) -> str:
    "Plain text for a cell of a table: code between backticks, everything else as it stands."
    parts = re.split(r"(`[^`]*`)", " ".join(str(text).split()).replace("|", r"\|"))
    return "".join(p if p.startswith("`") else re.sub(r"([*_<\[])", r"\\\1", p) for p in parts)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    "A table in Markdown; its cells are Markdown already."
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(lines) + "\n"


def rooms() -> list[str]:
    "The folders and modules at the top of the package, in the order of layers."
    found = {m.name for m in pkgutil.iter_modules(aiops_wb.__path__) if not m.name.startswith("_")}
    unknown = found - LAYERS.keys() - set(EDGES)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: name its layer in docs/reference.py.")
    return [name for name in LAYERS if name in found]


def modules(room: str) -> list[str]:
    "The modules of a room, with their full names: in the order of their lessons, else by name."
    package = import_module(f"aiops_wb.{room}")
    if not hasattr(package, "__path__"):
        return [package.__name__]
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    return [
        f"{package.__name__}.{name}" for name in sorted(names, key=lambda n: (lesson(room, n), n))
    ]


def lesson(room: str, module: str) -> str:
    "The notebook that a module is exported from, as a path in the repository; none for plain ones."
    told = [
        *ROOT.glob(f"nbs/{room}/[0-9]*_{module}.ipynb"),
        *ROOT.glob(f"nbs/{room}/{module}.ipynb"),
    ]
    return told[0].relative_to(ROOT).as_posix() if told else ""


def layer_page(room: str) -> str:
    "One page for a layer, one section for each of its modules."
    parts = [f"# {room}\n", LAYERS[room] + "\n"]
    for name in modules(room):
        told = lesson(room, name.rpartition(".")[2])
        parts += [
            f"## {name.removeprefix('aiops_wb.')}\n"
            if "." in name.removeprefix("aiops_wb.")
            else "",
            f"Told in the notebook [{told.rpartition('/')[2]}](../{told}).\n" if told else "",
            f"```{{eval-rst}}\n.. automodule:: {name}\n```\n",
        ]
    return "\n".join(parts)


def surface() -> Iterator[tuple[str, str]]:
    "Link and first sentence of everything that `from aiops_wb import ...` offers."
    for name in sorted(aiops_wb.__all__):
        thing = getattr(aiops_wb, name)
        full = f"{thing.__module__}.{thing.__qualname__}"
        yield f"{{py:obj}}`{name} <{full}>`", cell(first_sentence(thing))


def index_page() -> str:
    "What is offered at the top, and the layers."
    layers = [(f"[{room}]({room}.md)", LAYERS[room]) for room in rooms()]
    return "\n".join(
        [
            "# Reference\n",
            "Names that are offered at the top, as in `from aiops_wb import Grid`. They keep their"
            " names and meanings from one release to the next; the modules behind them may move.\n",
            table(("name", "what it is"), surface()),
            "The same and everything else by layer. A module imports only from its own layer and"
            " those above it in this table.\n",
            table(("layer", "what it knows"), layers),
            "```{toctree}\n:hidden:\n",
            *rooms(),
            "```\n",
        ]
    )


def allowed(schema: dict) -> str:
    "What a setting may be, in words."
    if "anyOf" in schema:
        kinds = [allowed(part) for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(kinds)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "prefixItems" in schema:
        kinds = [allowed(part) for part in schema["prefixItems"]]
        return f"{len(kinds)} values, each {kinds[0]}" if len(set(kinds)) == 1 else ", ".join(kinds)
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    kind = words.get(schema.get("type"), schema.get("type", "any"))
    kind = {"path": "a path", "password": "text, kept secret"}.get(schema.get("format"), kind)
    bounds = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    return ", ".join(
        [kind, *(f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema)]
    )


def default(value: object) -> str:
    "A default as one writes it in a file of settings."
    return "" if value is None else f"`{json.dumps(value, default=str)}`"


def settings_page() -> str:
    "Every setting: its default, what it may be, and what the source says beside it."
    ours = [c for c in Settings.__mro__ if c.__module__ == Settings.__module__]
    told = {name: text for c in ours for name, text in docstrings.described(c).items()}
    schemas = Settings.model_json_schema()["properties"]
    rows = [
        (f"`{name}`", default(field.default), allowed(schemas[name]), cell(told.get(name, "")))
        for name, field in Settings.model_fields.items()
    ]
    about = (
        "Settings stand in `aiops.toml` or in variables named `AIOPS_` and the setting's name in"
        " capitals; a variable goes before the file. `aiops-wb config` prints each with its"
        " source.\n"
    )
    return "\n".join(
        ["# Settings\n", about, table(("setting", "default", "may be", "what it is"), rows)]
    )


def glossary_page() -> str:
    "Every word that pages explain, as they explain it, with other spellings of it."
    entries = ("\n".join([word.word, *word.also, f"  {cell(word.means)}"]) for word in WORDS)
    about = "The words of the pages, as they explain them themselves. A word means one thing.\n"
    return "\n".join(
        ["# Glossary\n", about, "```{glossary}\n:sorted:\n\n" + "\n\n".join(entries) + "\n```\n"]
    )


def _walk(context, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Context]]:
    "Every command that is shown, with the words that call it; a group before its members."
    group = context.command
    for name in group.list_commands(context) if hasattr(group, "list_commands") else ():
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            yield (*words, name), inner
            yield from _walk(inner, (*words, name))


def options(context: Context) -> list[tuple[str, str]]:
    "What a command takes: how it is written, what it says."
    records = [p.get_help_record(context) for p in context.command.get_params(context)]
    return [(cell(f"`{name}`"), cell(text)) for name, text in filter(None, records)]


def command_section(words: tuple[str, ...], context: Context, known: list[tuple[str, str]]) -> str:
    "One command: what it does, how it is called, what it takes beside what all commands know."
    command = context.command
    own = [row for row in options(context) if row not in known]
    return "\n".join(
        [
            f"{'#' * min(len(words), 3)} {' '.join(words)}\n",
            inspect.cleandoc(command.help or "") + "\n",
            f"```text\n{' '.join(command.get_usage(context).split()[1:])}\n```\n",
            table(("option", "what it says"), own) if own else "",
        ]
    )


def commands_page(app: Typer) -> str:
    "The command line, from the commands themselves."
    command = get_command(app)
    context = command.make_context("aiops-wb", [], resilient_parsing=True)
    found = list(_walk(context, ()))
    taken = [options(inner) for _, inner in found if not hasattr(inner.command, "list_commands")]
    known = [row for row in taken[0] if all(row in other for other in taken)]
    return "\n".join(
        [
            "# Command line\n",
            (command.help or "") + "\n",
            "Every command knows these options:\n",
            table(("option", "what it says"), known),
            *(command_section(("aiops-wb", *words), inner, known) for words, inner in found),
        ]
    )


def write(source: Path) -> None:
    "All pages that are made from the package."
    (source / "api").mkdir(exist_ok=True)
    (source / "api" / "index.md").write_text(index_page(), encoding="utf-8")
    for room in rooms():
        (source / "api" / f"{room}.md").write_text(layer_page(room), encoding="utf-8")
    (source / "glossary.md").write_text(glossary_page(), encoding="utf-8")
    (source / "settings.md").write_text(settings_page(), encoding="utf-8")
    (source / "commands.md").write_text(commands_page(app), encoding="utf-8")
