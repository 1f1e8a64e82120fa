"""Pages that are written from the package itself: its names, layer by layer, and its commands."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from typer.main import get_command

import aiops_wb

ROOT = Path(__file__).parent.parent
LAYERS = {  # in the order of imports: each knows only those above it
    "config": "Settings, and where each was read.",
    "stats": "Points, counts and every figure that is a function of them.",
    "log": "Nothing lost, nothing counted twice, every figure as of any time.",
    "models": "Versions: trained, registered, explained, challenged.",
    "watch": "One model on one day, and every question about it.",
    "render": "Tables, plots and pages.",
    "daily": "A morning, act by act.",
    "replay": "Another setting over the days that were.",
    "workbench": "One door for analysts.",
    "examples": "A real log and a simulated one to try things on.",
}
EDGES = ("cli", "api", "service")  # told by their commands and addresses, not by their functions


def first_sentence(thing: object) -> str:
    "The first line of a docstring."
    return (inspect.getdoc(thing) or "").partition("\n")[0]


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
            f"## {name.removeprefix('aiops_wb.')}\n",
            f"Told in the notebook [{told.rpartition('/')[2]}](../{told}).\n" if told else "",
            f"```{{eval-rst}}\n.. automodule:: {name}\n```\n",
        ]
    return "\n".join(parts)


def surface() -> Iterator[tuple[str, str, str]]:
    "Name, full name and first sentence of everything that `from aiops_wb import ...` offers."
    for name in sorted(aiops_wb.__all__):
        thing = getattr(aiops_wb, name)
        yield name, f"{thing.__module__}.{thing.__qualname__}", first_sentence(thing)


def index_page() -> str:
    "What is offered at the top, and the layers."
    offered = [f"| {{py:obj}}`{n} <{full}>` | {text} |" for n, full, text in surface()]
    layers = [f"| [{room}]({room}.md) | {LAYERS[room]} |" for room in rooms()]
    return "\n".join(
        [
            "# Reference\n",
            "Names that are offered at the top, as in `from aiops_wb import Grid`. They keep their names"
            " and meanings from one release to the next; the modules behind them may move.\n",
            "| name | what it is |\n|---|---|",
            *offered,
            "\nThe same and everything else by layer. A module imports only from layers above its own.\n",
            "| layer | what it knows |\n|---|---|",
            *layers,
            "\n```{toctree}\n:hidden:\n",
            *rooms(),
            "```\n",
        ]
    )


def _walk(
    command, context, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    "Every command that is shown, with the words that call it."
    for name in getattr(command, "list_commands", lambda _: [])(context):
        inner = command.get_command(context, name)
        if inner and not inner.hidden:
            below = inner.context_class(inner, info_name=name, parent=context)
            yield (*words, name), inner, below
            yield from _walk(inner, below, (*words, name))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def command_section(words: tuple[str, ...], command, context) -> str:
    "One command: what it does, how it is called, what it takes."
    records = [p.get_help_record(context) for p in command.get_params(context)]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in filter(None, records)]
    return "\n".join(
        [
            f"{'#' * min(len(words), 3)} {' '.join(words)}\n",
            inspect.cleandoc(command.help or "") + "\n",
            f"```text\n{' '.join(command.get_usage(context).split())}\n```\n",
            *(["| option | what it says |\n|---|---|", *rows, ""] if rows else []),
        ]
    )


def commands_page(app) -> str:
    "The command line, from the commands themselves."
    command = get_command(app)
    context = command.context_class(command, info_name="aiops-wb")
    told = [
        command_section(("aiops-wb", *words), c, inner)
        for words, c, inner in _walk(command, context, ())
    ]
    return "\n".join(["# Command line\n", (command.help or "") + "\n", *told])


def write(source: Path) -> None:
    "All pages that are made from the package."
    (source / "api").mkdir(exist_ok=True)
    (source / "api" / "index.md").write_text(index_page(), encoding="utf-8")
    for room in rooms():
        (source / "api" / f"{room}.md").write_text(layer_page(room), encoding="utf-8")
    from aiops_wb.cli import app

    (source / "commands.md").write_text(commands_page(app), encoding="utf-8")
