// Every threshold of a model at once: counts in, figures out, and a slider over them.
//
// First arithmetic, which knows no page; then what draws: `render({model, el})`. Behind it comes what
// calls that, of a report's page, which has no server (page.js), or of a widget (widget.js).

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

/** Figures over some days; NaN where nothing can be divided. Costs are of labelled events. */
export const figures = ({ alerts, tp, fp, fn, tn }, days, costs = {}) => ({
  alerts: alerts / days,
  tp,
  fn,
  fp,
  precision: tp / (tp + fp),
  recall: tp / (tp + fn),
  fpr: fp / (tn + fp),
  cost: (costs.missed * fn + (costs.false * fp + costs.review * (tp + fp))) / days,
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
  // of those near to 1 there are few
  while (onLadder(p, kind) < points - 0.4999) p = Math.fround(p + 2 ** -24);
  for (let digits = 3; digits < 10; digits++) {
    const text = p < 0.1 ? p.toPrecision(digits) : p.toFixed(digits);
    if (Math.abs(onLadder(Number(text), kind) - points) < 0.49) return text;
  }
  return String(p);
};

/** A word for a shell. */
const quoted = (word) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;

/** The command that proposes a threshold, of a part where it is none of all. */
export const command = (model, { tenant, site }, score, why) => {
  const given = Object.entries({ model, tenant, site, why }).filter(([, value]) => value);
  const options = given.map(([name, value]) => `--${name}=${quoted(value)}`);
  // a score below zero would be taken for an option
  const words = score.startsWith("-") ? [...options, "--", score] : [score, ...options];
  return ["aiops-wb thresholds propose", ...words].join(" ");
};

// What draws. The frame is fixed; names and figures are set as text: none becomes an element.

const RATES = { precision: "Precision", recall: "Recall", fpr: "False positive rate" };
const ROWS = {
  score: "Threshold",
  alerts: "Alerts a day",
  tp: "Positives caught",
  fn: "Positives missed",
  fp: "False positives",
  ...RATES,
  cost: "Cost a day",
};
const DIGITS = { alerts: 1, tp: 0, fn: 0, fp: 0, cost: 1 }; // 3 of a rate
const SIDES = { above: "at or above", below: "below" };
const BANDS = { flat: "costs the same", promise: "promised" };
const COSTS = { missed: "a missed positive", false: "a false alert", review: "a review" };
const COST_NAMES = Object.keys(COSTS);
const OTHER_COSTS = "At other costs aiops-wb thresholds choose says which of them cost the same.";
const TICKS = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1e9, End: 1e9 };

const each = (names, html) =>
  Object.entries(names)
    .map(([name, title]) => html(name, title))
    .join("");
const row = (name, title) =>
  `<tr data-row="${name}"><th scope="row">${title}</th><td></td><td></td><td></td></tr>`;
const sheet = (name, caption, names, rows) =>
  `<table class="${name}"><caption>${caption}</caption>
  <thead><tr><td></td>${names.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead>
  <tbody>${each(rows, row)}</tbody></table>`;
const FRAME = `
<p class="sub" data-says></p>
<label data-parts>Events of <select></select></label>
<p data-part></p>
<p class="legend">${each(
  { ...RATES, ...BANDS, inforce: "in force" },
  (name, title) => `<span class="${name}">${title}</span>`,
)}</p>
<div class="around">
  <div class="plot" aria-hidden="true"><svg preserveAspectRatio="none">
    ${each(BANDS, (name) => `<rect class="${name}" height="100"/>`)}
    <path class="half"/><line class="inforce" y2="100"/>
    ${each(RATES, (name) => `<path class="${name}"/>`)}<line class="mark" y2="100"/>
  </svg></div>
  <input type="range" min="0" step="1" autocomplete="off" aria-label="threshold">
  <div class="scale" aria-hidden="true"></div>
</div>
<div class="row">
  <label>Threshold <input class="score" inputmode="decimal" size="9" autocomplete="off"></label>
  <span data-jumps></span>
</div>
<div class="tables">
  ${sheet("did", "What it would have done", ["here", "in force", "difference"], ROWS)}
  ${sheet("sides", "Events by known label", ["positive", "negative", "no label"], SIDES)}
</div>
${each(BANDS, (name) => `<p data-band="${name}"></p>`)}
<fieldset><legend>What it costs, in one unit</legend><div class="row">${each(
  COSTS,
  (name, title) =>
    `<label>${title} <input type="number" name="${name}" min="0" step="any"></label>`,
)}</div></fieldset>
<p class="row change"><label>To change it, say why <input class="why" maxlength="400"></label></p>
<p class="row change"><code></code><button type="button">Copy</button></p>
<p role="status" class="unseen"></p>`;

