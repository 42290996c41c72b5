// What a page can do beyond links and forms: theme, keys, times in the reader's zone, copying, the palette.
// Everything here adds to markup that works without it. Behaviour hangs on data-* attributes.

const root = document.documentElement;
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const YEAR_S = 31536000;

// Theme

function setTheme(name) {
  root.dataset.theme = name;
  document.cookie = `theme=${name}; path=/; max-age=${YEAR_S}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  for (const button of all("[data-themes] button")) button.setAttribute("aria-pressed", String(button.value === name));
  document.dispatchEvent(new CustomEvent("theme"));
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-themes]") || !event.submitter) return;
  event.preventDefault();
  setTheme(event.submitter.value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("theme")));

// Paper is white: charts are drawn anew in light colours, and back afterwards

let themeOnScreen = "system";
addEventListener("beforeprint", () => {
  themeOnScreen = root.dataset.theme;
  root.dataset.theme = "light";
  document.dispatchEvent(new CustomEvent("theme"));
});
addEventListener("afterprint", () => {
  root.dataset.theme = themeOnScreen;
  document.dispatchEvent(new CustomEvent("theme"));
});

// Times: the server writes UTC; the exact time on hover is the reader's

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function localise(from) {
  for (const element of all("time[datetime]", from)) {
    const at = new Date(element.dateTime);
    if (element.dateTime.includes("T") && !Number.isNaN(at.valueOf())) element.title = exact.format(at);
  }
}

// Copying

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy] > button");
  if (!button) return;
  const text = one("pre, code, output, input", button.parentElement);
  try {
    await navigator.clipboard.writeText(text.value ?? text.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text);
    button.textContent = "Press Ctrl C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// Menus close when the reader goes elsewhere

document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("focusin", (event) => {
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// A clamped text says all of itself on hover; what of it is cut off is known only once it is laid out

document.addEventListener("mouseover", (event) => {
  const text = event.target.closest?.(".clamp, .menu > summary span, .chip b");
  if (!text || text.title) return;
  if (text.scrollHeight > text.clientHeight + 1 || text.scrollWidth > text.clientWidth + 1) text.title = text.textContent.trim();
});

// The headers of long lists stay below the filter bar, however many lines it has

function keepHeaders() {
  const bar = document.getElementById("bar");
  const isSticky = bar && getComputedStyle(bar).position === "sticky";
  document.body.style.setProperty("--bar", isSticky ? `${bar.offsetHeight - 1}px` : "0px");
  for (const list of all(".list-head + .table-wrap")) list.classList.toggle("is-whole", list.scrollWidth <= list.clientWidth);
}
new ResizeObserver(keepHeaders).observe(document.body);

// A request that a newer one replaces is no error, though htmx would write it into the console as one, twice

htmx.logger = (element, name, detail) => {
  if (name === "htmx:sendAbort" || name === "htmx:afterRequest") delete detail.error; // what fails is told by its own name too
};

// While results are fetched they are marked as busy; they keep their place, so nothing jumps

function setBusy(isBusy) {
  return (event) => { if (event.detail.target?.matches?.("#results, #plan-outlook")) event.detail.target.ariaBusy = String(isBusy); };
}
document.addEventListener("htmx:beforeRequest", setBusy(true));
document.addEventListener("htmx:afterRequest", setBusy(false));

// Filters: what is default stays out of the URL; a chip that is removed empties its control

document.addEventListener("htmx:configRequest", (event) => {
  const form = event.detail.elt.closest?.("[data-filters]");
  if (!form) return;
  const sent = event.detail.parameters;
  const isPreset = Boolean(form.elements.window?.value);
  for (const name of [...sent.keys?.() ?? Object.keys(sent)]) {
    const control = form.elements[name];
    if (sent[name] === "" || (control?.dataset && sent[name] === control.dataset.default)) delete sent[name];
    else if (isPreset && (name === "since" || name === "until")) delete sent[name];
  }
});
document.addEventListener("change", (event) => {
  const picker = event.target.closest(".picker");
  if (picker && event.target.dataset.default !== undefined && event.target.matches("select")) {
    picker.classList.toggle("picker-set", event.target.value !== event.target.dataset.default);
  }
});

function syncFilters() {
  const form = one("[data-filters]");
  if (!form) return;
  const params = new URLSearchParams(location.search);
  for (const control of all("select, input[type=search], input[type=hidden]", form)) {
    if (control.name === "window" && params.has("since")) continue;
    const value = params.get(control.name) ?? control.dataset.default ?? "";
    if (control === document.activeElement || control.value === value) continue;
    control.value = value;
    control.closest(".picker")?.classList.toggle("picker-set", control.matches("select") && value !== control.dataset.default);
  }
  syncMenus(params);
  for (const name of ["by", ...[...params.keys()].filter((key) => /^sort(-|$)/.test(key))]) {
    if (!params.get(name) || form.elements[name]) continue;
    const kept = Object.assign(document.createElement("input"), { type: "hidden", name, value: params.get(name) });
    form.append(kept);
  }
}

// The menus of dates and views stay open while results are swapped; what they send along follows the address.
function syncMenus(params) {
  for (const field of all("#more input[name=query]")) field.value = location.search;
  const dates = one("#more form[method=get]");
  if (!dates) return;
  for (const kept of all("input[type=hidden]", dates)) kept.remove();
  for (const [name, value] of params) {
    if (["window", "since", "until", "page"].includes(name)) continue;
    dates.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
}

// Keys

const KEYS = "trophycase.keys";
let waitsForPlace = 0;
const keysAreOn = () => localStorage.getItem(KEYS) !== "off";
const isTyping = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
  if (id === "palette") showPalette(dialog);
}

function rows() {
  return all("#results tbody tr").filter((row) => one("a.name, tbody th a, td a", row) && row.offsetParent !== null);
}

function moveRow(step) {
  const list = rows();
  if (!list.length) return;
  const at = list.findIndex((row) => row.classList.contains("is-current"));
  const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  for (const row of list) row.classList.toggle("is-current", row === next);
  const target = one("a.name, th a, td a", next);
  target.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function stepWindow(step) {
  const select = document.getElementById("pick-window");
  if (!select) return;
  const index = select.selectedIndex + step;
  if (index < 0 || index >= select.options.length) return;
  select.selectedIndex = index;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function toggleCompare() {
  const select = document.getElementById("pick-compare");
  if (!select) return;
  select.selectedIndex = 1 - select.selectedIndex;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function toggleData() {
  const tables = all("[data-table]");
  const opens = tables.some((table) => !table.open);
  for (const table of tables) table.open = opens;
}

const ACTIONS = {
  "/": () => one("#q, [data-search]")?.focus(),
  "?": () => openDialog("keys"),
  g: () => { waitsForPlace = Date.now(); },
  j: () => moveRow(1),
  k: () => moveRow(-1),
  "[": () => stepWindow(-1),
  "]": () => stepWindow(1),
  c: toggleCompare,
  d: toggleData,
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && document.getElementById("palette")) {
    event.preventDefault();
    openDialog("palette");
    return;
  }
  if (event.key === "Escape") return escape(event);
  if (!keysAreOn() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || one("dialog[open]")) return;
  if (Date.now() - waitsForPlace < 1500) {
    waitsForPlace = 0;
    const place = one(`[data-go="${CSS.escape(event.key)}"]`);
    if (place) { event.preventDefault(); place.click(); }
    return;
  }
  const act = ACTIONS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

function escape(event) {
  if (one("dialog[open]")) return;
  const menu = one("details.menu[open]");
  if (menu) { menu.open = false; one("summary", menu).focus(); return; }
  if (isTyping(event.target)) { event.target.blur(); return; }
  if (keysAreOn()) document.getElementById("chip-clear")?.click();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) openDialog(opener.dataset.open);
  if (event.target.matches("dialog")) event.target.close();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-switch]")) localStorage.setItem(KEYS, event.target.checked ? "on" : "off");
});

// Palette: pages at once, tests as they are found

let asked = 0;
let asking;

function showPalette(dialog) {
  const input = one("input", dialog);
  input.value = "";
  fillPalette(dialog, pagesLike(""));
  one("[role=status]", dialog).textContent = "Type to find a test.";
  input.focus();
}

const pagesLike = (text) => all("[data-go]")
  .map((link) => ({ title: link.firstChild.textContent.trim(), home: "page", url: link.href }))
  .filter((item) => item.title.toLowerCase().includes(text.toLowerCase()));

function fillPalette(dialog, found) {
  const list = one("[role=listbox]", dialog);
  list.replaceChildren(...found.map((item, index) => {
    const option = document.createElement("a");
    option.href = item.url;
    option.id = `palette-${index}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(index === 0));
    option.tabIndex = -1;
    const title = Object.assign(document.createElement("span"), { className: "name", textContent: item.title, dir: "auto" });
    const home = Object.assign(document.createElement("span"), { className: "home", textContent: item.home, dir: "auto" });
    option.append(title, home);
    return option;
  }));
  one("input", dialog).setAttribute("aria-activedescendant", found.length ? "palette-0" : "");
}

