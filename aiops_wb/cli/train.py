"""Training a version on days of the log (extra ml)."""

from typing import Annotated

import typer

from ..log.errors import StoreError
from ..models.boosting import size_in_words, weighed_words
from ..models.complete import held_out_words, label_rules, training_rows
from ..models.registry import register
from ..models.training import train
from ..stats.counts import total
from ..stats.decisions import Ladder
from ..watch.dial import calls_in_words
from .arguments import AlertsPerDay, FirstDay, LastDay, Model, as_name
from .call import Call, alone, already, command
from .lines import line
from .meter import rounds_bar
from .output import peak_memory

app = alone()
SHOWN = ("roc_auc", "pr_auc", "precision", "recall")


@command(app)
def train_version(
    call: Call,
    model: Model,
    version: Annotated[
        str,
        typer.Option(parser=as_name, metavar="VERSION", help="a name for the new version"),
    ],
    start: FirstDay,
    end: LastDay,
    allow_feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="use this feature although it alone separates the labels: it is known when an "
            "event is scored; remembered for later trainings; may be repeated",
            show_default=False,
        ),
    ] = None,
    alerts_per_day: AlertsPerDay = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="grow so many trees (default: as the last fifth of the days that are learned "
            "from is scored better by; held-out days are not looked at)",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**31 - 1,
            metavar="N",
            help="the seed: the same log, days and seed give the same file",
        ),
    ] = 0,
    positive_weight: Annotated[
        float,
        typer.Option(
            metavar="W",
            help="count each positive so often while trees grow; taken back from the log-odds "
            "afterwards. On made rows with few positives it ranked worse than 1: compare",
        ),
    ] = 1.0,
    propensity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="this feature is the chance, in (0, 1], with which the label of an event is "
            "seen: rows weigh one over it (at most 20), and it is no feature; held-out figures "
            "stay those of labelled events (default: what was logged as a row's propensity, where "
            "labels come by review alone)",
            show_default=False,
        ),
    ] = None,
    ignore_propensity: Annotated[
        bool,
        typer.Option(
            "--ignore-propensity",
            help="let all rows weigh alike, though some were reviewed by chance and their "
            "propensity was logged; remembered with the version (default: rows that were reviewed "
            "by chance weigh one over their propensity)",
        ),
    ] = False,
    half_life_days: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            help="a row weighs half of one so many days younger (default: all weigh alike)",
            show_default=False,
        ),
    ] = None,
    allow_incomplete: Annotated[
        bool,
        typer.Option(
            "--allow-incomplete",
            help="use all labelled rows, also of days whose labels are still arriving: figures "
            "may be too good, and nothing is automated by them; remembered with the version "
            "(default: days whose labels are complete, as far as the log shows which are)",
        ),
    ] = False,
):
    chosen = set(allow_feature or ())
    with call.writing() as log:
        known = training_rows(
            log,
            log.require_model(model),
            start,
            end,
            log.as_of_now(call.now()),
            allow_incomplete=allow_incomplete,
            **label_rules(call.settings),
        )
        for name in sorted(chosen):
            if f"feature:{name}" not in known.rows:
                raise StoreError(f"{model} has no feature {name!r} on these days.")
        n_features = sum(c.startswith("feature:") for c in known.rows)
        call.say(f"learning from {size_in_words(len(known.rows), n_features)}")
        with rounds_bar(call) as on_round:
            trained, held_out = train(
                known.rows,
                model,
                version,
                parameters={"seed": seed},
                rounds=rounds,
                positive_weight=positive_weight,
                propensity=propensity,
                ignore_propensity=ignore_propensity,
                half_life_days=half_life_days,
                on_round=on_round,
                kinds=log.feature_kinds(model),
                allowed=log.allowed_features(model) | chosen,
                events=known.events,
                incomplete=known.told if known.incomplete else "",
                unsure=known.unsure,
                threshold=Ladder.of(call.settings.risk_cuts).high,
                alerts_per_day=alerts_per_day,
            )
        rows = log.audit_head()[0]
        register(log, trained, held_out, call.now(), call.who, **call.settings.certainty)
        with log.transaction():
            log.allow_features(call.now(), call.who, model, chosen, f"for version {version}")
        again = already(log, rows)
    if known.told:
        line(known.told)
    call.say(f"{trained.card['rounds']} trees; {peak_memory()} of memory at most")
    card = trained.card
    if told := weighed_words(card):
        line(told)
    figures = {k: round(v, 3) for k in SHOWN if (v := card["metrics"].get(k)) is not None}
    line(
        f"{model} {version} is registered{again or ', not active'}; held-out days from "
        f"{card['held_out_from']}: {figures} {held_out_words(card)}"
    )
    line(calls_in_words(total(held_out.values()), card))
