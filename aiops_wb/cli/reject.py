"""A proposed threshold, closed without a change."""

from .approve import Key
from .arguments import Reason
from .call import Call, alone, command
from .lines import line, printable

app = alone()


@command(app)
def reject(call: Call, key: Key, why: Reason):
    with call.writing() as log:
        state = log.reject_threshold(call.now(), call.who, key, why)
    line(printable(f"{key} is {state}; the threshold stays as it is"))
