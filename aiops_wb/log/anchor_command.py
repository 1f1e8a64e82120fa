"""Where the owner wants the trail to be anchored: a file, a command, or both.

A command gets the line of an anchor on its standard input and takes it where nobody who may write
here can change it: the log of the system, a mail, a service that only appends. What it took is
given back by `audit verify --anchor FILE`.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from ..config import PREFIX, Settings
from .anchor import add_anchor, require_anchored
from .audit import AuditReads
from .durable import write_durably
from .errors import StoreError

__all__ = ["anchor_trail", "doubt_unanchored", "tell_anchor"]

_TOLD = "anchored.json"
"What the command took last, beside the catalog: the same is not told twice."
_SAID = 200  # characters of what a command that failed had to say
_NEXT = "What was done is done, and is anchored by the next change."


def anchor_trail(reader: AuditReads, settings: Settings, at: datetime) -> None:
    """Anchor what the trail is now, by the file and by the command that the settings name.

    StoreError where one of them did not take it, after the other was tried.
    """
    problems = []
    for anchored in (_in_file, _by_command):
        try:
            anchored(reader, settings, at)
        except StoreError as problem:
            problems.append(str(problem))
    if problems:
        raise StoreError(" ".join(problems))


def doubt_unanchored(store, settings: Settings) -> None:
    """Have a store append nothing to a trail that is not what the last line of the file of anchors
    says it was; whatever else it does goes on."""
    if settings.audit_anchor:
        try:
            require_anchored(store, settings.audit_anchor)
        except StoreError as problem:
            store.doubt(str(problem).partition(" Keep the file")[0].rstrip("."))


def _in_file(reader, settings, at):
    if settings.audit_anchor:
        add_anchor(reader, settings.audit_anchor, at)


def _by_command(reader, settings, at):
    if not settings.audit_anchor_command:
        return
    rows, head = reader.audit_head()
    told = {"rows": rows, "head": head}
    place = reader.root / _TOLD
    if _told_before(place) == told:
        return
    line = json.dumps({"at": at.isoformat()} | told) + "\n"
    tell_anchor(settings.audit_anchor_command, line, settings.audit_anchor_seconds)
    with suppress(OSError):  # then the same is told once more
        write_durably(place, json.dumps(told))


def _told_before(place):
    "What the command took last; None where that is not known."
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def tell_anchor(command: Sequence[str], line: str, seconds: float) -> None:
    """Give a line to a command on its standard input; no shell reads it.

    StoreError where there is no such command, where it ends with another code than 0, or does not
    end in so many seconds: then it is ended, with all that it began in its group.
    """
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(PREFIX)}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
        given.write(line.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(  # its output is a file: a pipe would be waited for
                list(command), stdin=given, stdout=subprocess.DEVNULL, stderr=said,
                env=environment, process_group=0,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise _failed(command, getattr(error, "strerror", None) or str(error)) from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise _failed(command, f"it did not end in {seconds:g} s") from None
        finally:
            _end(process)
        said.seek(0)
        words = " ".join(said.read(_SAID * 4).decode("utf-8", "replace").split())[:_SAID]
    if code:
        raise _failed(command, f"exit code {code}" + (f": {words}" if words else ""))


def _end(process):
    "End a command that has not ended, with all that it began in its group."
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failed(command, why):
    name = os.path.basename(command[0]) or command[0]
    return StoreError(f"the anchor of the audit trail was not taken by {name} ({why}). {_NEXT}")
