"""The data dictionary: every table, view and column of a fresh snapshot, and nothing else."""

import re
from pathlib import Path

import duckdb
import pytest

from aiops_wb.log.columns import DEFAULTS, OUTCOME, PREDICTION, REQUIRED
from aiops_wb.log.store import open_store

PAGE = Path(__file__).parent.parent / "docs" / "dictionary.md"
LINE = re.compile(r"\| `(\w+)` \| ([^|]+?) \|([^|]*)\| (.*?) \|")
HANDED_IN = {"Predictions handed in": PREDICTION, "Outcomes handed in": OUTCOME}
KINDS = {"Table": False, "View": True}


def told(text):
    "Section -> what it is said to be, and column -> (type, what it means), in their order."
    sections = {}
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        name, _, below = part.partition("\n")
        below = re.split(r"^## ", below, flags=re.M)[0]
        rows = LINE.findall(below)
        assert len({row[0] for row in rows}) == len(rows), f"{name} tells a column twice"
        kind = below.split(".")[0].strip()
        sections[name.strip()] = kind, {c: (of, means) for c, of, _, means in rows}
    return sections


def short(kind, empty):
    "A type as the page writes it."
    kind = kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replace('"NULL"', "STRUCT")
    return f"{kind} or NULL" if empty else kind


def schema(path):
    "Table or view -> whether it is a view, and column -> type, of a snapshot."
    with duckdb.connect(str(path), read_only=True) as con:
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        columns = con.execute(
            """
            SELECT table_name, column_name, data_type, is_nullable
            FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"""
        ).fetchall()
    found = {}
    for table, column, kind, empty in columns:
        is_view = (table,) in views
        types = found.setdefault(table, (is_view, {}))[1]
        types[column] = short(kind, empty and not is_view)
    return found


def differences(sections, found):
    "Where the page and the schema differ, in words."
    for table in sorted(found.keys() ^ sections.keys()):
        yield f"{table} is only in the {'schema' if table in found else 'dictionary'}"
    for table in sorted(found.keys() & sections.keys()):
        (is_view, types), (kind, lines) = found[table], sections[table]
        if KINDS.get(kind) is not is_view:
            yield f"{table} is called {kind!r}"
        if list(types) != list(lines):
            yield f"{table} has {list(types)}, the dictionary {list(lines)}"
        for column in types.keys() & lines.keys():
            if types[column] != lines[column][0]:
                yield f"{table}.{column} is {types[column]}, the dictionary says {lines[column][0]}"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    with open_store(tmp_path_factory.mktemp("data"), "test") as store:
        return schema(store.publish())


@pytest.fixture(scope="module")
def sections():
    return told(PAGE.read_text(encoding="utf-8"))


def test_the_dictionary_tells_every_column_of_a_fresh_snapshot_and_no_other(sections, fresh):
    known = {name: part for name, part in sections.items() if name not in HANDED_IN}
    assert len(fresh) > 50
    assert list(differences(known, fresh)) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("| `rows` | BIGINT |", "| `lines` | BIGINT |", "the dictionary"),
        ("| `rows` | BIGINT |", "| `rows` | INTEGER |", "is BIGINT"),
        ("| `q90` | DOUBLE or NULL |", "| `q90` | DOUBLE |", "is DOUBLE or NULL"),
        ("### quarantine\n", "### quarantined\n", "is only in the"),
        ("### sites\n\nTable", "### sites\n\nView", "is called 'View'"),
    ],
)
def test_a_line_that_is_wrong_is_found(fresh, before, after, says):
    text = PAGE.read_text(encoding="utf-8")
    assert before in text
    changed = told(text.replace(before, after, 1))
    known = {name: part for name, part in changed.items() if name not in HANDED_IN}
    assert any(says in one for one in differences(known, fresh))


@pytest.mark.parametrize("name", HANDED_IN)
def test_the_columns_of_files_that_are_handed_in_are_told(sections, name):
    columns, lines = HANDED_IN[name], sections[name][1]
    assert list(lines) == list(columns)
    assert {c: kind for c, (kind, _) in lines.items()} == {
        column: short(kind, False) for column, kind in columns.items()
    }
    rows = "predictions" if columns is PREDICTION else "outcomes"
    needed = {c for c, (_, means) in lines.items() if means.startswith("needed")}
    assert needed == set(REQUIRED[rows])
    for column, filled_in in DEFAULTS[rows].items():
        assert f"`{filled_in}`" in lines[column][1]


def test_every_line_says_what_a_column_means(sections):
    for name, (_, lines) in sections.items():
        assert lines, name
        for column, (_, means) in lines.items():
            assert re.search(r"\w{2}", means) and means != column, f"{name}.{column}"
