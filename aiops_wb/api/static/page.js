// What a page does beyond links and forms: it learns of changes, keeps what somebody types while
// parts of it are shown anew, and draws the slider of the reports.

import { render, spelled } from "./slider.js";

const AGAIN = 10_000; // milliseconds until the next try, where no stream is to be had

/** Ask for the live parts of the page again; a form that is under way would miss its answer. */
const underWay = new Set();
let due = false;
const refresh = () => {
  due = underWay.size > 0;
  if (!due) document.body.dispatchEvent(new CustomEvent("live"));
};
const posts = ({ detail }) => detail.requestConfig.verb === "post";
document.addEventListener("htmx:beforeRequest", (event) => {
  if (posts(event)) underWay.add(event.detail.xhr);
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  underWay.delete(detail.xhr);
  if (due) refresh();
});

/** Listen while the page is seen: a browser opens few connections to one place. */
let stream, waiting;
const listen = () => {
  clearTimeout(waiting);
  stream = new EventSource(document.body.dataset.events);
  stream.onmessage = ({ data }) => {
    if (data === document.body.dataset.state) return;
    document.body.dataset.state = data;
    refresh();
  };
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return;
    waiting = setTimeout(() => (refresh(), listen()), AGAIN);
  };
};
const rest = () => {
  clearTimeout(waiting);
  stream?.close();
};
const seen = () => (document.hidden ? rest() : listen());
document.addEventListener("visibilitychange", seen);
addEventListener("pagehide", rest);
seen();

/** What somebody has touched stays as it is: typed in, opened, or where the keyboard is. */
const touched = (el) =>
  el.open || "typed" in el.dataset || el.contains(document.activeElement);
document.addEventListener("input", ({ target }) => {
  for (const el of [target.form, target.closest("[data-keep]")]) {
    if (el) el.dataset.typed = "";
  }
});
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const kept = [...document.querySelectorAll("[data-keep]")].filter(touched);
  detail.headers["X-Keep"] = kept.map((el) => el.id).join(" ");
  // not a person's doing, so that a page which is left open ends with its session
  if (!["submit", "click", "toggle"].includes(detail.triggeringEvent?.type)) {
    detail.headers["X-Live"] = "1";
  }
});

/** What was handed in is done with: the form is empty again. */
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful } = event.detail;
  if (!successful || !posts(event) || elt.tagName !== "FORM") return;
  const keeper = elt.closest("[data-keep]");
  for (const el of [elt, keeper]) if (el) delete el.dataset.typed;
  elt.reset();
  if (keeper?.tagName === "DETAILS") keeper.open = false;
  if (elt.closest("#panel")) document.querySelector("#panel").replaceChildren();
  document.activeElement?.blur();
  document.querySelector("#said")?.scrollIntoView({ block: "nearest" });
});

/** The slider moves the threshold of the form of its tenant or site. */
const follow = (data, part, points) => {
  const { tenant, site } = data.parts.find(({ name }) => name === part) ?? data.parts[0];
  const asked = [tenant ?? (site ? "default" : ""), site ?? ""].join("\n");
  for (const form of document.querySelectorAll("form[data-tenant]")) {
    if ([form.dataset.tenant, form.dataset.site].join("\n") !== asked) continue;
    form.elements.threshold.value = spelled(points, data.kind);
    form.dataset.typed = "";
  }
};
document.addEventListener("htmx:afterSettle", () => {
  for (const el of document.querySelectorAll("[data-explorer]")) {
    const data = JSON.parse(el.dataset.explorer);
    delete el.dataset.explorer;
    const kept = { data, part: null, at: data.parts[0].inForce };
    const model = {
      get: (name) => kept[name],
      set: (name, value) => {
        const moved = name === "at" && kept.at !== value;
        kept[name] = value;
        if (moved) follow(data, kept.part, value);
      },
      save_changes: () => {},
    };
    render({ model, el });
  }
});
