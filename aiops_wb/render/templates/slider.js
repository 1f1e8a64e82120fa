// Every threshold of a model at once: counts in, figures out, and a slider over them.
//
// First arithmetic, which knows no page; then what draws. A report's page runs this module as it
// stands, without a server; a widget calls `render({model, el})` with the same data.

const PER_UNIT = 1000;
const LIMIT = { logit: 16000, linear: 32000 };

/** Steps -> the values that they lead to. */
const sums = (steps) => {
  let sum = 0;
  return steps.map((step) => (sum += step));
};

/** How much of a column lies at or above each place; none above the last. */
const tails = (column) => {
  const tail = new Array(column.length + 1).fill(0);
  for (let i = column.length - 1; i >= 0; i--) tail[i] = tail[i + 1] + column[i];
  return tail;
};

/** Counts as they travel -> edges (points, ascending), and what lies at or above each of them. */
export const unpack = (part) => ({
  edges: sums(part.edges),
  n: tails(part.n),
  unlabelled: tails(part.unlabelled),
  positive: tails(part.positive),
});

/** The place of the first of ascending values that is not below x. */
const placeOf = (values, x) => {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Thresholds (points) at which a slider stops: all of a step, and the marks. */
export const stopsOf = ({ low, high, step, marks }) => {
  const stops = new Set(marks);
  for (let at = low; at <= high; at += step) stops.add(at);
  return [...stops].sort((a, b) => a - b);
};

/** Events by label (`unknown`: none yet) on both sides of a threshold (points). */
export const confusion = ({ edges, n, unlabelled, positive }, points) => {
  const at = placeOf(edges, points);
  const [tp, unknown] = [positive[at], unlabelled[at]];
  const fp = n[at] - unknown - tp;
  const [fn, tn] = [positive[0] - tp, n[0] - unlabelled[0] - positive[0] - fp];
  return { alerts: n[at], tp, fp, fn, tn, unknown, unknownBelow: unlabelled[0] - unknown };
};

/** Figures of a confusion over some days; NaN where nothing can be divided, or no costs are given. */
export const figures = ({ alerts, tp, fp, fn, tn }, days, costs) => ({
  alerts: alerts / days,
  tp,
  fn,
  fp,
  precision: tp / (tp + fp),
  recall: tp / (tp + fn),
  fpr: fp / (tn + fp),
  cost: costs ? (costs.missed * fn + costs.false * fp + costs.review * alerts) / days : NaN,
});

/** The stop that costs least; the highest of those that cost the same. */
export const cheapest = (table, stops, costs) => {
  let [best, least] = [null, Infinity];
  for (const at of stops) {
    const { cost } = figures(confusion(table, at), 1, costs);
    if (cost <= least) [best, least] = [at, cost];
  }
  return best;
};

/** A number as Python writes it: ties to the even digit, commas between thousands. */
export const written = (x, digits, signed = false) => {
  if (!Number.isFinite(x)) return "-";
  const size = Math.abs(x);
  let text = size.toFixed(digits);
  const tied = (size * 2 ** (digits + 1)) % 2 === 1; // just in the middle of two
  if (tied && Number(text.at(-1)) % 2) text = (size - 0.25 / 10 ** digits).toFixed(digits);
  const sign = !/[1-9]/.test(text) ? "" : x < 0 ? "-" : signed ? "+" : "";
  const [whole, rest] = text.split(".");
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + (rest ? `${parted}.${rest}` : parted);
};

/** Points as a score. */
export const scoreOf = (points, kind) =>
  kind === "linear" ? points / PER_UNIT : 1 / (1 + Math.exp(-points / PER_UNIT));

/** A score on the ladder of points, not yet rounded; in single precision, as it is logged. */
const onLadder = (score, kind) => {
  const x = Math.fround(score);
  const place = PER_UNIT * (kind === "linear" ? x : Math.log(x) - Math.log1p(-x));
  return Math.max(-LIMIT[kind], Math.min(LIMIT[kind], place));
};

/** A score as points. */
export const pointsOf = (score, kind) => Math.round(onLadder(score, kind));

/** The shortest score that a command reads as these points. */
export const spelled = (points, kind) => {
  if (kind === "linear") return scoreOf(points, kind).toFixed(3);
  let p = Math.fround(scoreOf(points, kind));
  while (onLadder(p, kind) < points - 0.4) p = Math.fround(p + 2 ** -24); // few are that near to 1
  for (let digits = 3; digits < 10; digits++) {
    const text = p < 0.1 ? p.toPrecision(digits) : p.toFixed(digits);
    if (Math.abs(onLadder(Number(text), kind) - points) < 0.4) return text;
  }
  return String(p);
};

/** A word for a shell. */
const quoted = (word) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;

/** The command that proposes a threshold, of a part where it is none of all. */
export const command = (model, part, score, why) => {
  const options = { model, tenant: part.tenant, site: part.site, why };
  const given = Object.entries(options).filter(([, value]) => value || value === "");
  const words = given.map(([name, value]) => `--${name}=${quoted(value)}`);
  const last = score.startsWith("-") ? ["--", score] : [score];
  return ["aiops-wb", "thresholds", "propose", ...words, ...last].join(" ");
};

// What draws. Every text is set as text, so that no name can become an element.

const ROWS = [
  ["alerts", "Alerts a day", 1],
  ["tp", "Positives caught", 0],
  ["fn", "Positives missed", 0],
  ["fp", "False positives", 0],
  ["precision", "Precision", 3],
  ["recall", "Recall", 3],
  ["fpr", "False positive rate", 3],
  ["cost", "Cost a day", 1],
];
const LINES = ["precision", "recall", "fpr"];
const COSTS = [
  ["missed", "a missed positive"],
  ["false", "a false alert"],
  ["review", "the review of an alert"],
];
const TICKS = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1e9, End: 1e9 };

