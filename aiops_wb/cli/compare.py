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
    as_json: AsJson = False,
):
    if first == second:
        raise StoreError(f"{first} is compared with itself: name two versions.")
    with call.reading() as log:
        one, other = (card_of(log, log.require_model(model), v) for v in (first, second))
    features = feature_differences(one, other)
    if as_json:
        print_json({"versions": [one.as_json(), other.as_json()], "features": features})
        return
    named = f"{model} {first}", f"{model} {second}"
    rows = [
        {"": name, named[0]: a, named[1]: b, "differs": a != b} for name, a, b in alike(one, other)
    ]
    show(rows, _text)
    for what, names in features.items():
        if names:
            line(printable(f"{_WORDS[what].format(first, second)}: {', '.join(names)}"))


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
