"""Training a version on days of the log (extra ml)."""

from typing import Annotated

import typer

from ..log.errors import StoreError
from ..models.registry import register
from ..models.training import train
from .arguments import FirstDay, LastDay, Model, as_name
from .call import Call, alone, command
from .lines import line

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
):
    chosen = set(allow_feature or ())
    with call.writing() as log:
        rows = log.labelled_rows(log.require_model(model), start, end)
        for name in sorted(chosen):
            if f"feature:{name}" not in rows:
                raise StoreError(f"{model} has no feature {name!r} on these days.")
        trained, held_out = train(
            rows,
            model,
            version,
            kinds=log.feature_kinds(model),
            allowed=log.allowed_features(model) | chosen,
        )
        register(log, trained, held_out, call.now(), call.who, **call.settings.certainty)
        with log.transaction():
            log.allow_features(call.now(), call.who, model, chosen, f"for version {version}")
    metrics = trained.card["metrics"]
    figures = {k: round(metrics[k], 3) for k in SHOWN if metrics.get(k) is not None}
    line(
        f"{model} {version} is registered, not active; held-out days from "
        f"{trained.card['held_out_from']}: {figures}"
    )
