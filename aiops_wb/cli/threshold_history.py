"""Every change of a model's thresholds: who, when, why, what it did, and what became of it."""

from dataclasses import asdict

from ..log.proposals import ThresholdChange
from ..watch.listed import grid_of
from ..watch.threshold_changes import FIGURES, whose
from .arguments import AsJson, Model
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import print_json

app = alone()


@command(app)
def history(
    call: Call,
    model: Model,
    as_json: AsJson = False,
):
    with call.reading() as log:
        changes = log.threshold_changes(log.require_model(model))
        proposals = log.proposals(model)
        grids = {version: grid_of(log, model, version) for version in {c.version for c in changes}}
    if as_json:
        print_json(
            {"changes": list(map(_plain, changes)), "proposals": list(map(asdict, proposals))}
        )
        return
    for change in changes:
        line(printable(_text(change, grids[change.version])))
        for told in _figures(change):
            line(f"      {told}")
    for one in proposals:
        became = one.decided or "open"
        line(
            printable(
                f"{one.key} {one.at:%Y-%m-%d} by {one.who}: {one.instead_of} to {one.points} "
                f"points ({one.why}); {became}"
            )
        )
    line(counted(len(changes), "change") + f", {counted(len(proposals), 'proposal')}")


def _plain(change: ThresholdChange):
    back = change.rolled_back
    told = {"rolled_back_by": back and back[0], "rolled_back_at": back and back[1]}
    return {k: v for k, v in asdict(change).items() if k != "rolled_back"} | told


def _text(change, grid):
    old, new = (_shown(at, grid, change.scope) for at in (change.old, change.new))
    of = f", {whose(change.scope)}" if change.scope else ""
    proposed = change.evidence.get("proposed_by")
    return (
        f"{change.seq:5} {change.at:%Y-%m-%d %H:%M}Z {change.who}: {change.model} "
        f"{change.version}{of}: {old} -> {new} ({change.why})"
        + (f", proposed by {proposed} ({change.evidence['proposal']})" if proposed else "")
        + (f", evidence {change.evidence_sha256[:12]}" if change.evidence_sha256 else "")
        + (
            f"; rolled back {change.rolled_back[1]:%Y-%m-%d %H:%M}Z by {change.rolled_back[0]}"
            if change.rolled_back
            else ""
        )
    )


def _shown(points, grid, scope):
    "A threshold as a score."
    if points is None:
        return "that of the version" if scope else "-"
    return f"{float(grid.inverse(points)):.3f}"


def _figures(change):
    "What a change did, figure by figure, as it was known then."
    told = change.evidence
    if "before" not in told:
        return
    if not told["days"]:
        yield "there was no event to try it on"
        return
    labels = "" if told["labels_in"] else ", whose labels are not known to be in"
    yield f"over {counted(told['days'], 'day')} from {told['first']} to {told['last']}{labels}:"
    for name in FIGURES:
        pair = told["before"].get(name), told["after"].get(name)
        if all(pair):
            yield f"{name} {_limits(pair[0])} before, {_limits(pair[1])} after"


def _limits(figure):
    value, lower, upper = figure
    if value is None:
        return "-"
    return f"{value:.3g}" + ("" if lower is None else f" ({lower:.3g} to {upper:.3g})")
