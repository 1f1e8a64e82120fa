"""The dial of a model: whether the threshold in force decides who is called."""

from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..stats.decisions import LEVELS
from ..watch.dial import DAYS, Calls
from .arguments import Why, as_name, as_names, as_number
from .call import Call, alone, already, command
from .lines import line, printable
from .thresholds import newest_view

app = alone()


def as_cuts(text: str) -> tuple[float, ...]:
    "Four ascending scores; ValueError when the text is none."
    cuts = tuple(map(as_number, as_names(text)))
    if len(cuts) != len(LEVELS) - 1 or list(cuts) != sorted(set(cuts)):
        raise ValueError(f"{text!r} is not four ascending scores such as 1,2,3,4")
    return cuts


@command(app)
def dial(
    call: Call,
    model: Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")],
    state: Annotated[
        Literal["on", "off"] | None,
        typer.Argument(
            metavar="[on|off]",
            help="on: at or above the threshold in force somebody is called; off: at the fixed "
            "cuts of the settings (default: show how it stands)",
        ),
    ] = None,
    cuts: Annotated[
        str | None,
        typer.Option(
            parser=as_cuts,
            metavar="LOW,MEDIUM,HIGH,CRITICAL",
            help="scores where these levels begin, of a model whose scores are no probabilities",
        ),
    ] = None,
    why: Why = None,
):
    if state is None:
        with call.reading() as log:
            view = newest_view(log, call, model)
            _show(view, Calls(view))
        return
    if not why:
        raise StoreError("to turn a dial needs --why.")
    with call.writing() as log:
        view = newest_view(log, call, model)
        _check(view, state, cuts)
        before, rows = Calls(view).recorded, log.audit_head()[0]
        log.turn_dial(call.now(), call.who, model, state == "on", why, cuts)
        turned = newest_view(log, call, model)
        calls = Calls(turned)
        after = calls.at(turned.ladder.high) if turned.ladder else 0.0
        line(printable(f"the dial of {model} is {log.dial(model)}{already(log, rows)}"))
    line(
        f"somebody was called {before:.1f} times a day over the last {DAYS} days; with what stands "
        f"now it would have been {after:.1f}"
    )


def _check(view, state, cuts):
    "StoreError where cuts are asked for and missing, or given and not asked for."
    if view.grid.kind == "logit":
        if cuts:
            raise StoreError(
                f"--cuts is of scores that are no probabilities, as those of {view.model} are: "
                "their cuts are risk_cuts of the settings."
            )
    elif state == "on" and not (cuts or view.dial.cuts):
        raise StoreError(
            f"{view.model} has scores that are no probabilities: say with --cuts where LOW, "
            "MEDIUM, HIGH and CRITICAL begin, such as --cuts 1,2,3,4."
        )


def _show(view, calls):
    "How a dial stands, and what it does."
    dial, ladder = view.dial, view.ladder
    line(printable(f"the dial of {view.model} is {dial}"))
    if ladder is None:
        line("scores without cuts: the workbench calls nobody; a scoring service may")
        return
    begins = "at the threshold in force" if dial.on else "at a fixed cut"
    line(
        f"HIGH begins {begins}, {view.probability(ladder.high):.3f} ({ladder.high} points): over "
        f"the last {DAYS} days {calls.at(ladder.high):.1f} events a day, {calls.recorded:.1f} calls"
    )
