// What the kit's pieces do beyond HTML. Pages work without it, except for live updates.
(() => {
  "use strict";
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);

  // --- Copying. In a frame of a foreign page the clipboard may be closed to us; the old way
  // still works there.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "unseen";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  const toast = (text) => {
    const box = document.createElement("div");
    box.className = "toast";
    box.textContent = text;
    find("[data-toasts]")?.append(box);
    setTimeout(() => box.remove(), 2500);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await copy(button.dataset.copy);
    toast(button.dataset.said);
    button.focus();
  });

  // --- Whoever comes to a field with an error is about to type another value.
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches('input[aria-invalid="true"]')) target.select();
  });

  // --- Times. The server wrote "5 s ago"; we go on counting in its words and by its clock.
  const skew = Date.now() - Number(root.dataset.now);
  const ago = (root.dataset.ago ?? "").split("|");
  const ahead = (root.dataset.in ?? "").split("|");
  const units = [[60e3, 1e3], [3600e3, 60e3], [86400e3, 3600e3], [7 * 86400e3, 86400e3]];

  const relative = (at) => {
    const past = Date.now() - skew - at;
    const span = Math.abs(past);
    if (span < 1e3) return root.dataset.just;
    const i = units.findIndex(([limit]) => span < limit);
    return i < 0 ? null : (past < 0 ? ahead : ago)[i].replace("#", Math.floor(span / units[i][1]));
  };

  if (!("still" in root.dataset)) {
    setInterval(() => {
      for (const time of document.querySelectorAll("time[data-ago]")) {
        const text = relative(Date.parse(time.dateTime));
        if (text && text !== time.textContent) time.textContent = text;
      }
    }, 1000);
  }

  document.addEventListener("mouseover", ({ target }) => {
    const time = target.closest?.("time[datetime]");
    if (!time) return;
    const [utc] = time.title.split(" · ");
    const here = new Date(time.dateTime).toLocaleString(root.lang, { dateStyle: "medium", timeStyle: "medium" });
    time.title = `${utc} · ${here} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
  });

  // --- Diagrams: an arrow shows its payload while it is pointed at or has the focus, until
  // the next one; a click holds it, and the address remembers which, unless the page keeps
  // something else there. Where there are several diagrams, each shows one of its own.
  let shown = /^#x-/.test(location.hash) ? location.hash.slice(1) : "";
  let held = shown !== "";

  const show = () => {
    const diagram = document.getElementById(shown)?.closest("[data-diagram]") ?? document;
    for (const arrow of diagram.querySelectorAll(".arrow")) arrow.classList.toggle("current", arrow.dataset.shows === shown);
    for (const panel of diagram.querySelectorAll(".panel")) panel.classList.toggle("shown", panel.id === shown);
  };

  const arrowAt = (target) => target.closest?.(".arrow[data-shows]");

  for (const type of ["mouseover", "focusin"]) {
    document.addEventListener(type, ({ target }) => {
      const arrow = arrowAt(target);
      const here = document.getElementById(shown)?.closest("[data-diagram]") === arrow?.closest("[data-diagram]");
      if (!arrow || (held && here && type === "mouseover")) return;
      held &&= here;
      shown = arrow.dataset.shows;
      show();
    });
  }

  document.addEventListener("click", (event) => {
    const arrow = arrowAt(event.target);
    if (!arrow) return;
    event.preventDefault();
    held = !(held && shown === arrow.dataset.shows);
    shown = arrow.dataset.shows;
    if (!("ownHash" in root.dataset)) history.replaceState(history.state, "", held ? `#${shown}` : location.pathname + location.search);
    show();
  });

  if (shown) show();

  // --- Live parts.
  const live = (state) => { for (const mark of document.querySelectorAll("[data-live]")) mark.dataset.live = state; };
  let connected = "";
  const connection = (state) => () => live(connected = state);
  document.addEventListener("htmx:sse:after:connection", connection("on"));
  document.addEventListener("htmx:sse:error", connection("lost"));
  // The row whose link the page's address is, since live parts do not know what is open here.
  const markRow = () => {
    for (const link of document.querySelectorAll("[data-row]")) {
      const row = link.closest("tr");
      if (link.pathname === location.pathname && link.search === location.search) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  };

  document.addEventListener("htmx:after:swap", () => {
    if (connected) live(connected);
    if (shown) show(); // the new part does not know
    markRow();
  });
  document.addEventListener("htmx:after:history:push", markRow);

  // Filters leave nothing in the address that does not filter.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (!target.matches(".filters")) return;
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });

  // --- Keys.
  const keys = find("[data-keys]");
  if (!keys) return; // not in a frame: the page around it has keys of its own

  find("[data-keys-open]")?.addEventListener("click", () => keys.showModal());

  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());

  const actions = {
    "/": () => find("[data-search]")?.focus(),
    "?": () => keys.showModal(),
    j: () => move(1),
    k: () => move(-1),
  };

  const move = (step) => {
    const all = rows();
    const now = all.indexOf(document.activeElement);
    const next = now < 0 ? all[0] : all[now + step];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (event.key === "Escape") {
      if (document.activeElement?.matches("input, select, textarea")) document.activeElement.blur();
      else find("[data-close]")?.click();
      return;
    }
    if (event.target.matches?.("input:not([type=radio]), select, textarea") || !(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });
})();
