"""A threshold, proposed: somebody has to approve it."""

from ..watch import threshold_changes
from ..watch.threshold_changes import as_threshold, whose
from ..watch.threshold_promises import Bound
from .arguments import Model, Reason
from .call import Call, alone, command
from .lines import line, printable
from .thresholds import (
    Confidence,
    Promised,
    Score,
    Site,
    Tenant,
    newest_view,
    print_calls,
    scope_of,
)

app = alone()


@command(app)
def propose(
    call: Call,
    model: Model,
    score: Score,
    why: Reason,
    tenant: Tenant = None,
    site: Site = None,
    promise: Promised = None,
    confidence: Confidence = 0.9,
):
    scope = scope_of(tenant, site)
    with call.writing() as log:
        view = newest_view(log, call, model)
        who, points = (call.now(), call.who), as_threshold(view, score)
        rows = log.audit_head()[0]
        bound = promise and Bound.parse(promise, confidence)
        of = threshold_changes.propose(log, *who, view, scope, points, why, bound=bound)
        known = " (proposed already)" if log.audit_head()[0] == rows else ""
        own = f" of {whose(scope)}" if scope else ""
        line(
            printable(f"{of.key}{known}: {model} {view.version}, threshold{own} ")
            + f"{view.probability(points):.3f} instead of {view.probability(of.instead_of):.3f}"
        )
        print_calls(log, view, scope, of.instead_of, points, "with it")
    line(f"nothing is changed: 'aiops-wb thresholds approve {of.key} --why ...' puts it into force")
