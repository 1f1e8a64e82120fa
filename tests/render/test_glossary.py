"""Words of pages: each is explained once, found where heads use it, and can be read alone."""

import re

from read_pages import elements, held, lost, text

from aiops_wb.render.frame import filled, glossary_page, page
from aiops_wb.render.glossary import WORDS, heads, in_words, linked, words_of
from aiops_wb.render.pages import write_pages
from aiops_wb.render.vocabulary import METRICS

TABLE = (
    "<h2>Recall &amp; more</h2><table><tr><th>PR-AUC</th><th class='text'>a b</th></tr>"
    '<tr><td class="text">F1</td><td>recall</td></tr></table>'
)


def test_each_word_has_one_meaning_and_one_name():
    spelt = [said.lower() for word in WORDS for said in (word.word, *word.also)]
    assert len(set(spelt)) == len(spelt)
    assert len({word.name for word in WORDS}) == len(WORDS) > 60
    assert all(re.fullmatch(r"[A-Z].*[.]", word.means) for word in WORDS)


def test_every_figure_that_is_stored_has_its_word():
    assert {name for name, entry in METRICS.items() if in_words(entry.title) is None} == set()


def test_words_are_found_whole_and_the_longest_wins():
    assert [word.word for word in words_of(["False positive rate, 7 days"])] == [
        "false positive rate"
    ]
    assert in_words("PR-AUC, 7 days").word == "PR-AUC"
    assert in_words("wordless") is in_words("recallable") is None


def test_a_page_explains_the_words_of_its_heads_at_its_end():
    html = page("Mine", TABLE)
    held(html)
    assert set(heads(TABLE)) == {"Recall & more", "PR-AUC", "a b", "F1"}
    told = [e.text for e in elements(html) if e.tag == "dt"]
    assert told == ["F1", "PR-AUC", "recall"]
    assert '<th><a class="word" href="#word-pr-auc">PR-AUC</a></th>' in html
    assert "All words" not in html, "a page without a front door leads to none"
    assert "Words on this page" not in page("Mine", "<p>recall</p>")
    beside = filled("frame.html", "Mine", "../../", body=TABLE)
    assert '<a href="../../glossary.html">All words</a>' in beside


def test_all_words_stand_beside_the_front_door(tmp_path):
    write_pages(tmp_path)
    html = (tmp_path / "glossary.html").read_text()
    held(html)
    assert html == glossary_page() and not lost(tmp_path / "glossary.html")
    assert all(word.means in text(html) for word in WORDS)


def test_heads_lead_to_their_words_and_all_else_stays():
    html = "<tr><th>PR-AUC</th><th class='text'>a b</th><th>recall &amp; more</th><td>F1</td></tr>"
    assert linked(html) == (
        '<tr><th><a class="word" href="#word-pr-auc">PR-AUC</a></th><th class=\'text\'>a b</th>'
        '<th><a class="word" href="#word-recall">recall &amp; more</a></th><td>F1</td></tr>'
    )
