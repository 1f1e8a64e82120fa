/** What a page is asked for behind its `#`, and keeps there: a link leads back to a threshold. */
const onPage = (el) => {
  const kept = new URLSearchParams(location.hash.slice(1));
  const at = Number(kept.get("at") || NaN);
  const state = { data: JSON.parse(el.dataset.slider), part: kept.get("part"), at };
  if (Number.isNaN(at)) delete state.at;
  return {
    get: (name) => state[name],
    set: (name, value) => (state[name] = value),
    save_changes: () => {
      const { at, part } = state;
      history.replaceState(null, "", `#${new URLSearchParams(part ? { part, at } : { at })}`);
    },
  };
};

for (const el of globalThis.document?.querySelectorAll("[data-slider]") ?? []) {
  render({ model: onPage(el), el });
}
