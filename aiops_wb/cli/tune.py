"""Is another threshold shown to be better? Every check is said; what passes them is proposed."""

from typing import Annotated

import typer

from ..stats.choosing import Capacity, MaxFDR, MaxFPR, MinCost
from ..watch.tuning import look_at, propose_tuned
from ..watch.tuning_rules import MOST_DAYS
from .arguments import AsJson, Model, Why, number_option
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json
from .thresholds import newest_view, print_calls

app = alone()


@command(app)
def tune(
    call: Call,
    model: Model,
    cost_missed: number_option(
        "for least cost: what a missed positive costs, in false alerts"
    ) = None,
    max_fdr: number_option("at most this share of alerts may be false") = None,
    max_fpr: number_option("at most this share of negatives may be alerts") = None,
    alerts_per_day: number_option("no more than a tenth of the days may have more alerts") = None,
    why: Why = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only say what each check says; propose nothing")
    ] = False,
    as_json: AsJson = False,
):
    goal = _goal(cost_missed, max_fdr, max_fpr, alerts_per_day)
    proposal, now = None, call.now()
    with call.reading() as log:
        view = newest_view(log, call, model)
        looked = look_at(view, now, goal)
    if looked.passes and not dry_run:
        with call.writing() as log:
            view = newest_view(log, call, model)
            looked = look_at(view, now, goal)
            if looked.passes:
                proposal = propose_tuned(log, now, call.who, view, looked, why or "")
    if as_json:
        key = proposal and proposal.key
        print_json({"model": model, "version": view.version, "proposal": key} | _plain(looked))
        return
    for c in looked.checks:
        line(printable(f"{'pass' if c.passed else 'STOP'}  {c.name}: {c.reason}"))
    _tell(call, view, looked, proposal, dry_run)


def _goal(cost_missed, max_fdr, max_fpr, alerts_per_day):
    "The goal that is named; None where the settings name it."
    given = {
        "cost": cost_missed is not None and (lambda: MinCost(cost_missed, false=1.0)),
        "fdr": max_fdr is not None and (lambda: MaxFDR(max_fdr)),
        "fpr": max_fpr is not None and (lambda: MaxFPR(max_fpr)),
        "alerts": alerts_per_day is not None and (lambda: Capacity(alerts_per_day, MOST_DAYS)),
    }
    named = [make for make in given.values() if make]
    if len(named) > 1:
        raise typer.BadParameter("a threshold is tuned for one goal: name one of them.")
    try:
        return named[0]() if named else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _plain(looked):
    checks = [
        {"name": c.name, "passed": c.passed, "reason": c.reason, "evidence": dict(c.evidence)}
        for c in looked.checks
    ]
    return {"passes": looked.passes, "checks": checks}


def _tell(call, view, looked, proposal, dry_run):
    if not looked.passes:
        line("nothing is proposed: the threshold stays as it is")
        return
    candidate = looked.tuned.candidate
    with call.reading() as log:
        print_calls(log, view, None, view.threshold, candidate, "with it")
    if proposal is None:
        line("nothing is proposed: this was a dry run" if dry_run else "nothing is proposed")
        return
    line(
        printable(f"{proposal.key}: {view.model} {view.version}, threshold ")
        + f"{view.probability(candidate):.3f} instead of {view.probability(view.threshold):.3f}; "
        f"'aiops-wb thresholds approve {proposal.key} --why ...' puts it into force"
    )
