"""What shows by labels that a model does harm: without it nothing is retrained."""

from ..stats.retrain import is_harm
from .view import View

__all__ = ["label_alarms"]


def label_alarms(view: View) -> tuple[str, ...]:
    """Open alarms of the day that are not muted and rest on labels, each with its severity.

    Those that were recorded with the day's figures, as is the severity of the front page; followed
    now where none were.
    """
    if view.not_watched:
        return ()
    stored = view.history(1)
    if (stored.metric == "drift_gravity").any():
        told = view.reader.drift_events(
            view.model, view.day, view.day, version=view.version, as_of=view.as_of
        )
        alarms = [row for row in told.itertuples() if row.state != "closed"]
    else:
        alarms = view.drift.alarms
    return tuple(
        f"{a.stream} ({a.severity})"
        for a in alarms
        if not a.muted and is_harm(a.stream, a.kind, a.effect)
    )
