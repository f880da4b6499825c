// Search from any page: Ctrl K opens it, results come while one types, arrows and Enter choose. Without this file the field
// in the heading is a form like any other.
"use strict";

const PAUSE = 120, PATIENCE = 10_000;
const form = document.getElementById("find");

if (form) {
  const field = form.elements.q, list = document.createElement("ul");
  let timer = 0, asked = null;
  list.id = "hits";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Found");
  form.append(list);
  form.querySelector("kbd").hidden = false;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-controls": "hits", "aria-expanded": "false", "aria-autocomplete": "list" })) field.setAttribute(name, value);

  const options = () => [...list.querySelectorAll("a")];
  const show = (open) => {
    list.hidden = !open;
    field.setAttribute("aria-expanded", String(open));
    if (!open) choose(null);
  };
  const choose = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    if (option) {
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else field.removeAttribute("aria-activedescendant");
  };
  const chosen = () => options().find((one) => one.getAttribute("aria-selected") === "true");

  const link = (number, address, ...words) => {
    const item = document.createElement("li"), option = document.createElement("a");
    item.setAttribute("role", "presentation");
    option.href = address;
    option.id = `hit-${number}`;
    option.tabIndex = -1;
    option.setAttribute("role", "option");
    for (const [style, text] of words) {
      const part = document.createElement("span");
      part.className = style;
      part.textContent = text;
      option.append(part);
    }
    item.append(option);
    return item;
  };

  // What the page of a name is at: as the server writes addresses.
  const place = (...parts) => `/${parts.map((part) => encodeURIComponent(part).replaceAll(".json", "%2Ejson")).join("/")}`;

  const fill = (page) => {
    if (document.activeElement !== field) return; // who went on wants no list any more
    const items = [];
    if (page.commit) items.push(link(0, place("versions", page.commit), ["kind", "commit"], ["name", page.commit]));
    for (const kind of page.kinds) {
      for (const row of kind.rows) {
        const where = row.field ? [["field", `${row.field} ${row.value}`]] : [];
        items.push(link(items.length, place("resources", kind.kind.toLowerCase(), row.name), ["kind", kind.kind], ["name", row.name], ...where));
      }
    }
    if (page.found) items.push(link(items.length, `/search?q=${encodeURIComponent(page.search)}`, ["all", `all ${page.found.toLocaleString("en")} found`]));
    list.replaceChildren(...items);
    show(items.length > 0);
  };

  const look = async () => {
    const text = field.value.trim();
    asked?.abort();
    if (!text) return show(false);
    const mine = asked = new AbortController();
    const late = setTimeout(() => mine.abort(), PATIENCE);
    try {
      const answer = await fetch(`/search.json?q=${encodeURIComponent(text)}`, { signal: mine.signal });
      if (answer.ok) fill(await answer.json());
    } catch { // superseded, too late or unreachable: Enter still asks for the page, which says what is wrong
      if (mine === asked) show(false);
    } finally { clearTimeout(late); }
  };

  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, PAUSE); });
  field.addEventListener("keydown", (event) => {
    const all = options(), at = all.indexOf(chosen());
    if (event.key === "Escape") {
      clearTimeout(timer);
      asked?.abort();
      if (!list.hidden) { show(false); event.preventDefault(); }
    }
    else if (event.key === "Enter" && at >= 0) { event.preventDefault(); location.assign(all[at].href); }
    else if (["ArrowDown", "ArrowUp"].includes(event.key) && all.length && !list.hidden) {
      event.preventDefault();
      choose(all[(at + (event.key === "ArrowDown" ? 1 : all.length + (at < 0 ? 0 : -1))) % all.length]);
    }
  });
  form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) show(false); });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });
}
