"""What is logged, what is active, what is due."""

from ..daily import due
from ..log.acts import waiting as acts_waiting
from ..log.ingest import said_of_unmatched
from ..log.repair import rejected_files
from ..render.own_reports import own_reports
from ..render.telling import HEARTBEAT, not_taken
from ..streams.outgoing import not_taken as not_sent
from ..watch.listed import model_row
from .arguments import AsJson
from .call import Call, alone, command
from .lines import counted, line, printable
from .output import print_json, show

app = alone()


@command(app)
def status(call: Call, as_json: AsJson = False):
    with call.reading() as log:
        waiting = [model for _, model in due(log, call.now())]
        rows = [model_row(log, model, waiting.count(model)) for model in log.models()]
        unmatched, examples = log.unmatched_labels()
        of_all = {
            "batch": log.known_batch(),
            "timezone": log.timezone,
            "quarantined": log.quarantine_size(),
            "labels_without_prediction": unmatched,
            "labels_without_prediction_such_as": examples,
            "acts_waiting": len(_acts_waiting(call)),
            "day_files_gone": log.damage(),
            "trail": _broken(log),
            "day_files_lost": sorted(log.lost_files()),
            "rejected": rejected_files(call.settings.data),
            "messages_not_taken": not_taken(call.settings.data, call.settings),
            "events_waiting": not_sent(call.settings.data, call.settings, log, call.now()),
            "no_reports": _no_reports(call),
        }
    if as_json:
        print_json({"models": rows, **of_all})
        return
    if not any(row["not_watched"] for row in rows):  # a column of nothing
        rows = [{k: v for k, v in row.items() if k != "not_watched"} for row in rows]
    held = counted(of_all["quarantined"], "row")
    total = "batch {batch}, days of {timezone}, ".format_map(of_all) + f"{held} in quarantine"
    show(rows, _text, total)
    if acts := of_all["acts_waiting"]:
        line(f"{counted(acts, 'act')} {'waits' if acts == 1 else 'wait'} to be taken in")
    if unmatched:
        line(printable(said_of_unmatched(unmatched, examples)))
    for one in of_all["messages_not_taken"]:
        often, option = counted(one["times"], "time"), ""
        if one["to"].startswith(HEARTBEAT):
            option = " --heartbeat"
        line(
            f"{one['to']} took nothing since {one['since']:%Y-%m-%d %H:%M}Z, {often}: "
            f"{printable(one['why'])}; 'aiops-wb messages test{option}' tries it"
        )
    for one in of_all["events_waiting"]:
        line(printable(_waits(one)))
    _tell_of_files(of_all)
    for sentence in of_all["no_reports"]:
        line(printable(sentence))
    if broken := of_all["trail"]:
        line(f"{printable(broken)}; 'aiops-wb audit verify' tells more")


def _waits(one):
    "What waits for a place that hears of events, and why."
    n = one["waiting"]
    told = f"{counted(n, 'event')} {'waits' if n == 1 else 'wait'} for {one['to']}"
    if one["times"]:
        often = counted(one["times"], "time")
        told += f", which took nothing since {one['since']:%Y-%m-%d %H:%M}Z, {often}: {one['why']}"
    return f"{told}; 'aiops-wb events send' tries it"


def _broken(log):
    "What speaks against the audit trail; empty where it holds."
    found = log.chain_findings()
    return f"the audit trail is broken: {found[0]}" if found else ""


def _no_reports(call):
    "Notebooks among one's own reports that do not run, each in a sentence."
    found = own_reports(call.settings)
    return [*found.left_out, *found.wrong]


def _acts_waiting(call):
    data = call.settings.data
    return acts_waiting(call.settings.spool_of(data), data)


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


def _text(row):
    days = counted(row["days"], "day")
    span = f"{row['first']} to {row['last']} ({days})" if row["days"] else "nothing logged"
    unwatched = ", ".join(row.get("not_watched", ()))
    off = f", not watched: {unwatched}" if unwatched else ""
    return (
        f"{row['model']}: {span}, active version {row['active_version'] or '-'}, "
        f"{counted(row['due'], 'day')} due{off}"
    )
