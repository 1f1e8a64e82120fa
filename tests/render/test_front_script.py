"""The front page in a browser: rows are found, and what is new since one last looked."""

import pytest
from browser import browser, in_chromium, needs_chromium
from devtools import chromium
from test_pages import ALARM, morning, well

from aiops_wb.render.pages import index_page, write_pages

pytestmark = [browser, needs_chromium]

FIND = """
const finder = document.querySelector(".finder");
const [word, act] = finder.querySelectorAll("input");
const shown = () => [...document.querySelectorAll(".models tbody tr")]
  .filter((row) => getComputedStyle(row).display !== "none")
  .map((row) => row.querySelector("a").textContent);
const told = [finder.hidden, shown()];
word.value = "BELOW 42"; word.dispatchEvent(new Event("input", { bubbles: true }));
told.push(shown());
word.value = ""; act.click();
told.push(shown());
answer(told);
"""


@pytest.mark.parametrize("width", [1200, 400])
def test_rows_are_found_by_a_word_and_by_how_a_model_stands(tmp_path, width):
    morning(tmp_path, moved=well(alarms=[ALARM]), good=well(), fine=well())
    told = in_chromium(tmp_path, index_page(tmp_path), FIND, width)
    every = ["moved", "fine", "good"]
    assert told == [False, every, ["moved"], ["fine", "good"]]


def test_what_is_new_since_one_last_looked_is_marked(tmp_path):
    "The browser keeps the day that it showed last; showing the same day again changes nothing."

    with chromium() as page:

        def seen(day, **models):
            morning(tmp_path, day, **models)
            write_pages(tmp_path)
            page.show((tmp_path / "index.html").as_uri())
            page.until(f"document.querySelector('h1')?.innerText === '{day}'")
            page.until("document.readyState === 'complete'")
            return page.ask("document.querySelector('.new').innerText")

        assert "last looked" not in seen("2026-03-01", late=well())
        morning(tmp_path, "2026-03-02", late=well(alarms=[ALARM]))
        for _ in range(2):
            said = seen("2026-03-03", late=well(alarms=[ALARM | {"id": "D-2"}]))
            assert "You last looked at 2026-03-01: 3 new since." in said
        said = seen("2026-03-04", late=well(alarms=[ALARM | {"id": "D-2"}]))
        assert "You last looked at 2026-03-03: 0 new since." in said
        assert not page.errors
