"""What was promised, and what was kept of it."""

from typing import Annotated, Literal

import typer

from ..log.base import as_rows
from ..watch.promises import Ledger, ledger
from .arguments import AsJson, AsOf, OneOrEvery
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import print_json, show

app = alone()
FAILED = ("model", "version", "tenant", "segment", "kind", "first", "last", "n", "bad", "allowed")
FAILED += ("lost", "target", "confidence", "threshold", "promise_id", "says")
ISSUED = "'aiops-wb daily' and 'aiops-wb thresholds set --promise' issue promises"
NEWEST = 20
"Failures that are printed; all of them as JSON."


@command(app)
def promises(
    call: Call,
    model: OneOrEvery = None,
    kind: Annotated[
        Literal["tickets", "fpr", "fdr", "alerts", "alarms", "promotions"] | None,
        typer.Option(help="only promises of this kind (default: of every kind)"),
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
):
    with call.reading() as log:
        models = [log.require_model(model)] if model else log.models()
        ledgers = [ledger(log, name, as_of) for name in models]
    rows = [row for of in ledgers for row in _kinds(of) if kind in (None, row["kind"])]
    failed = [row for of in ledgers for row in as_rows(of.failures, FAILED)]
    failed = [row for row in failed if kind in (None, row["kind"])]
    if as_json:
        print_json({"kept": rows, "broken": failed})
        return
    show(rows, _text, None if rows else _nothing(model, kind))
    for row in failed[:NEWEST]:
        line(_failure(row))
    if len(failed) > NEWEST:
        line(f"{len(failed) - NEWEST:,} earlier ones are not shown: --json prints all")
    above = sum(map(_of_mean, failed))
    line(f"{counted(len(failed) - above, 'unit')} broken, each a day, a week or a year")
    if above:
        line(f"{counted(above, 'unit')} above a mean that was promised: alone that breaks nothing")


def _nothing(model, kind):
    "That there is none of what was asked for."
    of = f" of {kind}" if kind else ""
    return printable(f"nothing was promised{of}{f' of {model}' if model else ''} yet: {ISSUED}")


def _kinds(of: Ledger):
    "A row for each kind of promise of a model; what is not known or infinite is None."
    for kind, kept in of.kinds.items():
        known = kept.due > 0
        yield {
            "model": of.model,
            "kind": kind,
            "state": kept.state,
            "due": kept.due,
            "kept": round(kept.kept, 3) if known else None,
            "promised": round(kept.owed, 3) if known else None,
            "not_judged": kept.not_judged,
            "weeks": kept.weeks,
            "found_broken": [str(week) for week in kept.flags] or None,
            "says": of.says(kind),
        }


def _text(row):
    return printable(f"{row['model']}  {row['kind']:10}  {row['state']:7}  {row['says']}")


def _of_mean(row):
    "Whether what was promised is a mean over units."
    return row["confidence"] is None


def _failure(row):
    days = f"{row['first']:%Y-%m-%d}"
    if row["last"] != row["first"]:
        days += f" to {row['last']:%Y-%m-%d}"
    named = " ".join(filter(None, (row["version"], row["tenant"], row["segment"])))
    what, how = ("above", " in the mean") if _of_mean(row) else ("broken", "")
    return printable(
        f"{what}: {row['model']} {named}  {days}  {row['kind']}: {row['bad'] / row['n']:.4g} "
        f"({row['bad']:.4g} of {row['n']:.4g}), at most {row['target']:.4g} was promised{how}"
    )
