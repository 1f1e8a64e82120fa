"""What shows by labels that a model does harm: without it nothing is retrained."""

from ..stats.retrain import is_harm
from .alarm_rows import alarms_of_day
from .view import View

__all__ = ["label_alarms"]


def label_alarms(view: View) -> tuple[str, ...]:
    "Open alarms of the day that are not muted and rest on labels, each with its severity."
    if view.not_watched:
        return ()
    return tuple(
        f"{a.stream} ({a.severity})"
        for a in alarms_of_day(view)
        if not a.muted and is_harm(a.stream, a.kind, a.effect)
    )
