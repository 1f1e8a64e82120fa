"""A challenger: trained, compared, proposed, never switched on."""

from datetime import date
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..models.challenge import challenge, check
from ..models.complete import label_rules
from .arguments import Model, as_date
from .call import Call, alone, command
from .lines import line
from .thresholds import newest_view

app = alone()


@command(app)
def retrain(
    call: Call,
    model: Model,
    date_: Annotated[
        date | None,
        typer.Option(
            "--date",
            parser=as_date,
            metavar="DAY",
            help="as on the evening of this day (default: the newest)",
        ),
    ] = None,
    override: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="go on although a safeguard stops it, for this reason"),
    ] = None,
    flag: Annotated[
        Literal["on", "off"] | None,
        typer.Option(help="only switch retraining on or off for this model"),
    ] = None,
    why: Annotated[
        str | None, typer.Option(help="the reason for --flag, for the audit trail")
    ] = None,
):
    with call.writing() as log:
        log.require_model(model)
        if flag:
            _switch(call, log, model, flag, why)
            return
        view = newest_view(log, call, model)
        day = date_ or view.day
        _ask_safeguards(call, log, view, day, override)
        result = challenge(
            log,
            model,
            day,
            call.now(),
            call.who,
            why=override or "safeguards passed",
            options=call.settings.certainty,
            allow_incomplete=override is not None,
            **label_rules(call.settings),
        )
    line(f"{result.challenger}: {result.verdict.reason}")
    line(
        f"proposed, not active: 'aiops-wb models promote --model {model} "
        f"--version {result.challenger} --why ...' switches it on"
        if result.verdict.propose
        else "not proposed: keep the champion"
    )


def _switch(call, log, model, flag, why):
    "Record that a model may be retrained, or may not."
    if not why:
        raise StoreError("switching retraining on or off needs --why.")
    with log.transaction():
        log.record(call.now(), call.who, "retrain", model, flag, why)
    line(f"retraining of {model} is {flag}")


def _ask_safeguards(call, log, view, day, override):
    "Print what each safeguard says; StoreError when one stops the retraining and nobody overrides."
    settings = call.settings
    checks = check(
        log,
        view.model,
        day,
        call.now(),
        view.severity,
        enabled=settings.retrain_enabled,
        cooldown_days=settings.retrain_cooldown_days,
        min_labelled=settings.retrain_min_labelled,
        **label_rules(settings),
    )
    for c in checks:
        line(f"{'pass' if c.passed else 'STOP'}  {c.name}: {c.reason}")
    if not all(c.passed for c in checks) and not override:
        raise StoreError(
            "a safeguard stops the retraining; --override WHY goes on for a stated reason."
        )
