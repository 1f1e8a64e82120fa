"""What tells the newest days of a model from those of its training (extra ml)."""

import shlex
from typing import Annotated

import typer

from ..log.errors import StoreError
from ..models.domain import explain_drift
from ..models.shift_of_log import MOST, shift_or_why
from .arguments import Model
from .call import Call, alone, command
from .lines import line, printable

app = alone()


@command(app)
def explain(
    call: Call,
    model: Model,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE",
            show_default=False,
            help="leave out a feature, to see what else differs; may be repeated",
        ),
    ] = None,
):
    without = without or []
    with call.reading() as log:
        days = log.days(log.require_model(model))
        version = log.active_version(model) or _scored_last(log, model, days)
        if version is None:
            raise StoreError(
                f"{model} has no active version that was trained here, and the one that scored "
                "last was not adopted: there are no days to compare with."
            )
        told = explain_drift(log, model, version, days[-1], without=without)
        moved = shift_or_why(log, model, version, days[-1], most=MOST)
        called = log.feature_names(model)
    line(
        f"{told.n_recent:,} events of the 7 days to {days[-1]} told from {told.n_reference:,} "
        f"of training: {told.says}; 0.5 is not at all"
    )
    for name, push in [p for p in told.features.items() if p[1] >= 0.005][:5]:
        line(f"  {name}: mean contribution {push:.2f} log-odds")
    line(printable(moved if isinstance(moved, str) else moved.says(names=called)))
    if len(told.features) > 1:
        words = (f"--without {shlex.quote(n)}" for n in (*without, next(iter(told.features))))
        line(f"to see what else differs, leave out the first: {' '.join(words)}")


def _scored_last(log, model, days):
    "The registered version that scored most of the newest day; None where there is none."
    scored = log.predictions_by_version(model, days[-1]).version if days else []
    registered = set(log.versions(model).version)
    return next((version for version in scored if version in registered), None)
