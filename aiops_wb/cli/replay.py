"""A past period lived again, morning by morning, under policies of one's own."""

from dataclasses import asdict
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Annotated

import typer

from ..log.errors import StoreError
from ..replay.period import ACTUAL, Replayed, look_ahead_words, replay, sentences
from ..watch.policy import read_policy
from .arguments import AsJson, AsOf, FirstDay, LastDay, Model, as_name
from .call import Call, alone, command
from .lines import line
from .meter import progress
from .output import print_json, show

app = alone()


@command(app, "replay")
def replay_(
    call: Call,
    model: Model,
    first: FirstDay,
    last: LastDay,
    policy: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="a TOML file: threshold, automation, false_ticket_share, false_ticket_confidence, "
            "ticket_days, drift_level, [costs], [choose]; or [retraining] with window_days, "
            "half_life_days, every_days, promote, which trains (extra ml); may be repeated "
            "(default: what is set)",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="actual|FILE", help="the decisions of the log, or a policy, to compare with"
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(parser=as_name, metavar="VERSION", help="only days of this version"),
    ] = None,
    as_of: AsOf = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="write a page about it into this folder"),
    ] = None,
    as_json: AsJson = False,
):
    "Live past days again as if live: what policies would have decided, and what became of it."
    policies = [read_policy(path) for path in policy or ()]
    names = [one.name for one in policies]
    if twice := {name for name in names if names.count(name) > 1}:
        raise StoreError(f"two policies are called {twice.pop()!r}: give their files other names.")
    if any(one.retraining for one in policies):
        from .trained import live_trainings  # which needs the extra ml

        if against or version:
            raise StoreError(
                "policies with [retraining] are compared with never retraining, and with what was "
                "really decided where that differs: --against and --version do not go with them."
            )
        live_trainings(call, (model, first, last), policies, as_of, report, as_json)
        return 0
    other = against if against in (None, ACTUAL) else read_policy(Path(against))
    shown = progress(call, "morning", in_log=not as_json)
    with call.reading() as log:
        of = replay(
            log,
            model,
            first,
            last,
            policies,
            call.settings,
            against=other,
            version=version,
            as_of=as_of,
            shown=lambda mornings: shown(mornings, "living mornings"),
        )
    page = None if report is None else _written(report, of, call.now())
    if as_json:
        print_json(_document(of))
    else:
        _tell(of, page)
    return 0


def _written(folder: Path, of: Replayed, now: datetime) -> Path:
    from ..replay.page import write_replay

    try:
        return write_replay(folder, of, now)
    except OSError as error:
        raise StoreError(f"the page cannot be written to {folder}: {error.strerror}.") from None


def _tell(of, page):
    "The table of days of one policy, or that of policies; then what it means."
    if len(of.policies) == 1:
        show(_days(of.policies[0]), lambda row: "  ".join(f"{k} {v}" for k, v in row.items()))
    else:
        show(_policies(of), lambda row: "  ".join(f"{k} {_short(v)}" for k, v in row.items()))
    for one in of.compared:
        for name, figure in one.a_week.items():
            span = "" if isnan(figure.lower) else f" ({figure.lower:+,.1f} to {figure.upper:+,.1f})"
            line(f"{one.name} against {one.against}: {name} {figure.value:+,.1f} a week{span}")
    if of.mismatches is not None:
        n, decided = of.mismatches.n, of.mismatches.decided
        line(f"{n:,} of {decided:,} recorded decisions differ from what should have stood.")
    for which in range(len(of.policies)):
        if len(of.policies) > 1:
            line(f"{of.policies[which].name}:")
        for sentence in (*sentences(of, which), look_ahead_words(of, which)):
            line(sentence)
    for note in of.notes:
        line(f"note: {note}.")
    if page is not None:
        line(f"page: {page}")


def _short(value):
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else value


def _days(one):
    columns = ["day", "tickets", "false", "missed", "reviews"]
    if one.days.version.nunique() > 1:
        columns.insert(1, "version")
    days = one.days[columns].astype(object)
    return (days if one.cost is None else days.assign(cost=one.cost)).to_dict("records")


def _policies(of):
    every = [*of.policies, *([of.against] if of.against else [])]
    names = ("tickets", "false", "missed", "reviews", "cost")
    return [
        {"policy": one.name}
        | {name: one.totals[name] for name in names}
        | {"false_share": _known(one.false_share), "promise": one.promise.state}
        for one in every
    ]


def _known(value):
    return None if isnan(value) else value


_CHANGE = ("day", "old", "new", "why", "put_back")


def _document(of: Replayed) -> dict:
    "All of it as JSON knows it."
    ahead = ("policy", "tickets", "tickets_claimed", "false_share", "false_share_claimed")
    figure = lambda f: {k: _known(v) for k, v in f._asdict().items()}
    every = [*of.policies, *([of.against] if of.against else [])]
    return {
        "model": of.model,
        "from": of.first,
        "to": of.last,
        "labels_in": of.labels_in,
        "policies": [
            {
                "policy": one.name,
                "totals": one.totals,
                "false_share": _known(one.false_share),
                "promise": asdict(one.promise),
                "threshold_changes": one.tuned
                and [{k: getattr(c, k) for k in _CHANGE} for c in one.tuned.changes],
                "days": _days(one),
            }
            for one in every
        ],
        "compared": [
            {"policy": c.name, "against": c.against}
            | {name: figure(f) for name, f in c.a_week.items()}
            for c in of.compared
        ],
        "look_ahead": [
            {k: _known(v) if isinstance(v, float) else v for k, v in zip(ahead, row)}
            for row in of.look_ahead
        ],
        "mismatches": of.mismatches
        and {"rows": of.mismatches.decided, "different": of.mismatches.n},
        "says": [sentences(of, i) for i in range(len(of.policies))],
        "notes": of.notes,
    }
