"""What is wrong around a workbench, and what to do about it."""

import os
import stat
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import duckdb

from ..config import SettingsError, settings_file, sources
from ..log.doctor import Finding, examine
from ..log.errors import StoreError
from ..log.modes import writable_by_all
from ..render.own_reports import own_reports, reports_folder_of
from ..streams.outgoing import is_published, not_taken, receivers, wrong_addresses
from ..streams.targets import missing_extra
from .arguments import AsJson
from .call import Call, alone, command
from .lines import counted, printable
from .output import show

app = alone()


@command(app)
def doctor(call: Call, as_json: AsJson = False):
    settings = _settings(call)
    # of settings that cannot be read nobody knows where to look
    known = settings.state != "wrong" or settings.do
    found = [settings]
    if known:
        found += [*examine(call.settings, call.now()), *_own_reports(call.settings)]
        found += _events(call)
    wrong = sum(one.state == "wrong" for one in found)
    look = sum(one.state == "look" for one in found)
    total = f"{counted(wrong, 'thing')} wrong" if wrong else "nothing is wrong"
    total += f", {counted(look, 'thing')} to look at" if look else ""
    show([one._asdict() for one in found], _text, total, as_json)
    return 1 if wrong else 0


_SECRETS = ("webhook_url", "messages", "heartbeat_url", "spark_url", "events_to")
"Settings that are addresses with secrets."


def _settings(call) -> Finding:
    "Whether the settings can be read, and whoever else may write or read them."
    try:
        told = {source for *_, source in sources(**call.chosen) if source.startswith("file ")}
    except SettingsError as error:
        return Finding("settings", "wrong", str(error).rstrip("."))
    if not told:
        return Finding("settings", "ok", "no file of settings")
    path = Path(told.pop().removeprefix("file "))
    if writable_by_all(path):
        return Finding("settings", "wrong", f"everybody may write to {path}", f"chmod o-w {path}")
    secrets = [name for name in _SECRETS if getattr(call.settings, name)]
    if secrets and os.stat(path).st_mode & stat.S_IROTH:
        says = f"everybody may read {path}, which may hold the secret of {', '.join(secrets)}"
        return Finding("settings", "look", says, f"chmod o-r {path}")
    if shadowed := _shadowed(call):
        told = ", ".join(shadowed)
        do = "unset what is not meant; a schedule has no such variables"
        return Finding("settings", "look", f"{told} of the environment wins over {path}", do)
    return Finding("settings", "ok", f"{path} can be read")


def _own_reports(settings) -> Iterator[Finding]:
    "Whether the notebooks of one's own reports run."
    found, folder = own_reports(settings), reports_folder_of(settings)
    for state, sentences in (("wrong", found.wrong), ("look", found.left_out)):
        yield from (Finding("own reports", state, one.rstrip(".")) for one in sentences)
    if not (found.wrong or found.left_out):
        says = "no folder is named: reports_folder of the settings is one for notebooks of your own"
        n = counted(len(found.reports), "notebook")
        yield Finding("own reports", "ok", f"{n} of your own in {folder}" if folder else says)


def _events(call) -> Iterator[Finding]:
    "Whether those who are to hear of events can be told, and what waits for them; none is asked."
    to, wrong = call.settings.events_to, wrong_addresses(call.settings.events_to)
    yield from (Finding("events", "wrong", says) for says in wrong)
    for place in (one.place for one in receivers(to)):
        if extra := missing_extra(place, find_spec):
            wrong.append(extra)
            yield Finding("events", "wrong", f"{place} cannot be told", f"pip install '{extra}'")
    failing = _failing(call)
    for one in failing:
        n, since = counted(one["waiting"], "event"), f"{one['since']:%Y-%m-%d %H:%M}Z"
        says = f"{one['to']} takes nothing since {since} ({one['why']}), and {n} waiting"
        yield Finding("events", "look", says, "'aiops-wb events send' tries it")
    if not (failing or wrong):
        n = counted(len(to), "place") if to else "nobody"
        yield Finding("events", "ok", f"{n} {'hear' if len(to) > 1 else 'hears'} what happens")


def _failing(call):
    "Places that take nothing of what waits for them."
    settings = call.settings
    if not settings.events_to or not is_published(settings.data):
        return []
    try:
        with call.reading() as log:
            every = not_taken(settings.data, settings, log, call.now())
    except (StoreError, duckdb.Error):  # the snapshot has a finding of its own
        return []
    return [one for one in every if one["times"]]


def _shadowed(call):
    "Variables that say another thing than the file of settings does, which is read without them."
    path = settings_file(call.config, call.settings.data)
    file = tomllib.loads(path.read_text(encoding="utf-8"))
    told = (s for s in sources(**call.chosen) if s.source.startswith("variable "))
    return [s.source.removeprefix("variable ") for s in told if s.name in file]


def _text(row):
    return printable(str(Finding(**row)))
