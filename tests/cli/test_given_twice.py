"""Every act that is given twice: done once, said, published, exit code 0."""

import pytest
from conftest import Bench
from stops import (
    ADOPT,
    COMMANDS,
    MODEL,
    NOW,
    PROMOTE,
    SHADOW,
    TRAIN,
    forked,
    four_weeks,
    give,
    load,
    long_log,
    taken_in,
    with_folder,
    with_threshold,
    with_two_champions,
)

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.snapshot import Publishing
from aiops_wb.log.store import open_store

WHY = ("--why", "so")
BACK = {"sites.csv": "site_id,manager\nnorth,M. One\nsouth,N. Two\n"}
ACTS = [
    ("sites", "load", "sites.csv", *WHY),
    ("calendar", "add", "Easter", "--from", "2026-03-18", *WHY),
    ("calendar", "remove", "C-1", *WHY),
    ("labels", "never", "20%", "--model", MODEL, *WHY),
    ("labels", "rollback", "--model", MODEL, *WHY),
    ("models", "watch", f"{MODEL}/v1", "off", *WHY),
    ("models", "watch", f"{MODEL}/v1", "on", *WHY),
    ("models", "dial", MODEL, "off", *WHY),
    ("models", "dial", MODEL, "on", *WHY),
    ("thresholds", "set", "0.6", "--model", MODEL, *WHY),
    ("thresholds", "rollback", "--model", MODEL, *WHY),
    ("thresholds", "propose", "0.8", "--model", MODEL, *WHY),
    ("thresholds", "approve", "P-1", *WHY),
    ("features", "set", MODEL, "x", "number", *WHY),
    ("retrain", "--model", MODEL, "--flag", "on", *WHY),
    ("retrain", "--stop-all", "so"),
    ("retrain", "--resume-all", "so"),
    ("calibrations", "make", "--model", MODEL, "--version", "v1"),
    ("calendar", "holidays", "--country", "VN", "--years", "2026", *WHY),
    ("calendar", "remove", "H-1", *WHY),
]
OF_VERSIONS = [
    tuple(TRAIN),
    PROMOTE,
    ("models", "import", "out", "--model", MODEL, "--version", "v4"),
    (*SHADOW[:3], "v4", "on", *WHY),
    (*SHADOW[:3], "v4", "off", *WHY),
    tuple(word.replace("v2", "v4") for word in PROMOTE),
    ("models", "rollback", "--model", MODEL, *WHY),
]


def published(data):
    "How long the trail is that readers see."
    with open_snapshot(data) as log:
        return log.audit_head()


def written(data):
    with open_store(data, "test") as store:
        return store.audit_head(), store.known_batch(), store.unpublished


def given_twice(bench, acts):
    """Give each act, as if it were stopped between its commit and the publishing, and again, as it
    was and for another reason; what was wrong."""
    wrong, publish = [], Publishing.publish
    for act in acts:
        with pytest.MonkeyPatch.context() as stopped:
            stopped.setattr(Publishing, "publish", lambda self, keep=3: None)
            code = give(bench, act)
        rows, batch, unpublished = written(bench.data)
        if code or not unpublished:
            wrong.append((act, "first", code, unpublished))
        code = give(bench, act)
        again = written(bench.data)
        if code or again != (rows, batch, False) or published(bench.data) != rows:
            wrong.append((act, "again", code, again, rows))
    assert Publishing.publish is publish
    return wrong


def forked_twice(tmp_path, before, acts):
    load()
    bench = Bench(tmp_path)
    for name, text in BACK.items():
        (tmp_path / name).write_text(text)

    def work():
        before(bench)
        return given_twice(bench, acts)

    return forked(work)


def test_an_act_that_was_committed_and_is_given_again_is_published(tmp_path):
    few = [ACTS[0], *ACTS[5:8:2], ACTS[9]]  # a table, a switch, a dial, a threshold
    assert forked_twice(tmp_path, taken_in, few) == (0, [])


def test_a_version_that_is_trained_and_promoted_again_is_published(tmp_path):
    assert forked_twice(tmp_path, long_log, OF_VERSIONS[:2]) == (0, [])


@pytest.mark.slow
def test_each_act_that_was_committed_and_is_given_again_is_published(tmp_path):
    assert forked_twice(tmp_path, with_threshold, ACTS) == (0, [])


@pytest.mark.slow
def test_a_version_that_is_trained_promoted_or_shadowed_again_is_published(tmp_path):
    assert forked_twice(tmp_path, with_folder, OF_VERSIONS) == (0, [])


@pytest.mark.slow
def test_a_version_that_is_adopted_again_keeps_its_reference(tmp_path):
    assert forked_twice(tmp_path, four_weeks, [ADOPT]) == (0, [])


@pytest.mark.slow
def test_another_version_of_the_same_name_is_still_refused(tmp_path):
    def work():
        with_two_champions(bench)
        other = [word.replace("2026-03-02", "2026-03-03") for word in TRAIN]
        return give(bench, other), give(bench, (*PROMOTE[:-1], "for another reason"))

    load()
    bench = Bench(tmp_path)
    assert forked(work) == (0, [1, 0])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_writing_command_that_is_given_again_ends_well_and_writes_nothing(name, tmp_path):
    "`damaged` says once what it set aside; a file of one's own and a morning are batches anew."
    load()
    command, bench = COMMANDS[name], Bench(tmp_path)
    if command.settings:
        (tmp_path / "aiops.toml").write_text(command.settings)

    def work():
        command.before(bench)
        first = give(bench, command.arguments)
        rows = written(bench.data)[0]
        again = give(bench, command.arguments)
        return first, again, rows == written(bench.data)[0], published(bench.data) == rows

    ended, (first, again, same, seen) = forked(work)
    assert ended == 0 and first == (name == "damaged") and again == 0 and same and seen, NOW
