"""Features that push scores otherwise than on the reference days."""

from ..watch.attribution import plain_names
from .arguments import AsJson, Models
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json
from .thresholds import newest_view

app = alone()


@command(app)
def attribution(call: Call, models: Models = None, as_json: AsJson = False):
    with call.reading() as log:
        named = [log.require_model(m) for m in models or log.models()]
        views = [newest_view(log, call, model) for model in named if log.days(model)]
        told = [(view, view.attribution, plain_names(view)) for view in views]
    if as_json:
        print_json([_as_json(view, found) for view, found, _ in told])
        return
    for view, found, called in told:
        says = found.says(most=99, called=called)
        line(printable(f"{view.model} {view.version}, {view.day}: {says}"))
    if not told:
        line("no model has predictions yet")


def _as_json(view, found):
    return {
        "model": view.model,
        "version": view.version,
        "day": view.day,
        "reference_days": found.reference,
        "watched_days": found.watched,
        "features": len(found.features),
        "level": found.level,
        "unknown": found.unknown or None,
        "moved": [
            {name: None if value != value else value for name, value in m._asdict().items()}
            | {"resembles_day_before": m.feature in found.resembling}
            for m in found.moved
        ],
    }
