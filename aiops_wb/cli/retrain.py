"""A challenger, trained and put into the champion's shadow; and who may be retrained."""

from datetime import date
from typing import Annotated, Literal

import typer

from ..log.errors import StoreError
from ..models.challenge import (
    challenger_of,
    check,
    conclude,
    prepare,
    refuse_stopped,
    safeguard_rules,
)
from ..models.complete import label_rules
from ..models.jobs import JobLimits, train_challenger
from ..models.shadow import follow, left_behind
from ..watch.harm import label_alarms
from ..watch.takeover import known_validations
from ..watch.view import View
from .arguments import as_date, as_name
from .call import Call, alone, command
from .lines import line, printable
from .thresholds import newest_view

app = alone()


def _reason(**option):
    "An option whose value is a reason."
    return typer.Option(metavar="WHY", **option)


@command(app)
def retrain(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(
            parser=as_name, metavar="MODEL", help="the model; all but a stop of all needs one"
        ),
    ] = None,
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
        _reason(
            help="go on although a safeguard stops it, for this reason: also where labels still "
            "arrive, not where all models are stopped; past the budget, what is promised of a year "
            "no longer holds"
        ),
    ] = None,
    approve: Annotated[
        str | None,
        _reason(
            help="approve a retraining on a day of severity critical, for this reason, and go on; "
            "it holds for this day alone"
        ),
    ] = None,
    flag: Annotated[
        Literal["on", "off"] | None,
        typer.Option(help="only switch retraining on or off for this model"),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="TENANT",
            help="with --flag: only whether this tenant's rows are trained on",
        ),
    ] = None,
    why: Annotated[
        str | None, typer.Option(help="the reason for --flag, for the audit trail")
    ] = None,
    stop_all: Annotated[
        str | None,
        _reason(
            help="only stop the retraining of every model, for this reason: it wins over each "
            "flag and each --override"
        ),
    ] = None,
    resume_all: Annotated[
        str | None, _reason(help="only let it go on again as the flags say, for this reason")
    ] = None,
):
    if stop_all is not None or resume_all is not None:
        _stop(call, stop_all, resume_all)
        return
    if model is None:
        raise typer.BadParameter("--model names the model.")
    if tenant and not flag:
        raise typer.BadParameter("--tenant goes with --flag on or off.")
    if flag:
        _switch(call, model, flag == "on", why, tenant)
        return
    _approve(call, model, date_, approve)
    settings = call.settings
    call.publish_the_rest()  # else what a stopped call trained is not seen
    with call.reading() as log:  # nobody waits for the catalog while trees grow
        now, view = log.as_of_now(call.now()), _view(log, call, model, date_)
        if (name := challenger_of(view.day)) in log.challengers(model):
            if pair := left_behind(log, model, name, view.day, now):  # a call was stopped
                with call.writing() as store:
                    follow(store, pair, view.day, now, settings.risk_cuts)
            line(printable(f"{model} {name} is in the champion's shadow already"))
            return
        _ask_safeguards(call, log, view, override)
        incomplete = {"allow_incomplete": override is not None}
        prepared = prepare(log, model, view.day, now, **incomplete, **label_rules(settings))
        limits = JobLimits.of(settings)
        call.say(f"training {prepared.order.version}: {limits}")
        trained = train_challenger(log, prepared.order, call.who, limits)
    why = override or "safeguards passed"
    with call.writing() as log:
        options = settings.certainty, settings.risk_cuts
        pair = conclude(log, prepared, trained, now, call.who, why, *options)
        known = known_validations(log, model, now, settings)
    _tell(pair, known)


def _tell(pair, known):
    "What is known of the new version so far, and what happens next."
    line(f"{pair.model} {pair.challenger} is registered, and in the shadow of {pair.champion}")
    for one in known:
        if one.pair == pair:
            for c in one.checks:
                line(f"{'pass' if c.passed else 'wait'}  {c.name}: {c.reason}")
    line("it scores beside the champion and decides nothing; 'aiops-wb daily' follows both")


def _stop(call, stop, resume):
    "Record that no model is retrained, or that the flags decide again."
    if stop is not None and resume is not None:
        raise typer.BadParameter("--stop-all and --resume-all say opposite things.")
    with call.writing() as log:
        log.stop_retraining(call.now(), call.who, resume or stop or "", resume is None)
    said = "retraining of every model is stopped", "models are retrained as their flags say"
    line(said[resume is not None])


def _switch(call, model, on, why, tenant):
    "Record that a model may be retrained, or on the rows of a tenant, or not."
    if not why:
        raise StoreError("switching retraining on or off needs --why.")
    with call.writing() as log:
        log.require_model(model)
        log.let_retrain(call.now(), call.who, model, on, why, tenant)
    rows = f"rows of tenant {tenant} are {'used' if on else 'left out'}"
    state = f"retraining of {model} is {'on' if on else 'off'}"
    line(printable(f"in retrainings of {model} {rows}" if tenant else state))


def _view(log, call, model, day):
    "The model on a day, which the severity and the alarms are of; the newest unless named."
    log.require_model(model)
    newest = newest_view(log, call, model)
    return newest if day in (None, newest.day) else View(log, model, day, None, call.settings)


def _approve(call, model, day, why):
    "Record that a person wants a model to be retrained although the severity is critical."
    if why is None:
        return
    with call.writing() as log:
        view = _view(log, call, model, day)
        if view.severity != "critical":
            raise StoreError(
                f"{model}: the severity of {view.day} is {view.severity}; only critical needs an "
                "approval."
            )
        log.approve_retraining(call.now(), call.who, model, view.day, view.severity, why)


def _ask_safeguards(call, log, view, override):
    "Print what each safeguard says; StoreError when one stops the retraining and nobody overrides."
    checks = check(
        log,
        view.model,
        view.day,
        log.as_of_now(call.now()),
        view.severity,
        label_alarms(view),
        **safeguard_rules(call.settings),
    )
    for c in checks:
        line(printable(f"{'pass' if c.passed else 'STOP'}  {c.name}: {c.reason}"))
    refuse_stopped(log, log.as_of_now(call.now()))
    if not all(c.passed for c in checks) and not override:
        raise StoreError(
            "a safeguard stops the retraining; --override WHY goes on for a stated reason."
        )
