"""One call of a command: its settings, its clock, its user, the log that it reads or writes."""

import getpass
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, wraps
from pathlib import Path
from typing import Annotated

import typer

from ..config import Settings, SettingsError, load_settings
from ..log.anchor_command import anchor_trail, doubt_unanchored
from ..log.audit import ALREADY
from ..log.base import unpublished
from ..log.catalog import Reader, open_snapshot
from ..log.modes import mask_of
from ..log.store import Prepare, Store, open_store
from .ended import ended
from .later import Table, loading
from .lines import line, printable
from .once import Once

__all__ = ["Call", "alone", "already", "command", "group"]


@dataclass(frozen=True)
class Call:
    "What every command is called with."

    data: Path | None = None
    reports_folder: Path | None = None
    config: Path | None = None
    verbose: int = 0
    quiet: bool = False

    @property
    def chosen(self) -> dict:
        "The settings that were given as arguments."
        return {"data": self.data, "reports": self.reports_folder, "config": self.config}

    @cached_property
    def settings(self) -> Settings:
        "The settings of this call."
        return load_settings(**self.chosen)

    @cached_property
    def who(self) -> str:
        "Who calls."
        try:
            return printable(getpass.getuser())
        except (KeyError, OSError):
            return "unknown"

    def work(self, handler: Callable, arguments: dict) -> int | None:
        "Do what a command does; what it writes is as open as the data folder is, or will be."
        with suppress(SettingsError):  # the command tells it, where it needs settings
            os.umask(mask_of(self.settings.data, self.settings.group))
        return handler(self, **arguments)

    def now(self) -> datetime:
        "The time."
        return datetime.now(UTC)

    def say(self, text: object) -> None:
        "Tell how far the work is, unless the call is to be quiet."
        if not self.quiet:
            line(text)

    def reading(self) -> Reader:
        "The newest published snapshot, to be closed by `with`."
        return open_snapshot(self.settings.data, self.settings.spool)

    def publish_the_rest(self) -> None:
        "Publish what a stopped process committed, before a command that only reads at first."
        if unpublished(self.settings.data):
            with self.writing():
                pass

    @contextmanager
    def writing(self, zone: str | None = None, prepare: Prepare | None = None) -> Iterator[Store]:
        """The log, to be written and published however the work ends; a new one counts days by
        zone. `prepare`: as in `open_store`."""
        with self.opened(zone, prepare) as store:
            yield store
            store.publish(self.settings.snapshots_kept)
            anchor_trail(store, self.settings, self.now())

    @contextmanager
    def opened(self, zone: str | None = None, prepare: Prepare | None = None) -> Iterator[Store]:
        "The same for who publishes and anchors: only what stopped half-way is published here."
        kept, opened = self.settings.snapshots_kept, (self.settings.data, self.who, zone)
        where = {"spool": self.settings.spool, "group": self.settings.group}
        with open_store(*opened, prepare=prepare, **where) as store, store.published(kept):
            doubt_unanchored(store, self.settings)
            yield store


@contextmanager
def _masked():
    "What a command writes is its user's alone, until settings say otherwise; then as before."
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def already(log: Reader, rows: int) -> str:
    "What is to be said of an act after which the audit trail is as long as it was."
    return ALREADY if log.audit_head()[0] == rows else ""


def _every_command(
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="folder of the log, catalog, spool and models (default: data)"
        ),
    ] = None,
    reports_folder: Annotated[
        Path | None,
        typer.Option("--reports-dir", metavar="DIR", help="folder of the pages (default: reports)"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="file of settings (default: aiops.toml here, in a folder above, "
            "or in the data folder)",
        ),
    ] = None,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            metavar="",
            help="tell what is done on standard error; twice: everything",
        ),
    ] = 0,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="tell nothing but results and errors"),
    ] = False,
): ...


COMMON = tuple(inspect.signature(_every_command).parameters.values())


def group(later: Table | None = None) -> typer.Typer:
    """A group of commands, some in modules of their own that are loaded when they are called; its
    name and its help stand in the table of commands."""
    return typer.Typer(
        cls=loading(later or {}),
        rich_markup_mode=None,
        add_completion=False,
        callback=lambda: None,
    )


def alone() -> typer.Typer:
    "A command that is loaded when it is called; its name and its help stand where it is named."
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def command(app: typer.Typer, name: str | None = None) -> Callable:
    "Make a function of a call and its own arguments a command with the arguments of every command."

    def add(handler):
        own = list(inspect.signature(handler).parameters.values())[1:]

        @wraps(handler)
        def called(**arguments):
            call = Call(**{p.name: arguments.pop(p.name) for p in COMMON})
            with _masked():
                return ended(lambda: call.work(handler, arguments), call.verbose, call.quiet)

        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *COMMON)]
        called.__signature__ = inspect.Signature(parameters)
        app.command(name, cls=Once)(called)
        return handler

    return add