const made = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const h = (tag, attributes = {}, ...children) =>
  made(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  made(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const row = (name, cells) => h("tr", {}, h("th", { scope: "row" }, name), ...cells);
const head = (...names) =>
  h("thead", {}, h("tr", {}, ...names.map((name) => h(name ? "th" : "td", {}, name))));

/** Rates over the stops, and bands of them; `here` is the line that moves. */
const picture = (table, stops, bands, inForce, here) => {
  const last = Math.max(1, stops.length - 1);
  const path = (name) => {
    let pen = "M";
    const to = stops.map((at, i) => {
      const rate = figures(confusion(table, at), 1)[name];
      const drawn = Number.isNaN(rate) ? "" : `${pen}${i} ${(100 - 100 * rate).toFixed(1)}`;
      pen = drawn ? "L" : "M";
      return drawn;
    });
    return svg("path", { d: to.join(""), class: name });
  };
  const area = ({ name, low, high }) => {
    const [from, to] = [placeOf(stops, low), Math.min(last, placeOf(stops, high))];
    return svg("rect", { x: from, width: Math.max(0, to - from), y: 0, height: 100, class: name });
  };
  const upright = (i) => ({ x1: i, x2: i, y1: 0, y2: 100 });
  return svg(
    "svg",
    { viewBox: `0 0 ${last} 100`, preserveAspectRatio: "none" },
    ...bands.map(area),
    svg("path", { d: `M0 50H${last}`, class: "half" }),
    svg("line", { ...upright(placeOf(stops, inForce)), class: "inforce" }),
    ...LINES.map(path),
    here,
  );
};

/** Scores under the slider. */
const scale = (stops, kind) => {
  const [low, high] = [stops[0], stops.at(-1)];
  const fifth = (high - low) / 5;
  const at =
    kind === "logit" ? TICKS.map((p) => pointsOf(p, kind)) : [1, 2, 3, 4].map((i) => low + i * fifth);
  const inside = at.filter((points) => points > low && points < high);
  return inside.map((points) => {
    const tick = h("span", {}, String(Number(scoreOf(points, kind).toPrecision(kind === "logit" ? 4 : 2))));
    tick.style.left = `${(100 * placeOf(stops, points)) / (stops.length - 1)}%`;
    return tick;
  });
};

/** Draw a slider into `el`; `model` has `data`, and keeps `at` (points), `part` and `costs`. */
export function render({ model, el }) {
  const data = model.get("data");
  const { kind, days, parts } = data;
  let part, table, stops, place, resting;
  let costs = model.get("costs") ?? data.costs;
  const text = (points) => spelled(points, kind);

  const input = (type, attributes) => h("input", { type, autocomplete: "off", ...attributes });
  const range = input("range", {
    min: 0,
    step: 1,
    "aria-label": "threshold",
    input: () => move(Number(range.value)),
    keydown: (event) => {
      const page = Math.max(1, Math.round(stops.length / 20));
      const by = { ...KEYS, PageUp: page, PageDown: -page }[event.key];
      if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      move(place + by);
    },
  });
  const score = input("number", { step: "any", change: () => typed() });
  const typed = () => {
    if (score.value === "") return move(place);
    const points = pointsOf(Number(score.value), kind);
    const above = placeOf(stops, points); // the nearer one of two
    move(above && !(stops[above] - points < points - stops[above - 1]) ? above - 1 : above);
  };
  const prices = COSTS.map(([name, label]) => {
    const field = input("number", { min: 0, step: "any", size: 6, input: () => priced() });
    field.value = costs?.[name] ?? "";
    return [name, field, h("label", {}, `${label} `, field)];
  });
  const priced = () => {
    const given = prices.map(([name, field]) => [name, field.value === "" ? NaN : Number(field.value)]);
    costs = given.every(([, value]) => value >= 0) ? Object.fromEntries(given) : null;
    model.set("costs", costs);
    move(place);
  };
  const why = input("text", { input: () => move(place), maxlength: 400 });
  const status = h("p", { role: "status", class: "unseen" });
  const copy = async () => {
    if (!why.value.trim()) {
      status.textContent = "Say why first: the reason is kept with the change.";
      return why.focus();
    }
    try {
      await navigator.clipboard.writeText(line.textContent);
    } catch {
      getSelection().selectAllChildren(line); // where a page may not write to the clipboard
      document.execCommand("copy");
    }
    done.textContent = status.textContent = "Copied.";
  };
  const line = h("code");
  const done = h("span", { class: "sub", "aria-hidden": "true" });
  const cells = ROWS.map(() => ["here", "inforce", "change"].map((name) => h("td", { class: name })));
  const named = h("th", { scope: "col" });
  const sides = [0, 1].map(() => [0, 1, 2].map(() => h("td")));
  const [jumps, says, bandsSay] = ["span", "p", "div"].map((tag) => h(tag));
  const [plot, numbers] = ["plot", "scale"].map((name) => h("div", { class: name, "aria-hidden": "true" }));
  const here = svg("line", { y1: 0, y2: 100, class: "mark" });
  const choice = h(
    "select",
    { change: () => choose(Number(choice.value)) },
    ...parts.map(({ name }, i) => h("option", { value: i }, name)),
  );

  /** Show a part, at the threshold nearest to some points. */
  const choose = (index, points) => {
    const kept = points ?? (part && stops[place]);
    part = parts[(choice.value = index)];
    [table, stops] = [unpack(part), stopsOf(part)];
    range.max = stops.length - 1;
    says.textContent = part.says;
    plot.replaceChildren(picture(table, stops, data.bands, part.inForce, here));
    numbers.replaceChildren(...scale(stops, kind));
    model.set("part", parts.length > 1 ? part.name : null);
    move(placeOf(stops, kept ?? part.inForce));
  };
  const go = (label, points) =>
    h("button", { type: "button", click: () => move(placeOf(stops, points)) }, `${label}: ${text(points)}`);

  /** Show a place among the stops. */
  const move = (to) => {
    place = Math.max(0, Math.min(stops.length - 1, to));
    const points = stops[place];
    const [now, force] = [points, part.inForce].map((at) => confusion(table, at));
    const [ours, theirs] = [now, force].map((at) => figures(at, days, costs));
    range.value = place;
    score.value = text(points);
    here.setAttribute("x1", place);
    here.setAttribute("x2", place);
    named.textContent = `in force, ${text(part.inForce)}`;
    ROWS.forEach(([name, , digits], i) => {
      const [a, b] = [ours[name], theirs[name]];
      const shown = [written(a, digits), written(b, digits), written(a - b, digits, true)];
      cells[i].forEach((cell, j) => (cell.textContent = shown[j]));
    });
    const counts = [
      [now.tp, now.fp, now.unknown],
      [now.fn, now.tn, now.unknownBelow],
    ];
    sides.forEach((side, i) => side.forEach((cell, j) => (cell.textContent = written(counts[i][j], 0))));
    const inside = ({ low, high }) => (points >= low && points <= high ? "lies in it" : "lies outside it");
    bandsSay.replaceChildren(
      ...data.bands.map((band) => h("p", { class: band.name }, `${band.says} ${text(points)} ${inside(band)}.`)),
    );
    line.textContent = command(data.model, part, text(points), why.value.trim() || "...");
    done.textContent = "";
    const calls = `${written(ours.alerts, 1)} alerts a day`;
    const rates = `precision ${written(ours.precision, 3)}, recall ${written(ours.recall, 3)}`;
    range.setAttribute("aria-valuetext", `${text(points)}, ${calls}`);
    clearTimeout(resting); // what is told and kept waits until the hand rests
    resting = setTimeout(() => {
      const least = costs ? [["cheapest", cheapest(table, stops, costs)]] : [];
      const marks = data.marks.filter((mark) => mark.name !== "in force");
      const all = [["in force", part.inForce], ...marks.map((m) => [m.name, m.points]), ...least];
      jumps.replaceChildren(...all.map((jump) => go(...jump)));
      status.textContent = `At ${text(points)}: ${calls}, ${rates}.`;
      model.set("at", points);
      model.save_changes();
    }, 600);
  };

  const legend = [...LINES.map((name, i) => [name, ROWS[4 + i][1]]), ["inforce", "in force"]];
  el.classList.add("slider");
  el.replaceChildren(
    h("p", { class: "sub" }, data.says),
    ...(parts.length > 1 ? [h("label", {}, "Events of ", choice)] : []),
    says,
    h("p", { class: "legend" }, ...legend.map(([name, title]) => h("span", { class: name }, title))),
    h("div", { class: "around" }, plot, range, numbers),
    h("div", { class: "row" }, h("label", {}, "Threshold ", score), jumps),
    h(
      "div",
      { class: "tables" },
      h(
        "table",
        {},
        h("caption", {}, "What it would have done"),
        h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "here"), named, h("th", { scope: "col" }, "difference"))),
        h("tbody", {}, ...ROWS.map(([, title], i) => row(title, cells[i]))),
      ),
      h(
        "table",
        {},
        h("caption", {}, "Events by known label"),
        head("", "positive", "negative", "no label"),
        h("tbody", {}, row("at or above", sides[0]), row("below", sides[1])),
      ),
    ),
    bandsSay,
    h(
      "fieldset",
      {},
      h("legend", {}, "What it costs, in one unit"),
      h("div", { class: "row" }, ...prices.map((price) => price[2])),
    ),
    h("p", { class: "row change" }, h("label", {}, "To change it, say why ", why)),
    h("div", { class: "row change" }, line, h("button", { type: "button", click: copy }, "Copy"), done),
    status,
  );
  const asked = parts.findIndex(({ name }) => name === model.get("part"));
  choose(Math.max(0, asked), model.get("at"));
}

/** What a page is asked for behind its `#`, and keeps there: a link leads back to a threshold. */
const onPage = (el) => {
  const kept = new URLSearchParams(location.hash.slice(1));
  const priced = COSTS.every(([name]) => Number(kept.get(name) ?? NaN) >= 0);
  const state = {
    data: JSON.parse(el.dataset.slider),
    at: kept.get("at") && Number.isFinite(Number(kept.get("at"))) ? Number(kept.get("at")) : null,
    part: kept.get("part"),
    costs: priced ? Object.fromEntries(COSTS.map(([name]) => [name, Number(kept.get(name))])) : null,
  };
  return {
    get: (name) => state[name],
    set: (name, value) => (state[name] = value),
    save_changes: () => {
      const { at, part, costs } = state;
      const told = Object.entries({ at, part, ...costs }).filter(([, value]) => value != null);
      history.replaceState(null, "", `#${new URLSearchParams(told)}`);
    },
  };
};

for (const el of globalThis.document?.querySelectorAll("[data-slider]") ?? []) {
  render({ model: onPage(el), el });
}

export default { render };
