"""Files of the log as a snapshot names them: they have the columns of each, or of the first."""

import duckdb
import pytest

from aiops_wb.log.beside import beside, name_folder


@pytest.fixture
def read(tmp_path):
    "Read two files, the second of which has a column more, in a folder whose name is a pattern."
    folder = tmp_path / "a[1]*"
    folder.mkdir()
    con = duckdb.connect()
    name_folder(con, folder)
    for name, columns in (("one", "1 AS a"), ("two", "2 AS a, 3 AS b")):
        con.execute(f"COPY (SELECT {columns}) TO '{folder / name}.parquet' (FORMAT parquet)")

    def asked(**how):
        source = beside(["one.parquet", "two.parquet"], "b00000001", **how)
        found = con.execute(f"FROM {source} ORDER BY a")
        return [column[0] for column in found.description], found.fetchall()

    return asked


def test_files_have_the_columns_of_each_unless_they_are_alike(read):
    assert read() == (["a", "b"], [(1, None), (2, 3)])
    assert read(alike=True) == (["a"], [(1,), (2,)])
