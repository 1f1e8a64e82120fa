"""A path is data: no character of it stands for others, whatever it is handed to."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import MODEL, Bench, events, few

import aiops_wb
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.duck import connect, parquet, source, spelt, target
from aiops_wb.log.errors import StoreError
from aiops_wb.log.store import open_store

ODD = ["log[1]", "a'b", "key=value", "x*", "[!a]", "**", "~", "with blank", "per%20cent", "a{b,c}"]
ODD += ["Gefühl", '"', "#", "a,b", "[", "]", "[]]", "C:", "$HOME", "s3:"]

# it is asked of a database that is started in a folder what its name means to it
pytestmark = pytest.mark.usefixtures("databases_of_their_own")


@pytest.fixture(scope="module")
def con():
    with connect(":memory:") as con:
        yield con


@pytest.mark.parametrize("name", [*ODD, "what?", "\n"])
def test_a_reader_is_given_one_file(tmp_path, con, name):
    decoys = ["log1", "xy", "b", "ab", "whata", "value", "c", "dd"]
    for number, folder in enumerate([*decoys, name]):
        (tmp_path / folder).mkdir()
        con.execute(f"COPY (SELECT {number} AS v) TO '{tmp_path}/made' (FORMAT parquet)")
        (tmp_path / "made").rename(tmp_path / folder / "f.parquet")
    path = tmp_path / name / "f.parquet"
    rows = con.execute(f"SELECT v, filename FROM {parquet([path], filename=True)}").fetchall()
    assert rows == [(len(decoys), str(path))]
    assert con.execute(
        f"SELECT num_rows FROM parquet_file_metadata({source(path)})"
    ).fetchall() == [(1,)]
    assert len(con.execute(f"FROM parquet_schema({source(path)})").fetchall()) == 2
    assert con.execute(f"SELECT * FROM {parquet([path])}").fetchall() == [(len(decoys),)]


def filled(root, seed):
    "A log of some events and their labels."
    bench = Bench(root)
    bench.root.mkdir()
    bench.log(events(days=2, seed=seed))
    bench.label(events(days=2, seed=seed))
    assert bench.ingest().loaded == 160
    assert bench.ingest().loaded == 0
    return bench


@pytest.fixture(scope="module")
def decoys(tmp_path_factory):
    "Logs in folders for which a name may stand."
    root = tmp_path_factory.mktemp("decoys")
    for seed, folder in enumerate(("log1", "xy", "b"), 1):
        filled(root / folder, seed)
    return root


@pytest.mark.parametrize("name", few(ODD, "log[1]", "a'b", "per%20cent"))
def test_a_log_in_a_folder_of_any_name_reads_its_own_rows(tmp_path, decoys, name):
    shutil.copytree(decoys, tmp_path, dirs_exist_ok=True)
    bench = filled(tmp_path / name, 0)
    bench.log(events(days=2, seed=0))
    assert bench.ingest().duplicates == 80
    bench.publish()
    with open_snapshot(bench.data) as reader:
        first, last = events().day.iloc[[0, 79]]
        rows = reader.rows(MODEL, first, last).set_index("prediction_id")
        mine = events(days=2, seed=0).set_index("id")
        assert len(rows) == 80 and (rows.score[mine.index] == mine.score).all()
        assert reader._value("SELECT count(*) FROM labels") == 80


@pytest.mark.parametrize("name", ["what?", "back\\slash"])
def test_a_folder_that_the_database_reads_otherwise_is_refused(tmp_path, name):
    with pytest.raises(StoreError, match="rename the folder"), open_store(tmp_path / name, "test"):
        pass


def test_a_path_of_no_known_letters_is_refused_where_the_database_opens_it(tmp_path):
    with pytest.raises(StoreError, match=r"b'.*\\xfc' is not UTF-8"):
        source(tmp_path / "\udcfc")
    with pytest.raises(StoreError, match="is not UTF-8"):
        target(tmp_path / "\udcfc")
    with pytest.raises(StoreError, match="backslash beside a pattern"):
        source(tmp_path / "a[1]\\b")


def test_the_beginning_of_a_path_is_no_home_and_no_scheme():
    assert spelt("~/x") == "./~/x" and spelt("md:x") == "./md:x"
    assert spelt("data/a:b") == "data/a:b" and spelt("/x/~/s3:") == "/x/~/s3:"


CALL = re.compile(
    r"""\b(read_\w+|parquet_\w+|glob|sniff_csv)\s*\(\s*['"\[{]   # a reader's argument
        |\b(TO|ATTACH|FROM)\s+('|\{literal\()                              # a file in SQL
        |\bduckdb\.(read_|connect\((?!str\(path|database))""",
    re.X,
)


def test_only_one_module_turns_paths_into_arguments_of_the_database():
    paths = sorted(Path(aiops_wb.__file__).parent.rglob("*.py"))
    found = [
        f"{path.name}: {line.strip()}: give paths by duck.source, target or parquet"
        for path in paths
        if path.name not in ("duck.py", "beside.py")  # of files beside their snapshot
        for line in path.read_text(encoding="utf-8").splitlines()
        if CALL.search(line)
        and not re.search(r"\{(source|target)\(", line)
        and "pd.read_csv" not in line
        and ".glob(" not in line
    ]
    assert len(paths) > 200 and not found