async function findTests(dialog, text) {
  const turn = ++asked;
  const status = one("[role=status]", dialog);
  const pages = pagesLike(text);
  fillPalette(dialog, pages);
  if (text.length < 2) return;
  status.textContent = "Searching…";
  try {
    const answer = await fetch(`${dialog.dataset.tests}?format=json&size=25&window=90d&branch=*&limit=12&q=${encodeURIComponent(text)}`);
    if (!answer.ok) throw new Error(String(answer.status));
    const tests = (await answer.json()).rows;
    if (turn !== asked) return;
    fillPalette(dialog, [...pages, ...tests.map((test) => ({ title: test.test, home: test.home, url: test.url }))]);
    status.textContent = tests.length ? `${tests.length} tests` : "No test of the last 90 days has this in its name.";
  } catch {
    if (turn === asked) status.textContent = "The search did not answer. Try again.";
  }
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "palette-q") return;
  clearTimeout(asking);
  asking = setTimeout(() => findTests(event.target.closest("dialog"), event.target.value.trim()), 120);
});
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "palette-q") return;
  const options = all("#palette-list [role=option]");
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "Enter" && options[at]) { event.preventDefault(); options[at].click(); }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !options.length) return;
  event.preventDefault();
  const next = (at + step + options.length) % options.length;
  options.forEach((option, index) => option.setAttribute("aria-selected", String(index === next)));
  options[next].scrollIntoView({ block: "nearest" });
  event.target.setAttribute("aria-activedescendant", options[next].id);
});

