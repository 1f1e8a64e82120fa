"""Two arms decide side by side: begin a test, read it on any day, end it."""

from dataclasses import asdict
from math import isnan
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from ..stats.points import Grid
from ..watch.ab import Asked, begin_ab, read_ab
from .arguments import AsJson, AsOf, OneOrEvery, Reason, as_days, as_name, as_number
from .call import Call, already, command, group
from .lines import line, printable
from .output import print_json

app = group()

Model = Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")]


def _as_wait(text: str) -> int:
    return 0 if str(text) == "0" else as_days(text)


@command(app, "start")
def start(
    call: Call,
    model: Model,
    why: Reason,
    version: Annotated[
        str | None,
        typer.Option(
            parser=as_name, metavar="VERSION", help="of arm B (default: the active version)"
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            parser=as_number,
            metavar="SCORE",
            help="of arm B (default: that in force for its version)",
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(parser=as_number, metavar="X", help="of the entities in arm B")
    ] = 0.5,
    window_days: Annotated[
        int,
        typer.Option(
            parser=as_days,
            metavar="N",
            help="an entity's events count for so many days from its first on",
        ),
    ] = 7,
    mature_days: Annotated[
        int | None,
        typer.Option(
            parser=_as_wait,
            metavar="N",
            help="days until labels are in (default: as the log shows)",
        ),
    ] = None,
    by: Annotated[
        Literal["cost", "outcome"],
        typer.Option(help="which arm is better: by the cost of an event, or by its positive share"),
    ] = "cost",
    miss_cost: Annotated[
        float | None,
        typer.Option(
            parser=as_number,
            metavar="N",
            help="what a missed positive costs, in false calls (default: as in the settings)",
        ),
    ] = None,
):
    "Let another version or threshold decide a share of the entities from now on."
    asked = Asked(version, threshold, share, window_days, mature_days, by, miss_cost)
    with call.writing() as log:
        rows = log.audit_head()[0]
        plan = begin_ab(log, call.now(), call.who, model, asked, call.settings, why)
        said = already(log, rows)
        grids = _grids(log, model)
    line(printable(f"test {plan.test} of {model} runs{said}"))
    for name, arm in (("A", plan.a), ("B", plan.b)):
        line(printable(f"  {name}: {_arm(arm, grids)}, {plan.chance(name):.0%} of the entities"))
    line(
        f"an entity enters the comparison {plan.window + plan.mature} days after its first event: "
        f"{plan.window} days are followed, labels have {plan.mature} days to come"
    )


@command(app, "stop")
def stop(call: Call, model: Model, why: Reason):
    "End the test of a model: from now on what stands decides alone."
    with call.writing() as log:
        rows = log.audit_head()[0]
        log.end_ab(call.now(), call.who, log.require_model(model), why)
        said = already(log, rows)
    line(printable(f"no test of {model} runs any more{said}"))


@command(app, "read")
def read(call: Call, model: OneOrEvery = None, as_of: AsOf = None, as_json: AsJson = False):
    "Compare the arms of each test by the entities whose labels are in, as often as you like."
    with call.reading() as log:
        today = (as_of or call.now()).astimezone(ZoneInfo(log.timezone)).date()
        models = [log.require_model(model)] if model else log.models()
        read = [one for name in models for one in read_ab(log, name, today, as_of)]
        told = [_as_row(one) if as_json else list(_lines(log, one)) for one in read]
    if as_json:
        print_json(told)
        return
    for text in (text for one in told for text in one):
        line(printable(text))
    if not told:
        line(printable(f"no test{f' of {model}' if model else ''} was ever begun"))


def _grids(log, model):
    "Version -> grid of its scores."
    known = log.versions(model)
    return dict(zip(known.version, map(Grid.parse, known.grid)))


def _arm(arm, grids):
    score = grids[arm.version].inverse(arm.threshold)
    return f"{arm.version} from {score:.3f} ({arm.threshold} points)"


def _lines(log, one):
    "A test, its arms and what is known of their difference, line by line."
    test, plan, grids = one.test, one.test.plan, _grids(log, one.model)
    state = f"ended {test.ended:%Y-%m-%d %H:%M}Z ({test.ended_why})" if test.ended else "it runs"
    yield (
        f"{one.model} test {plan.test}: since {test.began:%Y-%m-%d %H:%M}Z, by {test.who} "
        f"({test.why}); {state}"
    )
    for arm in one.arms:
        of = plan.a if arm.arm == "A" else plan.b
        yield (
            f"  {arm.arm}: {_arm(of, grids)}: {arm.entities:,} entities, {arm.entered:,} entered "
            f"with {arm.events:,} events, {_share(arm.labelled, arm.events)} labelled, "
            f"{_share(arm.calls, arm.events)} called; outcome {_number(arm.outcome)}, cost "
            f"{_number(arm.cost)}"
        )
    for name, seen in one.compared.items():
        if seen and name != "labelled" and not one.off:  # arms that are off say nothing
            now = seen[-1]
            yield (
                f"  {name}, B less A: {now.difference:+.4f} ({now.lower:+.4f} to {now.upper:+.4f})"
            )
    yield f"  {one.says}"
    for problem in one.problems:
        yield f"  error: {problem}" if one.off else f"  note: {problem}"


def _share(part, whole):
    return f"{part / whole:.1%}" if whole else "-"


def _number(value):
    return "-" if isnan(value) else f"{value:.4f}"


def _as_row(one):
    "A test as JSON."
    test, plan, told = one.test, one.test.plan, one.verdict
    return _known(
        {
            "model": one.model,
            "test": plan.test,
            "began": test.began,
            "who": test.who,
            "why": test.why,
            "ended": test.ended,
            "ended_why": test.ended_why,
            "share": plan.share,
            "window_days": plan.window,
            "mature_days": plan.mature,
            "compares": plan.by,
            "miss_cost": plan.miss_cost,
            "entered_through": one.through,
            "arms": [_known(asdict(arm)) for arm in one.arms],
            "differences": {
                name: one.told(seen[-1]) if seen else None for name, seen in one.compared.items()
            },
            "better": told.better,
            "since": one.since,
            "stands": told.stands,
            "split_off": one.off,
            "problems": one.problems,
            "says": one.says,
        }
    )


def _known(row):
    "A row whose figures that are not known are None."
    return {name: None if value != value else value for name, value in row.items()}
