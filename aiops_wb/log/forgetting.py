"""Somebody, or an age, is taken out of a log: rows, their features, and every file that names them.

The order makes it one act, however often it is stopped. First it is remembered who goes, so that
nothing of them comes in again. Then every file beside the catalog that names them is rewritten or
removed, while the catalog still knows what to look for. Then one transaction takes the rows out of
day files and tables, keeps what was counted of them, and writes the row of the trail. At the end
the catalog is copied into a new file and published, and every older snapshot is removed.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from .base import conditions
from .duck import literal, parquet
from .durable import write_durably
from .errors import StoreError
from .forgotten import Forgotten
from .gone import DayFile
from .mentions import Mentions
from .named_files import NamedFiles, Places, aged_files, named_files
from .pseudonyms import keyed, known_key, made_key
from .store import Store

__all__ = ["WHAT", "Left", "Removal", "Removed", "find", "forget", "is_begun", "require_free_of"]

WHAT = "forgotten"
"What the trail calls a removal."
_BEGUN = "forgetting.json"
Shown = Callable[[Sequence, str], Iterable]


def _plainly(items, what):
    return items


class Left(NamedTuple):
    "What left the house before, or cannot be reached: for the owner of the log."

    deliveries: list[dict]  # case_id, sink, attempted_at, key
    trail: list[int]  # rows that name it in clear


@dataclass(frozen=True)
class Removal:
    "What is to go: rows by SQL, names to look for, the files that are about it, and how much."

    one: Forgotten
    rows: str  # which predictions, and rows of tables that are about them
    labels: str  # which outcomes
    names: tuple[str, ...] = ()
    waiting: frozenset[str] = frozenset()  # files of outcomes without a prediction, by their events
    files: tuple[DayFile, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    outside: NamedFiles = field(default_factory=NamedFiles)

    def __bool__(self) -> bool:
        return any(self.numbers.values())

    def goes(self, file: DayFile) -> str:
        "Which rows of a day file go, as SQL."
        if file.kind == "predictions":
            return self.rows
        waits = f" OR ({_WAITS})" if file.path in self.waiting else ""
        return f"{self.labels}{waits}"


_WAITS = "prediction_id IS NULL AND event_key IN (SELECT event_key FROM gone_keys)"


@dataclass(frozen=True)
class Removed:
    "What was removed, by kind, and what is left for the owner of the log."

    numbers: dict[str, int]
    left: Left
    kept: tuple[str, ...]  # files that name it still, with the reason
    pages: tuple[str, ...]

    def __str__(self) -> str:
        told = [f"{n:,} {kind}" for kind, n in self.numbers.items() if n]
        return f"removed: {', '.join(told)}" if told else "nothing of it was found in the log"


_TEXTS = {
    "segments": ("name", "detail"),
    "runs": ("detail",),
    "acts": ("what", "says"),
    "deliveries": ("detail",),
    "cases": ("title", "text", "reasons"),  # one names past cases that are like it
}
"Tables with texts that may name somebody: the name goes, the row stays."


_GONE = (
    ("gone_ids", "prediction_id"),
    ("gone_cases", "case_id"),
    ("gone_keys", "event_key"),  # of events of which no prediction stays
)


def find(store: Store, one: Forgotten, places: Places, shown: Shown = _plainly) -> Removal:
    """Everything of an entity, a prediction or an age in the log, its tables and the files beside
    it; nothing is changed. Of an age (kind `before`), `until` is the start of the first day that
    stays."""
    if one.model is not None:
        store.require_model(one.model)
    for table, column in _GONE:
        store.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({column} VARCHAR)")
    if one.kind == "before":
        day = _first_day(store, one.until)
        rows, names = f"event_date < DATE '{day}'", ()
        labels = f"coalesce(event_date, observed_at::DATE) < DATE '{day}'"
        _note_cases(store, rows)
    else:
        rows = labels = "prediction_id IN (SELECT prediction_id FROM gone_ids)"
        _note_ids(store, one, shown)
        _note_cases(store, rows)
        store.note_gone_events()
        known = (store._column(f"FROM {table} ORDER BY 1") for table, _ in _GONE)
        shared = one.name in _other_names(store) or _was_shared(store, one)
        own = [] if shared else [one.name]
        names = tuple(dict.fromkeys(sum(known, own)))
    keys = "SELECT event_key AS low, event_key AS high FROM gone_keys"
    waiting = store.files_with_keys("outcomes", keys, "event_date IS NULL")
    removal = Removal(one, rows, labels, names, frozenset(file.path for file in waiting))
    return _counted(store, removal, places, shown)


def _other_names(store):
    """Names of models, versions, tenants and sites: a text that holds one of them is about all who
    have to do with it, and not about somebody who is called so."""
    named = store._rows("SELECT DISTINCT unnest([model, version, tenant]) FROM data_files")
    sites = store._rows("SELECT DISTINCT site_id FROM sites UNION SELECT site_id FROM cases")
    return {name for (name,) in [*named, *sites]}


def _was_shared(store, one):
    "Whether it was so when a removal of the same began that was stopped: rows that said it went."
    told = _told_before(store, one) if known_key(store.root) else {}
    return told.get("shared", False)


def _told_before(store, one):
    "What was noted of a removal of the same that was stopped; nothing where none was."
    try:
        told = json.loads((store.root / _BEGUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return told if told.get("subject") == _subject(store, one) else {}


def _first_day(store, at):
    "The day of a time in the log's zone."
    zone = {"at": at, "zone": store.timezone}
    return store._value("SELECT ($at::TIMESTAMPTZ AT TIME ZONE $zone)::DATE", zone)


def _note_ids(store, one, shown):
    "Fill `gone_ids` with the predictions of somebody."
    con, column = store.con, "entity_id" if one.kind == "entity" else "prediction_id"
    scope = {name: getattr(one, name) for name in ("tenant", "model") if getattr(one, name)}
    where, values = conditions(**scope, **{column: one.name})
    con.execute("CREATE OR REPLACE TEMP TABLE found_ids (prediction_id VARCHAR)")
    for file in shown(_there(store, "predictions", **scope), "searching days"):
        if one.kind == "entity" or file.min_id <= one.name <= file.max_id:
            rows = parquet([store.root / file.path])
            con.execute(f"INSERT INTO found_ids SELECT prediction_id FROM {rows}{where}", values)
    con.execute(f"INSERT INTO found_ids SELECT prediction_id FROM cases{where}", values)
    if one.kind == "prediction" and not scope:  # it may be known by its label alone
        con.execute("INSERT INTO found_ids VALUES ($name)", {"name": one.name})
    con.execute("INSERT INTO gone_ids SELECT DISTINCT prediction_id FROM found_ids")
    con.execute("DROP TABLE found_ids")


def _note_cases(store, condition):
    "Fill `gone_cases` with the cases all of whose events go."
    store.con.execute(
        f"""
        INSERT INTO gone_cases
        SELECT case_id FROM cases GROUP BY case_id HAVING bool_and({condition})"""
    )


def _there(store, kind, **where):
    "The day files that hold rows and can be read."
    files = store.day_files(kind=kind, **where)
    gone = store.gone(files)
    return [file for file in files if file not in gone and file.rows]


def _counted(store, removal, places, shown):
    "A removal with all that it is about, and how much of each kind there is."
    one, numbers, files = removal.one, {}, []
    for kind, told in (("predictions", "predictions"), ("outcomes", "labels")):
        found = list(_files_with(store, kind, removal, shown))
        files += [file for file, _ in found]
        numbers[told] = sum(n for _, n in found)
    mentions, table = Mentions(removal.names), "SELECT count(*) FROM {} WHERE " + removal.rows
    of_values = (store._value(table.format(name)) for name in ("unreadable", "read_again"))
    numbers["values kept as text"] = sum(of_values)
    numbers["cases"] = store._value(table.format("cases"))
    numbers["rows in quarantine"] = len(_quarantined(store, one, mentions))
    numbers["texts"] = sum(len(rows) for _, _, rows in _texts(store, mentions))
    if one.kind == "before":
        outside = aged_files(store, _first_day(store, one.until), one.until, places)
    else:
        days = [file for file in files if file.kind == "predictions"]
        outside = named_files(store, one, days, mentions, places, shown)
        if one.name not in removal.names:
            outside.kept.append(
                f"{one.name!r} is the name of a model, a version, a tenant or a site, too: texts "
                "and pages that say it and none of its predictions stay"
            )
    numbers |= outside.numbers
    return replace(removal, files=tuple(files), numbers=numbers, outside=outside)


def _files_with(store, kind, removal, shown):
    "The day files with rows that go, and how many each has."
    files = _there(store, kind)
    if removal.names:  # the rows of somebody have ids that are known
        ids, waiting = store._column("FROM gone_ids"), removal.waiting
        near = lambda file: any(file.min_id <= one <= file.max_id for one in ids)
        files = [file for file in files if file.path in waiting or near(file)]
    for file in shown(files, f"searching {kind}"):
        rows = parquet([store.root / file.path])
        if n := store._value(f"SELECT count(*) FROM {rows} WHERE {removal.goes(file)}"):
            yield file, n


def _quarantined(store, one, mentions):
    "The places of the rows in quarantine that are about what goes."
    if one.kind == "before":
        return store._column(
            """
            SELECT quarantine.rowid FROM quarantine JOIN batches USING (batch_id)
            WHERE committed_at < $until AND reason <> 'forgotten'""",
            {"until": one.until},
        )
    found, rows = [], store.cursor().execute("SELECT rowid, source, reason, raw FROM quarantine")
    while part := rows.fetchmany(10_000):
        found += [place for place, *texts in part if any(map(mentions.in_text, texts))]
    return found


def _texts(store, mentions):
    "Table, column and (text without the names, place) of texts that name what goes."
    for table, columns in _TEXTS.items() if mentions else ():
        for column in columns:
            rows = store._rows(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL")
            named = [(mentions.without(t), place) for place, t in rows if mentions.in_text(t)]
            if named:
                yield table, column, named


def require_free_of(names: Iterable[str], why: str) -> None:
    "StoreError where a reason is missing, or names what is to be forgotten: the trail keeps it."
    if not why.strip():
        raise StoreError("to forget needs a reason: add --why.")
    if Mentions(names).in_text(why):
        raise StoreError("the reason names what is to be forgotten, and the trail keeps reasons.")


def is_begun(root: Path) -> bool:
    "Whether a removal was stopped before its end: given again, it goes on."
    return (Path(root) / _BEGUN).exists()


def forget(
    store: Store, now: datetime, who: str, removal: Removal, why: str, shown: Shown = _plainly
) -> Removed:
    """Take what was found out of the log; what was removed, and what is left for its owner to do.

    What goes is known as forgotten before (`add_forgotten`), and all that was handed in is taken
    in. Only one snapshot is left, the newest; who holds an older one open keeps it until then.
    """
    require_free_of(removal.names, why)
    left = _left(store, removal)
    evidence = _begin(store, removal, left)
    removal.outside.remove()
    store.begin_rewriting(removal.files)
    with store.transaction():
        store.keep_counts(removal.files, removal.rows)
        for kind in ("predictions", "outcomes"):
            files = [file for file in removal.files if file.kind == kind]
            for file in shown(files, f"rewriting {kind}"):
                store.record_rewritten(store.write_without(file, removal.goes(file)))
        _take_out(store, removal)
        store.remember_ids(now, "gone_ids")
        store.remember_events(now, _gone_events(removal.one))
        _record(store, now, who, removal.one, why, evidence)
    store.finish_rewriting()
    store.remove_retired()  # rows that go stand in them as well
    store.make_anew()
    store.publish(1)
    (store.root / _BEGUN).unlink(missing_ok=True)
    outside = removal.outside
    return Removed(evidence["removed"], left, tuple(outside.kept), tuple(outside.pages))


def _gone_events(one):
    "Events that are forgotten, of the tenant and the model that were named, as SQL."
    tenant, model = (literal(name) if name else "NULL::VARCHAR" for name in (one.tenant, one.model))
    return f"SELECT event_key, {tenant} AS tenant, {model} AS model FROM gone_keys"


def _left(store, removal):
    deliveries = store._rows(
        """
        SELECT case_id, sink, attempted_at, key FROM deliveries SEMI JOIN gone_cases USING (case_id)
        WHERE state = 'delivered' ORDER BY attempted_at, case_id"""
    )
    named = ("case_id", "sink", "attempted_at", "key")
    mentions, trail = Mentions(removal.names), []
    if mentions:
        rows = store.cursor().execute("SELECT seq, subject, old, new, why, evidence FROM audit")
        while part := rows.fetchmany(10_000):
            trail += [seq for seq, *texts in part if any(map(mentions.in_text, texts))]
    return Left([dict(zip(named, row)) for row in deliveries], sorted(trail))


def _begin(store, removal, left):
    """What the trail will say of it, noted beside the catalog without a name: who was stopped and
    begins again finds less, and says the same."""
    one = removal.one
    subject, told = _subject(store, one), _told_before(store, one)
    sent = {}
    for delivery in left.deliveries:
        sent[delivery["sink"]] = sent.get(delivery["sink"], 0) + 1
    evidence = {}
    for name, numbers in (("removed", removal.numbers), ("delivered before", sent)):
        before = told.get(name, {})
        most = {k: max(before.get(k, 0), numbers.get(k, 0)) for k in {**before, **numbers}}
        evidence[name] = {kind: n for kind, n in most.items() if n}
    noted = {"subject": subject, "shared": one.name is not None and one.name not in removal.names}
    write_durably(store.root / _BEGUN, json.dumps(evidence | noted))
    return evidence


def _subject(store, one):
    "What the trail calls somebody, or an age."
    if one.kind == "before":
        return f"older than {_first_day(store, one.until)}"
    return f"{one.kind} {keyed(made_key(store.root), one.kind, one.name)[:24]}"


def _record(store, now, who, one, why, evidence):
    "The row of the trail: once, also for who was stopped after it was written."
    subject, told = _subject(store, one), {"evidence": json.dumps(evidence, sort_keys=True)}
    scopes = (("model", one.model), ("tenant", one.tenant))
    scope = "".join(f" of {name} {value}" for name, value in scopes if value)
    if not store._is_latest(WHAT, subject, who, why, new=f"removed{scope}", **told):
        store.record(now, who, WHAT, subject, f"removed{scope}", why, evidence)


def _take_out(store, removal):
    "What goes out of the tables of the catalog."
    mentions, rows = Mentions(removal.names), removal.rows
    places = _quarantined(store, removal.one, mentions)
    store._write(
        """
        UPDATE quarantine
        SET raw = NULL, content = NULL, reason = 'forgotten', source = '', line = NULL
        WHERE rowid IN (SELECT unnest($places::BIGINT[]))""",
        {"places": places},
    )
    for table, column, texts in list(_texts(store, mentions)):
        for text, place in texts:
            store._write(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [text, place])
    for table in ("unreadable", "read_again"):
        store._write(f"DELETE FROM {table} WHERE {rows}")
    store._write(  # the first event that stays opens the case of one that goes
        f"""
        UPDATE cases SET state = 'opened'
        WHERE rowid IN (
            SELECT arg_min(rowid, (predicted_at, prediction_id)) FROM cases
            WHERE NOT ({rows}) AND case_id IN (
                SELECT case_id FROM cases WHERE {rows} AND state = 'opened')
            GROUP BY case_id)"""
    )
    store._write(f"DELETE FROM cases WHERE {rows}")
    for table in ("deliveries", "case_names"):
        store._write(f"DELETE FROM {table} WHERE case_id IN (SELECT case_id FROM gone_cases)")
