import os
import socket

import pytest

from aiops_wb.log.waiting import waiting


def test_only_regular_files_with_one_name_are_taken(tmp_path):
    folder = tmp_path / "spool"
    (folder / "site [1]").mkdir(parents=True)
    (folder / ".writing").mkdir()
    (folder / "folder.csv").mkdir()
    for name in ("b.csv", "A.JSONL.GZ", "site [1]/c.parquet", ".open.csv", ".writing/d.csv"):
        (folder / name).write_text("x")
    (folder / "notes.txt").write_text("x")
    (folder / "folder.csv" / "inside.csv").write_text("x")
    (folder / "link.csv").symlink_to("/etc/passwd")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "nowhere.csv").symlink_to("gone")
    os.mkfifo(folder / "fifo.csv")
    (tmp_path / "elsewhere.csv").write_text("x")
    os.link(tmp_path / "elsewhere.csv", folder / "second.csv")
    found = waiting(folder)
    assert [str(p.relative_to(folder)) for p in found.files] == [
        "A.JSONL.GZ",
        "b.csv",
        "site [1]/c.parquet",
    ]
    assert not found.unreadable
    named = {told.split()[0]: told for told in found.passed_over}
    assert sorted(named) == [
        "fifo.csv",
        "folder.csv",
        "link.csv",
        "linked",
        "notes.txt",
        "nowhere.csv",
        "second.csv",
    ]
    assert "is a FIFO" in named["fifo.csv"] and "is a folder" in named["folder.csv"]
    assert "is a link" in named["linked"] and "hard link" in named["second.csv"]


def test_a_socket_and_a_name_of_no_known_letters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("s.csv")
        raw = os.fsencode(tmp_path) + b"/Gef\xfchl.csv"
        with open(raw, "w") as handle:
            handle.write("x")
        found = waiting(tmp_path)
    assert [os.fsencode(p) for p in found.files] == [raw]
    assert found.passed_over == ["s.csv is a socket, not a file"]


def test_a_file_that_nobody_can_read(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.csv").write_text("x")
    opened = os.open

    def forbidding(path, *rest, **named):
        if str(path).endswith("a.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **named)

    monkeypatch.setattr(os, "open", forbidding)
    found = waiting(tmp_path)
    assert [p.name for p in found.files] == ["b.csv"] and not found.passed_over
    assert found.unreadable == {tmp_path / "a.csv": "a.csv cannot be read: Permission denied."}


@pytest.mark.parametrize("name", ["missing", "file"])
def test_where_there_is_no_folder_nothing_waits(tmp_path, name):
    (tmp_path / "file").write_text("x")
    assert waiting(tmp_path / name).files == []
