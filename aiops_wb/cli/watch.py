"""Switching the watch over a version on or off."""

from typing import Annotated, Literal

import typer

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..watch.switch import switch_watch
from .arguments import Reason
from .call import Call, alone, already, command
from .lines import line, printable

app = alone()


@command(app)
def watch(
    call: Call,
    version: Annotated[
        str,
        typer.Argument(metavar="MODEL/VERSION", help="the version, such as late/v1"),
    ],
    state: Annotated[
        Literal["on", "off"],
        typer.Argument(
            metavar="on|off",
            help="off closes its alarms and raises no more, nor misses its events; days before the "
            "switch that have no figures yet are left as they are",
        ),
    ],
    why: Reason,
):
    with call.writing() as log:
        (model, named), rows = _version(log, version), log.audit_head()[0]
        switch_watch(log, call.now(), call.who, model, named, state == "on", why)
        off, again = log.not_watched(model, named), already(log, rows)
    stands = f"is not watched {off}" if off else "is watched"
    line(printable(f"{model} {named} {stands}{again}"))


def _version(log: Reader, text: str) -> tuple[str, str]:
    "The model and the version that MODEL/VERSION names: both may hold slashes themselves."
    known = [(m, v) for m in log.models() for v in log.known_versions(m)]
    for model, version in known:
        if text == f"{model}/{version}":
            return model, version
    choices = ", ".join("/".join(one) for one in known)
    raise StoreError(f"{text!r} is no version of this log: choose one of {choices or 'none'}.")
