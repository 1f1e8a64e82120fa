"""Commands whose modules are loaded when they are called: help costs nothing of what they need."""

import sys
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["Later", "loading", "needs"]

NOT_USED = ("sklearn",)
"An optional part of XGBoost that takes half a second to load; no command uses it."

_CUT_OFF = (
    "a compiled file of a package is cut off: remove the folders __pycache__ where it is "
    "installed, or install it again."
)

Table = Mapping[str, tuple[str, str]]  # name -> module, what the command does


class Later(TyperCommand):
    "A command or a group whose module is loaded when it is called."

    def __init__(self, name: str, module: str, text: str):
        text = text[0].upper() + text[1:] + "."
        super().__init__(name, help=text, rich_markup_mode=None)
        self.module = module

    def load(self) -> TyperCommand | TyperGroup:
        "The command or the group itself."
        try:
            with _left_out(*NOT_USED):
                loaded = get_command(import_module(f".{self.module}", __package__).app)
        except ModuleNotFoundError as error:
            raise typer.TyperException(needs(error)) from None
        except EOFError:  # Python writes bytecode onto a full disk, too, and does not look again
            raise typer.TyperException(_CUT_OFF) from None
        loaded.name, loaded.help = self.name, self.help
        return loaded

    def make_context(self, info_name, args, parent=None, **extra):
        "The context of the loaded command."
        return self.load().make_context(info_name, args, parent, **extra)


@contextmanager
def _left_out(*names):
    "Modules that are not found meanwhile, unless they are loaded already."
    absent = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def loading(table: Table) -> type[TyperGroup]:
    "A kind of group with the commands of a table beside its own."

    class Group(TyperGroup):
        def __init__(self, *, commands=None, **options):
            later = {name: Later(name, *told) for name, told in table.items()}
            super().__init__(commands={**(commands or {}), **later}, **options)

    return Group


def needs(error: ModuleNotFoundError) -> str:
    "What to install, in a sentence."
    if "aiops_wb[" in str(error):
        return str(error)
    return (
        f"{error.name} is not installed: this command needs the extras, "
        "pip install 'aiops_wb[ml,lab]'."
    )
