// The report's filter, language and theme. All of it lives in the hash of the address, so that
// a link shows what its sender saw, also from a file.
(() => {
  "use strict";
  const root = document.documentElement;
  const form = document.querySelector("[data-filters]");
  const checks = [...document.querySelectorAll(".check")];
  const areas = [...document.querySelectorAll("[data-area]")];
  const first = root.lang;
  const titles = new Map([...document.querySelectorAll("title[lang]")].map((title) => [title.lang, title.textContent]));

  // An address that ends in #INT-LOST-04 names a check, as the links of the page do.
  const read = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    return document.getElementById(hash)?.matches(".check") ? new URLSearchParams({ check: hash }) : new URLSearchParams(location.hash.slice(1));
  };
  let state = read();

  const write = () => {
    for (const [name, value] of [...state]) if (value === "") state.delete(name);
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  };

  // --- Language: texts are switched by the stylesheet, attributes and the title here.
  const speak = (lang) => {
    root.lang = lang;
    document.title = titles.get(lang) ?? document.title;
    for (const name of ["title", "aria-label", "placeholder", "data-said", "data-name"]) {
      const other = `data-other-${name}`;
      for (const element of document.querySelectorAll(`[${other}]`)) {
        const said = element.getAttribute(name);
        element.setAttribute(name, element.getAttribute(other));
        element.setAttribute(other, said);
      }
    }
  };

  // --- Filter. What a check says is looked up in both languages.
  const texts = checks.map((check) =>
    [check.querySelector("summary"), ...check.querySelectorAll(".facts")].map((part) => part.textContent).join(" ").toLowerCase());

  const filter = () => {
    const chosen = (name) => (state.get(name) ?? "").split(",").filter(Boolean);
    const [states, severities, protocols] = [chosen("state"), chosen("severity"), chosen("protocol")];
    const words = (state.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (list, value) => list.length === 0 || list.includes(value);
    let shown = 0;
    checks.forEach((check, i) => {
      const { state: outcome, severity, protocol } = check.dataset;
      const yes = fits(states, outcome) && fits(severities, severity) && fits(protocols, protocol) && words.every((word) => texts[i].includes(word));
      check.hidden = !yes;
      shown += yes;
    });
    for (const area of areas) area.hidden = !area.querySelector(".check:not([hidden])");
    document.querySelector("[data-shown]").textContent = shown;
    document.querySelector("[data-none]").hidden = shown > 0;
  };

  // --- From the address to the page.
  const apply = () => {
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = (state.get(box.name) ?? "").split(",").includes(box.value);
    if (form.q.value !== (state.get("q") ?? "")) form.q.value = state.get("q") ?? "";
    const lang = state.get("lang") === "ru" || state.get("lang") === "en" ? state.get("lang") : first;
    if (lang !== root.lang) speak(lang);
    root.dataset.theme = ["light", "dark"].includes(state.get("theme")) ? state.get("theme") : "auto";
    for (const choice of document.querySelectorAll("[data-set]")) {
      const [name, value] = choice.dataset.set.split("=");
      if (value === (name === "lang" ? root.lang : root.dataset.theme)) choice.setAttribute("aria-current", "true");
      else choice.removeAttribute("aria-current");
    }
    filter();
  };

  // reveal shows a check that an address names, whatever the filter says.
  const reveal = () => {
    const check = state.get("check") && document.getElementById(state.get("check"));
    if (!check?.matches(".check")) return;
    check.hidden = check.closest("[data-area]").hidden = false;
    check.open = true;
    check.scrollIntoView();
  };

  addEventListener("hashchange", () => {
    const kept = state;
    state = read();
    if (state.size === 1 && state.has("check")) state = new URLSearchParams([...[...kept].filter(([name]) => name !== "check"), ...state]);
    write();
    apply();
    reveal();
  });

  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-set]");
    if (choice) {
      event.preventDefault();
      state.set(...choice.dataset.set.split("="));
      write();
      apply();
    }
    const summary = event.target.closest(".check > summary");
    if (summary) { // it opens or closes after this
      const { id, open } = summary.parentElement;
      if (!open) state.set("check", id);
      else if (state.get("check") === id) state.delete("check");
      write();
    }
  });

  form.addEventListener("input", () => {
    for (const name of ["state", "severity", "protocol"]) {
      state.set(name, [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value).join(","));
    }
    state.set("q", form.q.value.trim());
    write();
    filter();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  apply();
  reveal();
})();
