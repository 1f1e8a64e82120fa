"""What a version is held against: shown, chosen, put back."""

from ..log.errors import StoreError
from ..watch.choose import choose_reference
from ..watch.headlines import held_against
from .arguments import FirstDay, LastDay, Model, Why
from .call import Call, command, group
from .lines import line
from .thresholds import newest_view

app = group()


@command(app, "show")
def show(call: Call, model: Model):
    "Show which days the newest version is held against, and what cannot be watched."
    with call.reading() as log:
        view = newest_view(log, call, model)
        _print(view)
        for stream, why in view.drift.unwatched.items():
            line(f"  not watched: {stream}: {why}")


@command(app, "set")
def set_reference(call: Call, model: Model, first: FirstDay, last: LastDay, why: Why = None):
    "Hold the newest version against days of the log; alarms begin anew after them."
    with call.writing() as log:
        view = newest_view(log, call, model)
        choose_reference(log, call.now(), call.who, model, view.version, first, last, why or "")
        _print(newest_view(log, call, model))


@command(app, "rollback")
def roll_back(call: Call, model: Model, why: Why = None):
    "Put back the reference before."
    if not why:
        raise StoreError("a change of a reference needs a reason: add --why.")
    with call.writing() as log:
        view = newest_view(log, call, model)
        log.roll_back(call.now(), call.who, "reference", f"{model}/{view.version}", why)
        _print(newest_view(log, call, model))


def _print(view):
    line(f"{view.model} {view.version} is held against {held_against(view)}")
