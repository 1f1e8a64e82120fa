"""The page of a period that was lived again."""

import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from aiops_wb.render.frame import POLICY
from aiops_wb.replay.page import replay_page, write_replay
from aiops_wb.replay.period import Mismatches, Replayed
from aiops_wb.watch.became import Became
from aiops_wb.watch.policy import Costs

FIRST, NOW = date(2026, 3, 2), datetime(2026, 5, 1, tzinfo=UTC)


def days(n, tickets=5, **other):
    day = [FIRST + timedelta(i) for i in range(n)]
    columns = {"events": 100, "tickets": tickets, "false": 1, "tickets_labelled": tickets}
    columns |= {"reviews": 7, "positives": 20, "missed": 9, "labels_in": np.arange(n) < n - 2}
    return pd.DataFrame({"day": day, "version": "v1"} | columns | other)


def replayed(n=70, name="low <b>", **other):
    one = Became(name, days(n), Costs(missed=2, review=1), target=0.3)
    return Replayed("m", FIRST, FIRST + timedelta(n - 1), [one], [one], **other)


def test_a_page_says_what_it_means_and_shows_every_day():
    other = Became("actual", days(70, tickets=0), Costs(missed=2))
    told = Mismatches(7000, pd.DataFrame({"n": [3]}))
    page = replay_page(replayed(against=other, mismatches=told, notes=["mind the gap"]), NOW)
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "The promise would have been kept",
        "Mind the gap.",
        "3 of 7,000 recorded decisions differ",
        "Against what was really decided",
        "What a back-test would have claimed",
    ):
        assert said in text, said
    assert page.count("2026-03-02") >= 3 and page.count(" *</td>") == 4
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img"' in page


def test_a_page_needs_nothing_from_elsewhere_and_takes_no_name_for_html(tmp_path):
    path = write_replay(tmp_path / "new", replayed(5), NOW)
    page = path.read_text(encoding="utf-8")
    assert path.name == "replay-m-2026-03-02-2026-03-06.html"
    assert POLICY.split(";")[0] in page.replace("&#39;", "'") and "low &lt;b&gt;" in page
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!data:)[a-z]+:', page)


def test_a_period_without_a_ticket_or_a_label_is_told_as_unknown():
    one = Became("p", days(3, tickets=0, positives=0, missed=0, labels_in=False), target=0.1)
    page = replay_page(Replayed("m", FIRST, FIRST, [one], [one]), NOW)
    assert "what it would have missed is unknown" in page.lower() and "headline unknown" in page
