/** Cases are found by a word and by what stands in their cells; nothing is asked of a server. */
const finder = document.querySelector(".finder");
if (finder) {
  const rows = [...document.querySelectorAll(".cases tbody tr")];
  const said = (row, cell, what) => row.cells[cell].querySelector(what)?.textContent ?? "-";
  const of = {
    state: (row) => [said(row, 4, "b"), ...(row.cells[4].querySelector("em") ? ["muted"] : [])],
    model: (row) => [said(row, 1, "small")],
    site: (row) => [said(row, 1, "i")],
    assignee: (row) => [said(row, 5, "b")],
  };
  const word = finder.querySelector("input");
  const selects = [...finder.querySelectorAll("select")];
  const shown = finder.querySelector("output");
  for (const one of selects) {
    const values = [...new Set(rows.flatMap(of[one.name]))].sort();
    one.append(...values.map((value) => new Option(value === "-" ? "nobody, none" : value, value)));
    one.parentElement.hidden = values.length < 2;
  }
  const find = () => {
    const asked = word.value.trim().toLowerCase();
    let n = 0;
    for (const row of rows) {
      const fits =
        selects.every((one) => !one.value || of[one.name](row).includes(one.value)) &&
        row.textContent.toLowerCase().includes(asked);
      row.hidden = !fits;
      n += fits;
    }
    shown.textContent = `${n} of ${rows.length} shown`;
    const told = new URLSearchParams(selects.filter((one) => one.value).map((one) => [one.name, one.value]));
    if (asked) told.set("find", word.value.trim());
    try {
      history.replaceState(null, "", `#${told}`);
    } catch {
      // a page within another one may have no address of its own
    }
  };
  const given = new URLSearchParams(location.hash.slice(1));
  for (const one of selects) {
    const wanted = given.get(one.name);
    if ([...one.options].some(({ value }) => value === wanted)) one.value = wanted;
  }
  word.value = given.get("find") ?? "";
  finder.hidden = false;
  finder.addEventListener("input", find);
  find();

  /** What is to be done with the chosen ones: where a service shows the page it has forms for it,
   * else there is a command to copy. */
  const place = document.querySelector(".act");
  const ACTS = {
    acknowledge: '--why "..."',
    assign: '--to NAME --why "..."',
    comment: '--text "..."',
    close: '--outcome confirmed --why "..."',
    mute: '--mute-until DAY --why "..."',
  };
  const act = document.createElement("select");
  act.ariaLabel = "what is to be done";
  act.append(...Object.keys(ACTS).map((name) => new Option(name)));
  const command = document.createElement("input");
  command.readOnly = true;
  command.ariaLabel = "command";
  command.addEventListener("focus", () => command.select());
  const copy = document.createElement("button");
  copy.textContent = "copy";
  const told = document.createElement("span");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.value);
      told.textContent = "copied";
    } catch {
      command.focus();
      told.textContent = "marked: copy it with the keyboard";
    }
  });
  told.role = "status";
  const chosen = () => rows.map((row) => row.querySelector("input")).filter((one) => one.checked);
  const show = () => {
    const ids = chosen().map((one) => one.value);
    place.hidden = !ids.length;
    told.textContent = "";
    if (place.hidden) return;
    if (location.protocol.startsWith("http") && location.pathname.startsWith("/reports/")) {
      const forms = ids.slice(0, 10).map((id) => {
        const link = document.createElement("a");
        link.href = `/pages/cases/${id}`;
        link.textContent = id;
        return link;
      });
      return place.replaceChildren("Act on: ", ...forms);
    }
    const verb = act.value === "mute" ? "acknowledge" : act.value;
    command.value = `aiops-wb cases ${verb} ${ids.join(" ")} ${ACTS[act.value]}`;
    if (!act.isConnected) place.replaceChildren(act, command, copy, told);
  };
  act.addEventListener("input", show);
  for (const row of rows) row.querySelector("input").addEventListener("input", show);
  show();
}
