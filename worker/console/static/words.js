// Times and numbers as people read them.

import { setAttribute, setText } from "./dom.js";

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const STATES = { ready: "to be sent", sent: "sent", looking: "looking", in_doubt: "in doubt", delivery_limit: "delivery limit" };
let aheadMs = 0; // this browser's clock before the worker's

/** Notes what time it is at the worker. */
export function setClock(iso) {
  aheadMs = Date.now() - Date.parse(iso);
}

export function number(value) {
  return value === null || value === undefined ? "?" : NUMBER.format(value);
}

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** A state or reason as a word. */
export const word = (name) => STATES[name] ?? name;

/** A remedy as a sentence of its own. */
export function sentence(words) {
  return words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".") : "";
}

/** A span of time: "45 s", "3 min", "2 h", "9 d". */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return `${Math.round(size * 1000)} ms`;
  if (size < 10) return `${NUMBER.format(size)} s`;
  if (size < 90) return `${Math.round(size)} s`;
  if (size < 5400) return `${Math.round(size / 60)} min`;
  return size < 129_600 ? `${Math.round(size / 3600)} h` : `${Math.round(size / 86_400)} d`;
}

export function ago(iso) {
  const seconds = (Date.now() - aheadMs - Date.parse(iso)) / 1000;
  if (seconds < -1) return `in ${span(seconds)}`;
  return seconds < 1 ? "now" : `${span(Math.floor(seconds))} ago`;
}

/** Date and time of day, UTC. */
export function exact(iso) {
  return Number.isNaN(Date.parse(iso)) ? iso : `${new Date(iso).toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

/** Makes a `time` element tell how long ago it was; `tick` keeps it true. */
export function setTime(node, iso) {
  if (!iso) {
    node.removeAttribute("datetime");
    setText(node, "");
    return;
  }
  if (node.dateTime !== iso) {
    node.dateTime = iso;
    setAttribute(node, "title", exact(iso));
  }
  setText(node, ago(iso));
}

export function tick() {
  for (const node of document.querySelectorAll("time.ago[datetime]")) setText(node, ago(node.dateTime));
}
