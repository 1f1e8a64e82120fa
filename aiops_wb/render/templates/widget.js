/** What the slider calls the traits of the widget. */
const TRAITS = { data: "_data", at: "points", part: "segment", costs: "_costs" };

const LIGHT = ["light", "light-theme", "vscode-light", "vscode-high-contrast-light"];
const DARK = ["dark", "dark-theme", "vscode-dark", "vscode-high-contrast"];
const ANSWERED_BY = 60_000; // ms

/** Whether the page around is dark, as JupyterLab, VS Code or marimo say it; else as the system. */
const isDark = ({ documentElement, body }) => {
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  const said = [documentElement, body].flatMap((el) => [...el.classList, el.dataset.theme]);
  const says = (words) => words.some((word) => said.includes(word));
  return !says(LIGHT) && (says(DARK) || matchMedia("(prefers-color-scheme:dark)").matches);
};

/** Keep an element as light or dark as the page around it; returns what ends that. */
const followTheme = (el) => {
  const dress = () => (el.dataset.theme = isDark(document) ? "dark" : "light");
  const [watch, system] = [new MutationObserver(dress), matchMedia("(prefers-color-scheme:dark)")];
  for (const page of [document.documentElement, document.body])
    watch.observe(page, { attributes: true });
  system.addEventListener("change", dress);
  dress();
  return () => {
    watch.disconnect();
    system.removeEventListener("change", dress);
  };
};

/** A widget's model under the names of the slider. */
const named = (model) => ({
  get: (name) => model.get(TRAITS[name]),
  set: (name, value) => value === null || model.set(TRAITS[name], value ?? null),
  on: (event, act) => model.on(event.replace(/\w+$/, (name) => TRAITS[name]), act),
  save_changes: () => model.save_changes(),
});

/** The slider as a widget: what it shows is proposed by a button. */
function explore({ model, el }) {
  const made = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const [host, slider] = [made("div"), made("div")];
  host.dataset.lmSuppressShortcuts = "true"; // keys are the slider's, not commands of JupyterLab
  host.onkeydown = (event) => event.stopPropagation(); // nor of any other host
  host.attachShadow({ mode: "open" }).append(made("style", { textContent: STYLE }), slider);
  el.append(host);
  const shown = render({ model: named(model), el: slider });

  const why = slider.querySelector(".why");
  const button = made("button", { type: "button", className: "propose", textContent: "Propose" });
  const answer = made("p", { className: "answer", textContent: model.get("said") });
  answer.setAttribute("role", "status");
  const row = why.closest(".row");
  row.append(button);
  row.after(answer);

  let waits; // for an answer
  const say = (text) => {
    waits = clearTimeout(waits);
    answer.textContent = text;
  };
  button.onclick = () => {
    if (waits) return;
    const { at, part, why: reason } = shown();
    if (!reason) {
      say("Say why first: the reason is kept with the proposal.");
      return why.focus();
    }
    say("Handing it in ...");
    waits = setTimeout(say, ANSWERED_BY, "The kernel has not answered: is it running?");
    model.send({ propose: { points: at, segment: part, why: reason } });
  };
  model.on("msg:custom", ({ said }) => say(said));
  return followTheme(host);
}

export default { render: explore };
