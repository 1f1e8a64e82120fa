/** Rows are found by a word and by how their model stands; nothing is asked of a server. */
const finder = document.querySelector(".finder");
if (finder) {
  const rows = [...document.querySelectorAll(".models tbody tr")];
  const [word, ...states] = finder.querySelectorAll("input");
  const find = () => {
    const asked = word.value.trim().toLowerCase();
    const shown = new Set(states.filter((one) => one.checked).map((one) => one.value));
    for (const row of rows) {
      const fits = shown.has(row.dataset.state) && row.textContent.toLowerCase().includes(asked);
      row.hidden = !fits;
    }
  };
  finder.hidden = false;
  finder.addEventListener("input", find);
  find();
}

/** What is new since this browser showed the page last: kept by the browser, told to nobody. */
const fresh = document.querySelector("[data-newest]");
if (fresh) {
  try {
    const key = `aiops_wb ${location.pathname}`;
    const kept = JSON.parse(localStorage.getItem(key) ?? "null");
    const newest = fresh.dataset.newest;
    const before = kept?.newest === newest ? kept.before : kept?.newest;
    localStorage.setItem(key, JSON.stringify({ newest, before }));
    if (before) {
      const items = [...fresh.querySelectorAll("li[data-day]")];
      const since = items.filter((one) => one.dataset.day > before);
      for (const one of since) one.className = "since";
      const older = fresh.querySelector("details");
      if (older?.querySelector(".since")) older.open = true;
      const said = document.createElement("p");
      said.className = "sub";
      said.textContent = `You last looked at ${before}: ${since.length} new since.`;
      fresh.querySelector("h2").after(said);
    }
  } catch {
    // a browser that keeps nothing shows what is new since the morning before
  }
}
