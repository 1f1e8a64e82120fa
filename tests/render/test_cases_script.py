"""The page of cases in a browser: rows are found, and a command is put together of those chosen."""

import pytest
from browser import browser, needs_chromium
from conftest import Bench, events
from devtools import chromium
from test_cases_page import DAY, MODEL, NOW, opened

from aiops_wb.config import Settings
from aiops_wb.render.cases import write_cases

pytestmark = [pytest.mark.slow, browser, needs_chromium]  # make browser runs them

FIND = """(() => {
const finder = document.querySelector(".finder"), place = document.querySelector(".act");
const named = (name) => finder.querySelector(`[name=${name}]`);
const rows = [...document.querySelectorAll(".cases tbody tr")];
const shown = () => rows.filter((row) => getComputedStyle(row).display !== "none")
  .map((row) => row.querySelector("b").textContent);
const put = (el, value) => {
  el.value = value; el.dispatchEvent(new Event("input", { bubbles: true }));
};
const told = [finder.hidden, shown().length, named("model").parentElement.hidden, place.hidden];
put(named("assignee"), "Jo"); told.push(shown());
put(named("state"), "muted"); told.push(shown(), finder.querySelector("output").textContent);
told.push(location.hash);
put(named("assignee"), ""); told.push(shown());
put(named("state"), ""); put(finder.querySelector("input"), "E1 "); told.push(shown());
for (const row of rows.slice(0, 2)) row.querySelector("input").click();
const command = () => place.querySelector("input").value;
told.push(command());
put(place.querySelector("select"), "assign"); told.push(command());
rows[0].querySelector("input").click(); rows[1].querySelector("input").click();
told.push(place.hidden);
return told;
})()"""


def test_cases_are_found_and_a_command_is_put_together(tmp_path):
    bench = Bench(tmp_path / "bench")
    rows = events(days=1, per_day=4, start=DAY)
    bench.log(rows)
    bench.ingest(NOW)
    with bench.store() as store:
        store._insert("cases", opened(MODEL, rows, assignee=["Jo", "Jo", None, None]))
        one, two, three, four = sorted(store.cases().case_id)
        store.mute(NOW, "ana", [one, three], DAY.replace(day=30), DAY, "known")
        write_cases(tmp_path, store, Settings(data=bench.data))
    with chromium() as page:
        page.show((tmp_path / "cases.html").as_uri())
        page.until("document.querySelector('output')?.textContent === '4 of 4 shown'")
        told = page.ask(FIND)
        assert told[:4] == [False, 4, True, True]
        assert told[4] == ["e1", "e0"] and told[5:7] == [["e0"], "1 of 4 shown"]
        assert told[7] == "#state=muted&assignee=Jo"
        assert told[8] == ["e2", "e0"] and told[9] == ["e1"]
        assert told[10] == f'aiops-wb cases acknowledge {four} {three} --why "..."'
        assert told[11] == f'aiops-wb cases assign {four} {three} --to NAME --why "..."'
        assert told[12] is True
        page.show("about:blank")
        page.show((tmp_path / "cases.html").as_uri() + "#state=muted&assignee=Jo&find=e")
        page.until("document.querySelector('output')?.textContent === '1 of 4 shown'")
        assert page.ask("document.querySelector('[name=assignee]').value") == "Jo"
        assert not page.errors
