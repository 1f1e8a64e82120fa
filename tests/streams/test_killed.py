"""Killed anywhere, the next one goes on: each event arrives at least once, in a file once."""

import json
import os
import random
import signal
import threading
from datetime import timedelta

import pytest
from happening import NOW, ids_by_hand, morning, predict, settings_of
from nursery import forked
from receivers import Hearing, hearing_server

from aiops_wb.config import Settings
from aiops_wb.log import durable, outbox
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.streams.outgoing import send_events
from aiops_wb.watch import sinks

N = 12


def sending(data, to):
    "Send what waits, in a process that is killed."
    send_events(data, Settings(data=data, events_to=(to,), config="no file"), NOW + timedelta(2))


def killed_at(data, to, n):
    "The same, killed before the n-th time that something is forced to the disk."
    left, real = [n], os.fsync

    def fsync(handle):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    for module in (sinks, outbox, durable):
        module.os.fsync = fsync
    sending(data, to)


def busy(bench, to):
    "Something waits for a place; how long the trail was before."
    morning(bench, 0, to)
    with open_snapshot(bench.data) as log:
        past = log.so_far().trail
    with bench.store() as store:
        for n in range(N):
            store.record(NOW, "ana", "watch", "m", str(n), "asked for")
        store.publish()
    return past


def wanted(bench, past):
    with open_snapshot(bench.data) as log:
        return ids_by_hand(log, past)


@pytest.mark.parametrize("seed", range(3))
def test_a_web_server_hears_of_each_at_least_once_wherever_the_sender_is_killed(bench, seed):
    dice, children = random.Random(seed), []

    class Killing(Hearing):
        "Ends the sender before or after some of the answers."

        def do_POST(self):
            kills = children and dice.random() < 0.3
            if kills and dice.random() < 0.5:
                super().do_POST()
            elif kills:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.heard.append((self.headers, body))
            if kills:
                os.kill(children.pop().pid, signal.SIGKILL)
            else:
                super().do_POST()

    with hearing_server() as server:
        server.RequestHandlerClass = Killing
        to = f"http://127.0.0.1:{server.server_port}/in"
        past = busy(bench, to)
        kills = 0
        for _ in range(40):
            child = forked(sending, bench.data, to)
            children.append(child)
            child.join()
            kills += child.exitcode == -signal.SIGKILL
            children.clear()
            if child.exitcode == 0:
                break
        predict(bench, 3)
        morning(bench, 3, to)
        heard = [json.loads(body)["id"] for _, body in server.heard]
        first = list(dict.fromkeys(heard))
        assert kills and set(first) == wanted(bench, past)
        assert len(heard) <= len(first) + kills  # one may come again for each kill
        trail = [one for one in first if one.startswith("trail")]
        assert trail == sorted(trail, key=lambda one: int(one.split("-")[1]))


@pytest.mark.parametrize("n", range(1, 7))
def test_a_file_holds_each_event_once_wherever_the_sender_is_killed(bench, tmp_path, n):
    out = tmp_path / "events.jsonl"
    past = busy(bench, f"file:{out}")
    child = forked(killed_at, bench.data, f"file:{out}", n)
    child.join()
    settings = settings_of(bench, f"file:{out}")
    assert child.exitcode == (-signal.SIGKILL if n <= 4 else 0)
    for day in (2, 3):
        assert send_events(bench.data, settings, NOW + timedelta(day)) == []
    morning(bench, 4, f"file:{out}")
    told = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert len(told) == len(set(told)) and set(told) == wanted(bench, past)


def test_a_line_that_was_cut_off_costs_no_other(bench, tmp_path):
    out = tmp_path / "events.jsonl"
    past = busy(bench, f"file:{out}")
    out.write_text('{"id": "half')
    morning(bench, 1, f"file:{out}")
    told = [json.loads(line)["id"] for line in out.read_text().splitlines()[1:]]
    assert set(told) == wanted(bench, past) and len(told) == len(set(told))


def test_two_who_send_at_once_send_nothing_twice(bench):
    with hearing_server() as server:
        to = f"http://127.0.0.1:{server.server_port}/in"
        busy(bench, to)
        told = bench.data, settings_of(bench, to), NOW + timedelta(1)
        both = [threading.Thread(target=send_events, args=told) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        ids = [json.loads(body)["id"] for _, body in server.heard]
        assert len(ids) == len(set(ids)) >= N
