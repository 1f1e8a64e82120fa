"""Cases that are done with."""

from .arguments import Reason
from .call import Call, alone, command
from .handling import Ids
from .lines import line, printable

app = alone()


@command(app)
def close(call: Call, ids: Ids, why: Reason):
    with call.writing() as log:
        log.close_cases(call.now(), call.who, ids, why)
    for one in dict.fromkeys(ids):
        line(printable(f"{one} is closed: a further event opens a new case"))
