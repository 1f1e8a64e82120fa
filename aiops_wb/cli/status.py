"""What is logged, what is active, what is due."""

from ..daily import due
from ..log.ingest import said_of_unmatched
from ..log.repair import rejected_files
from .arguments import AsJson
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import print_json, show

app = alone()


@command(app)
def status(call: Call, as_json: AsJson = False):
    with call.reading() as log:
        waiting = [model for _, model in due(log, call.now())]
        rows = [_standing(log, model, waiting.count(model)) for model in log.models()]
        unmatched, examples = log.unmatched_labels()
        of_all = {
            "batch": log.known_batch(),
            "timezone": log.timezone,
            "quarantined": log.quarantine_size(),
            "labels_without_prediction": unmatched,
            "labels_without_prediction_such_as": examples,
            "day_files_gone": log.damage(),
            "day_files_lost": sorted(log.lost_files()),
            "rejected": rejected_files(call.settings.data),
        }
    if as_json:
        print_json({"models": rows, **of_all})
        return
    if not any(row["not_watched"] for row in rows):  # a column of nothing
        rows = [{k: v for k, v in row.items() if k != "not_watched"} for row in rows]
    held = counted(of_all["quarantined"], "row")
    total = "batch {batch}, days of {timezone}, ".format_map(of_all) + f"{held} in quarantine"
    show(rows, _text, total)
    if unmatched:
        line(printable(said_of_unmatched(unmatched, examples)))
    _tell_of_files(of_all)


def _tell_of_files(of_all):
    "Day files that are gone, and files that were set aside: each with what to do."
    for sentence in of_all["day_files_gone"]:
        line(sentence)
    if lost := of_all["day_files_lost"]:
        line(f"{counted(len(lost), 'day file')} recorded as lost, such as {lost[0]}")
    if aside := of_all["rejected"]:
        line(
            f"{counted(len(aside), 'file')} in rejected, such as {aside[0]}: deliver what is "
            "missing again, then 'aiops-wb repair --empty-rejected --why ...' removes them"
        )


def _standing(log, model, due_days):
    "How far the log of a model goes, and what scores."
    days = log.days(model)
    return {
        "model": model,
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
        "days": len(days),
        "active_version": log.active_version(model),
        "due": due_days,
        "not_watched": [v for v in log.known_versions(model) if log.not_watched(model, v)],
    }


def _text(row):
    days = counted(row["days"], "day")
    span = f"{row['first']} to {row['last']} ({days})" if row["days"] else "nothing logged"
    unwatched = ", ".join(row.get("not_watched", ()))
    off = f", not watched: {unwatched}" if unwatched else ""
    return (
        f"{row['model']}: {span}, active version {row['active_version'] or '-'}, "
        f"{counted(row['due'], 'day')} due{off}"
    )
