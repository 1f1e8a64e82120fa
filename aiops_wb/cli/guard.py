"""Was the last promotion a mistake? Looked at while the day goes on, by what needs no label."""

from typing import Annotated

import typer

from ..stats.retrain import Check
from ..watch.takeover import SeenNow, go_back, promotion_now
from .arguments import AsJson, as_name
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json

app = alone()
FOUND = 3
"The exit code where something speaks against the promotion, or could not be looked at."


@command(app)
def guard(
    call: Call,
    model: Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")],
    act: Annotated[
        bool,
        typer.Option(
            "--act",
            help="go back to the version before where a guard speaks for it, as 'aiops-wb daily' "
            "does: by the settings, and where the model may be retrained",
        ),
    ] = False,
    as_json: AsJson = False,
):
    settings = call.settings
    call.publish_the_rest()  # a promotion that is not published would not be seen
    with call.reading() as log:  # nobody waits while it is scored
        now = log.as_of_now(call.now())
        seen = promotion_now(log, log.require_model(model), now, settings)
        champion = log.active_version(model, now)
    told = []
    if act and seen is not None and seen.promotion.mistaken:
        with call.writing() as log:
            again = promotion_now(log, model, now, settings)
            told = go_back(log, again and again.promotion, now, settings, call.who)
    if as_json:
        print_json(_document(model, champion, seen, told))
    else:
        _tell(model, champion, seen, told)
    return FOUND if seen and (seen.promotion.mistaken or seen.problem) else 0


def _tell(model, champion, seen: SeenNow | None, told):
    if seen is None:
        line(printable(f"{model}: no promotion of the last 28 days is watched"))
        return
    pair = seen.promotion.pair
    line(printable(f"{model} {champion} took over from {pair.challenger}"))
    for c in seen.promotion.checks:
        line(printable(f"{'pass' if c.passed else 'LOOK'}  {c.name}: {c.reason}"))
    for said in [*filter(None, [seen.problem]), *told]:
        line(printable(said))


def _document(model, champion, seen: SeenNow | None, told):
    promotion = seen and seen.promotion
    return {
        "model": model,
        "champion": champion,
        "before": promotion and promotion.pair.challenger,
        "mistaken": bool(promotion.mistaken) if promotion else None,  # nothing was looked at
        "guards": [_guard(c) for c in promotion.checks] if promotion else [],
        "problem": seen.problem if seen else "",
        "acted": told,
    }


def _guard(check: Check):
    return {"guard": check.name, "passed": check.passed, "reason": check.reason} | {
        "evidence": dict(check.evidence)
    }