/** Draw a slider into `el`; `model` has `data`, and keeps `at` (points), `part` and `costs`.

Returns a function that tells what is shown now: `{ at, part, why }`. */
function render({ model, el }) {
  const data = model.get("data");
  const { kind, days, parts } = data;
  const given = data.costs ?? undefined;
  let costs = model.get("costs") ?? given;
  let part, table, stops, place, resting;

  el.classList.add("slider");
  el.innerHTML = FRAME;
  const find = (selector) => el.querySelector(selector);
  const say = (selector, text) => (find(selector).textContent = text);
  const put = (selector, attributes) =>
    Object.entries(attributes).forEach((pair) => find(selector).setAttribute(...pair));
  const fill = (name, texts) =>
    find(`[data-row=${name}]`)
      .querySelectorAll("td")
      .forEach((cell, i) => (cell.textContent = texts[i]));
  const made = (tag, text, properties) =>
    Object.assign(document.createElement(tag), { textContent: text, ...properties });
  const [range, score, choice] = ["[type=range]", ".score", "select"].map(find);
  const [why, line] = [".why", "code"].map(find);
  const prices = COST_NAMES.map((name) => find(`[name=${name}]`));
  const text = (points) => spelled(points, kind);

  /** What is told of a part, else of all of them. */
  const told = (name) => part[name] ?? data[name];

  /** A sentence about thresholds, and their ends; of none without a low one. */
  const band = (name) => {
    const { low, high, ...words } = told(name) ?? { says: "" };
    const others = name === "flat" && COST_NAMES.some((cost) => costs?.[cost] !== given?.[cost]);
    if (others) return { says: OTHER_COSTS, low: Infinity };
    return { ...words, low: low ?? Infinity, high: high ?? Infinity };
  };

  /** Rates over the stops, the bands, and scores below. */
  const draw = () => {
    const last = stops.length - 1;
    const rates = stops.map((at) => figures(confusion(table, at), days));
    put("svg", { viewBox: `0 0 ${last} 100` });
    put(".half", { d: `M0 50H${last}` });
    for (const name of Object.keys(RATES)) {
      const known = (i) => i >= 0 && !Number.isNaN(rates[i][name]);
      const y = (i) => (100 - 100 * rates[i][name]).toFixed(1);
      const to = (i) => `${known(i - 1) ? "L" : "M"}${i} ${y(i)}`;
      put(`path.${name}`, { d: stops.map((_, i) => (known(i) ? to(i) : "")).join("") });
    }
    for (const name of Object.keys(BANDS)) {
      const { low, high } = band(name);
      const [from, to] = [low, high].map((end) => Math.min(last, placeOf(stops, end ?? low)));
      find(`.legend .${name}`).hidden = low === Infinity;
      put(`rect.${name}`, { x: from, width: to - from });
    }
    const inForce = placeOf(stops, part.inForce);
    put("line.inforce", { x1: inForce, x2: inForce });
    const fifths = [1, 2, 3, 4].map((i) => stops[Math.round((last * i) / 5)]);
    const ticks = kind === "logit" ? TICKS : fifths.map((at) => scoreOf(at, kind).toFixed(1));
    const along = (tick) => placeOf(stops, pointsOf(tick, kind)) / last;
    find(".scale").replaceChildren(
      ...ticks
        .filter((tick) => Math.abs(along(tick) - 0.5) < 0.48)
        .map((tick) => made("span", tick, { style: `left:${100 * along(tick)}%` })),
    );
  };

  /** Show a part, at the stop at some points. */
  const choose = (index, points) => {
    part = parts[index];
    [table, stops] = [unpack(part), stopsOf(part)];
    [choice.value, range.max] = [index, stops.length - 1];
    say("[data-part]", part.says);
    draw();
    model.set("part", parts.length > 1 ? part.name : null);
    move(placeOf(stops, points));
  };

  /** Show a place among the stops. */
  const move = (to) => {
    place = Math.max(0, Math.min(stops.length - 1, to));
    const points = stops[place];
    const [now, then] = [points, part.inForce].map((at) => confusion(table, at));
    const [ours, theirs] = [now, then].map((counts) => figures(counts, days, costs));
    [range.value, score.value] = [place, text(points)];
    put("line.mark", { x1: place, x2: place });
    const apart = scoreOf(points, kind) - scoreOf(part.inForce, kind);
    fill("score", [text(points), text(part.inForce), written(apart, 3, true)]);
    for (const name of Object.keys(ours)) {
      const [a, b, digits] = [ours[name], theirs[name], DIGITS[name] ?? 3];
      fill(name, [written(a, digits), written(b, digits), written(a - b, digits, true)]);
    }
    fill("above", [now.tp, now.fp, now.unknown].map((n) => written(n, 0)));
    fill("below", [now.fn, now.tn, now.unknownBelow].map((n) => written(n, 0)));
    for (const name of Object.keys(BANDS)) {
      const { says, low, high, inside, outside } = band(name);
      const where = points >= low && points <= high ? inside : outside;
      say(`[data-band=${name}]`, low < Infinity ? `${says} ${text(points)} ${where}.` : says);
    }
    line.textContent = command(data.model, part, text(points), why.value.trim() || "...");
    const calls = `${written(ours.alerts, 1)} alerts a day`;
    range.setAttribute("aria-valuetext", `${text(points)}, ${calls}`);
    clearTimeout(resting); // what is told and kept waits until the hand rests
    resting = setTimeout(() => {
      const rates = `precision ${written(ours.precision, 3)}, recall ${written(ours.recall, 3)}`;
      say(".unseen", `At ${text(points)}: ${calls}, ${rates}.`);
      offer();
      model.set("at", points);
      model.set("costs", costs);
      model.save_changes();
    }, 600);
  };

  /** Buttons that lead to thresholds with a name. */
  const offer = () => {
    const least = costs ? [{ name: "cheapest", points: cheapest(table, stops, costs) }] : [];
    const named = [{ name: "in force", points: part.inForce }, ...(part.named ?? data.marks), ...least];
    const to = (points) => () => move(placeOf(stops, points));
    find("[data-jumps]").replaceChildren(
      ...named.map(({ name, points }) =>
        made("button", `${name}: ${text(points)}`, { type: "button", onclick: to(points) }),
      ),
    );
  };

  range.oninput = () => move(Number(range.value));
  range.onkeydown = (event) => {
    const page = Math.max(1, Math.round(stops.length / 20));
    const by = { ...KEYS, PageUp: page, PageDown: -page }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    move(place + by);
  };
  score.onchange = () => {
    const points = pointsOf(Number(score.value.replace(",", ".").trim() || NaN), kind);
    const above = placeOf(stops, points); // the nearer one of two
    const lower = above > 0 && !(stops[above] - points < points - stops[above - 1]);
    move(Number.isNaN(points) ? place : above - lower);
  };
  const priced = () => {
    const each = prices.map(({ name, value }) => [name, value === "" ? NaN : Number(value)]);
    costs = each.every(([, cost]) => cost >= 0) ? Object.fromEntries(each) : undefined;
    draw();
    move(place);
  };
  for (const field of prices) {
    field.value = costs?.[field.name] ?? "";
    field.oninput = priced;
  }
  why.oninput = () => move(place);
  choice.onchange = () => choose(Number(choice.value), stops[place]);
  find("button").onclick = async () => {
    if (!why.value.trim()) {
      say(".unseen", "Say why first: the reason is kept with the change.");
      return why.focus();
    }
    try {
      await navigator.clipboard.writeText(line.textContent);
    } catch {
      getSelection().selectAllChildren(line); // where a page may not write to the clipboard
      document.execCommand("copy");
    }
    say(".unseen", "Copied.");
  };

  say("[data-says]", data.says);
  find("[data-parts]").hidden = parts.length < 2;
  choice.append(...parts.map(({ name }, i) => made("option", name, { value: i })));
  const asked = () => Math.max(0, parts.findIndex(({ name }) => name === model.get("part")));
  choose(asked(), model.get("at") ?? parts[asked()].inForce);
  offer();
  model.on?.("change:part", () => part === parts[asked()] || choose(asked(), stops[place]));
  model.on?.("change:at", () => model.get("at") === stops[place] || choose(asked(), model.get("at")));
  return () => ({ at: stops[place], part: part.name, why: why.value.trim() });
}
