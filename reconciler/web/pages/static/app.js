// What makes pages live: on news, and now and then, the page is fetched again, and what differs in it is put in place.
// Without this file every page works; it just stays as it was when it was asked for.
"use strict";

const EVERY = 30_000, ALONE = 5_000, FIRST = 1_500, SETTLE = 150, DEADLINE = 20_000;
const said = document.getElementById("live");
const banner = document.getElementById("unreachable");
let tag = null, timer = 0, asking = false, again = "", reason = "", away = null, streaming = false;

const clock = (moment) => `${moment.toISOString().slice(11, 19)} UTC`;
const soon = (pause, why = "") => {
  clearTimeout(timer);
  reason = why;
  timer = setTimeout(() => refresh(why), pause);
};

function ago(seconds) {
  for (const [size, unit] of [[86_400, "d"], [3_600, "h"], [60, "min"]]) {
    if (Math.abs(seconds) >= size) {
      const number = Math.floor(Math.abs(seconds) / size);
      return seconds > 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
    }
  }
  return seconds >= 0 ? "just now" : "in a moment";
}

// Beside UTC stands the time of the zone that somebody chose, at first that of the browser.
const OFF = "UTC";
let zone = remembered() || Intl.DateTimeFormat().resolvedOptions().timeZone || OFF;

function remembered() {
  try { return localStorage.getItem("zone"); } catch { return null; }
}

function localize(time) {
  const at = time.querySelector(".at"), shown = time.querySelector(".zone") || document.createElement("span");
  if (!at) return;
  if (zone === OFF) return shown.remove();
  shown.className = "zone";
  const day = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false };
  const words = `${new Intl.DateTimeFormat("en-GB", { ...day, timeZone: zone }).format(new Date(time.dateTime))} ${zone.split("/").pop().replaceAll("_", " ")}`;
  if (shown.textContent !== words) shown.textContent = words;
  if (!shown.isConnected) at.after(" ", shown);
}

// In the foot of a page with times: which zone it is.
function offerZones() {
  const foot = document.querySelector(".foot p:last-child");
  if (!foot || !document.querySelector("time[datetime] .at")) return;
  const label = document.createElement("label"), choice = document.createElement("select");
  const browser = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
  for (const name of new Set([OFF, browser, zone, ...all])) if (name) choice.add(new Option(name, name, false, name === zone));
  choice.addEventListener("change", () => {
    zone = choice.value;
    try { localStorage.setItem("zone", zone); } catch { /* it is for this page alone then */ }
    age();
  });
  label.append("Time beside UTC ", choice);
  foot.prepend(label, " · ");
}

function age() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    localize(time);
    const words = time.querySelector(".ago"), now = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (words && words.textContent !== now) words.textContent = now;
  }
}

// How to find an element again in a page that was made anew.
function trace(element, inside) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const name = element.tagName.toLowerCase();
  const href = element.getAttribute("href");
  const selector = href ? `${name}[href="${CSS.escape(href)}"]` : name;
  return [selector, [...inside.querySelectorAll(selector)].indexOf(element)];
}

function found(where, inside) {
  if (typeof where === "string") return document.querySelector(where);
  const all = inside.querySelectorAll(where[0]);
  return all[where[1]] || all[0];
}

// What stands open stays open, what has the focus keeps it, what was scrolled stays where it was.
function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? trace(document.activeElement, old) : null;
  const scrolled = [...old.querySelectorAll(".scroll, pre, bdi")].map((one) => [one.scrollLeft, one.scrollTop]);
  for (const open of old.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  const place = [scrollX, scrollY];
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll, pre, bdi").forEach((one, index) => {
    const [left, top] = scrolled[index] || [0, 0];
    if (left || top) one.scrollTo(left, top);
  });
  if (focused) (found(focused, fresh) || document.getElementById("main")).focus({ preventScroll: true });
  scrollTo(...place);
}

// Only what the server says is live is replaced: forms, and what is typed in them, are not.
function take(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const changed = [];
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh && plain(fresh) !== plain(old)) {
      replace(old, document.importNode(fresh, true));
      changed.push(old.id);
    }
  }
  document.title = page.title;
  return changed;
}

// The words that `age` changes, and what somebody has opened, are no difference.
function plain(element) {
  const copy = element.cloneNode(true);
  for (const words of copy.querySelectorAll("time .ago")) words.textContent = "";
  for (const words of copy.querySelectorAll("time .zone")) {
    if (words.previousSibling?.nodeType === Node.TEXT_NODE) words.previousSibling.remove();
    words.remove();
  }
  copy.normalize();
  for (const open of copy.querySelectorAll("details[open]")) open.removeAttribute("open");
  return copy.outerHTML;
}

async function refresh(why) {
  if (asking) {
    again = why || again || " ";
    return;
  }
  asking = true;
  const text = await fetched();
  asking = false;
  const next = again;
  again = "";
  soon(next ? SETTLE : streaming && !away ? EVERY : ALONE, next);
  if (!away) tell(text ? take(text) : [], why);
  age();
}

// The page as it is now; nothing when it is what it was, or cannot be had.
async function fetched() {
  const headers = { Accept: "text/html", ...(tag && { "If-None-Match": tag }) };
  try {
    const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(DEADLINE) });
    const text = await answer.text();
    reached();
    if (!answer.ok) return "";
    tag = answer.headers.get("ETag");
    return text;
  } catch {
    unreached();
    return "";
  }
}

// News is told even when an earlier refresh has brought what it speaks of already.
function tell(changed, why) {
  const standing = [...document.querySelectorAll("#standing .pill")].map((one) => one.textContent).join(", ");
  const words = why.trim() || (changed.includes("standing") ? standing : "");
  if (words) said.textContent = `Updated at ${clock(new Date())}: ${words}`;
}

function reached() {
  if (away) said.textContent = `This host answers again, since ${clock(new Date())}`;
  away = null;
  banner.hidden = true;
}

function unreached() {
  if (away) return;
  away = new Date();
  banner.textContent = `This host cannot be reached since ${clock(away)}. What is shown here may be old.`;
  banner.hidden = false;
}

const news = document.body.dataset.news.split(" ");
const words = { applied: "a commit went live", refused: "a commit was refused", drift: "drift" };

// A stream that breaks comes back by itself; one that was refused does not.
function listen() {
  const stream = new EventSource("/v1/watch");
  stream.onopen = () => { streaming = true; soon(tag ? SETTLE : FIRST); };
  stream.onerror = () => {
    streaming = false;
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, EVERY);
    soon(SETTLE);
  };
  for (const event of news) stream.addEventListener(event, () => soon(SETTLE, words[event] || reason));
  addEventListener("pagehide", () => stream.close());
}

if (document.querySelector("[data-live]")) {
  listen();
  for (const change of ["online", "offline"]) addEventListener(change, () => soon(0));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(age, 30_000);
}
offerZones();
age();
