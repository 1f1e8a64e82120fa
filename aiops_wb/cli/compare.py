"""Two versions of a model, card beside card."""

from typing import Annotated

import typer

from ..log.errors import StoreError
from ..models.cards import alike, card_of, feature_differences
from .arguments import AsJson, as_name
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json, show

app = alone()


@command(app)
def compare(
    call: Call,
    model: Annotated[str, typer.Argument(parser=as_name, metavar="MODEL", help="the model")],
    first: Annotated[
        str, typer.Argument(parser=as_name, metavar="VERSION", help="one of its versions")
    ],
    second: Annotated[
        str, typer.Argument(parser=as_name, metavar="VERSION", help="another of them")
    ],
    decisions: Annotated[
        bool,
        typer.Option(
            "--decisions",
            help="say also where they decide otherwise on the newest 7 days, and why (extra ml)",
        ),
    ] = False,
    as_json: AsJson = False,
):
    if first == second:
        raise StoreError(f"{first} is compared with itself: name two versions.")
    with call.reading() as log:
        one, other = (card_of(log, log.require_model(model), v) for v in (first, second))
        apart = _apart(log, model, (first, second)) if decisions else None
    features = feature_differences(one, other)
    if as_json:
        told = {"versions": [one.as_json(), other.as_json()], "features": features}
        print_json(told | ({"decisions": str(apart).splitlines()} if decisions else {}))
        return
    named = f"{model} {first}", f"{model} {second}"
    rows = [
        {"": name, named[0]: a, named[1]: b, "differs": a != b} for name, a, b in alike(one, other)
    ]
    show(rows, _text)
    for what, names in features.items():
        if names:
            line(printable(f"{_WORDS[what].format(first, second)}: {', '.join(names)}"))
    for said in str(apart).splitlines() if decisions else ():
        line(printable(said))


def _apart(log, model, versions):
    "Where two versions decide otherwise on the newest days."
    from ..models.shift_of_log import logged_models  # it needs the extra ml

    days = log.days(model)
    if not days:
        raise StoreError(f"{model} has no predictions yet to decide about.")
    return logged_models(log, model, versions, days[-1])


_WORDS = {
    "only_first": "features of {0} alone",
    "only_second": "features of {1} alone",
    "other_kind": "features that are of another kind",
    "other_categories": "features with other categories",
    "other_cuts": "features with other cuts",
}


def _text(row):
    (_, name), (first, one), (second, other), _ = row.items()
    if one == other:
        return printable(f"{name}: {one} (both)")
    return printable(f"{name}: {first}: {one}; {second}: {other}")
