"""Cases or alarms, looked after by somebody."""

from .arguments import Reason
from .call import Call, alone, command
from .handling import Ids, MuteUntil, acknowledged

app = alone()


@command(app)
def acknowledge(call: Call, ids: Ids, why: Reason, mute_until: MuteUntil = None):
    with call.writing() as log:
        acknowledged(log, call, ids, why, mute_until)
