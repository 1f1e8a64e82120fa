"""What another threshold would have done: nothing is changed."""

from math import isnan

from ..watch.threshold_changes import as_threshold
from .arguments import Model
from .call import Call, alone, command
from .lines import line
from .thresholds import Score, newest_view, print_in_force

app = alone()
COUNTS = ("alerts", "tp", "fp", "fn", "tn")


@command(app)
def simulate(call: Call, score: Score, model: Model):
    with call.reading() as log:
        view = newest_view(log, call, model)
        print_in_force(view)
        candidate = as_threshold(view, score)
        result, unseen = view.other_thresholds.simulate(candidate), view.selective
        told = " ".join(filter(None, (unseen.of_candidate(candidate), unseen.says)))
    line(f"  {'':15} {'candidate':>12} {'in force':>12} {'difference':>12}  95 % over days")
    for name, of in result.record.items():
        line(f"  {name:15} {_compared(of, 0 if name in COUNTS else 3)}")
    line(result.recommendation)
    if told:
        line(told)


def _compared(of, digits):
    "A figure of two thresholds, and what they differ by with its interval over days."
    values = [_number(x.value, digits) for x in (of.candidate, of.current)]
    signed = [_number(x, digits, "+") for x in of.difference[:3]]
    limits = "" if isnan(of.difference.lower) else f"  {signed[1]} to {signed[2]}"
    return " ".join(f"{text:>12}" for text in (*values, signed[0])) + limits


def _number(x, digits, sign="-"):
    return "-" if isnan(x) else f"{x:{sign},.{digits}f}"