// Beginning, and again after each swap

// The navigation of a phone is scrolled to where the reader is, and nothing else with it.
function showPlace() {
  const here = one("#places [aria-current]");
  const list = here?.closest("ul");
  if (!list) return;
  const off = here.getBoundingClientRect().left - list.getBoundingClientRect().left;
  list.scrollLeft += off - (list.clientWidth - here.offsetWidth) / 2;
}

function prepare(from) {
  localise(from);
  keepHeaders();
  showPlace();
  for (const element of all("[data-nojs]", from)) element.hidden = true;
  for (const box of all("[data-keys-switch]", from)) box.checked = keysAreOn();
}

prepare(document);
document.addEventListener("htmx:afterSettle", (event) => {
  document.getElementById("announced")?.remove(); // the server answers again
  prepare(event.detail.elt ?? document);
});
document.addEventListener("htmx:pushedIntoHistory", syncFilters);
document.addEventListener("htmx:responseError", (event) => announce(`The server answered ${event.detail.xhr.status}. Reload the page, or try again.`));
document.addEventListener("htmx:sendError", () => announce("The server did not answer. Check the connection and try again."));

function announce(sentence) {
  document.getElementById("announced")?.remove();
  const note = Object.assign(document.createElement("p"), { id: "announced", className: "note note-error", textContent: sentence });
  note.setAttribute("role", "alert");
  document.getElementById("main").prepend(note);
}
