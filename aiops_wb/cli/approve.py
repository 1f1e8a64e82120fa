"""A proposed threshold, put into force."""

from typing import Annotated

import typer

from ..watch import threshold_changes
from .arguments import Reason
from .call import Call, alone, command
from .thresholds import print_change

app = alone()

Key = Annotated[
    str, typer.Argument(metavar="ID", help="the id of the proposal, as 'thresholds list' shows it")
]


@command(app)
def approve(call: Call, key: Key, why: Reason):
    with call.writing() as log:
        who = call.now(), call.who
        print_change(log, threshold_changes.approve(log, *who, key, why, call.settings))
