// The list of requests, searched and paged; the followed services are the same list.

import { byId, el, setAttribute, setText, show } from "./dom.js";
import { get } from "./link.js";
import { pointing, stateColumn, table, tellTrouble, textColumn, timeColumn, walkable } from "./table.js";

/** The address of one request. */
export const place = (id, source) => `#/request?${new URLSearchParams(source ? { id, source } : { id })}`;

const columns = [
  {
    name: "request",
    kind: "name",
    make: (cell) => cell.append(el("a", {}, el("bdi"))),
    fill(cell, row) {
      setText(cell.firstChild.firstChild, row.request);
      setAttribute(cell.firstChild, "href", place(row.request, row.source));
    },
  },
  textColumn("source", (row) => row.source),
  stateColumn((row) => row.state),
  textColumn("service", (row) => row.service, "id"),
  textColumn("status", (row) => row.status, "status"),
  textColumn("order", (row) => row.order, "short"),
  timeColumn("came", (row) => row.recorded_at),
  textColumn("tries", (row) => row.attempts, "number"),
  textColumn("error", (row) => row.message, "words"),
];
const list = table(byId("requests"), columns, (row) => JSON.stringify([row.source, row.request]));
let query = new URLSearchParams();
let name = "requests";
const isPointedAt = pointing(list.body);
walkable(list.body);

function address(changes) {
  const wanted = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) value ? wanted.set(key, value) : wanted.delete(key);
  return `#/${name}${wanted.size ? `?${wanted}` : ""}`;
}

function nothing() {
  if (query.get("q") || query.get("state")) return "No request fits.";
  return name === "followed" ? "No service is being followed now." : "There are no requests yet.";
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = address({ q: byId("q").value.trim(), state: byId("of-state").value, before: "" });
});
byId("q").addEventListener("keydown", (event) => {
  const first = list.body.querySelector("a");
  if (event.key !== "ArrowDown" || !first) return;
  event.preventDefault();
  first.focus();
});
byId("of-state").addEventListener("change", () => byId("search").requestSubmit());

export const requests = {
  id: "view-requests",
  open(wanted, as) {
    const isOther = as !== name || wanted.toString() !== query.toString();
    [query, name] = [wanted, as];
    setText(byId("requests-title"), as === "followed" ? "Followed services" : "Requests");
    byId("q").value = wanted.get("q") ?? "";
    byId("of-state").value = wanted.get("state") ?? "";
    show(byId("state-label"), as !== "followed");
    if (isOther) list.refresh([]);
    tellTrouble(byId("requests-trouble"), null);
  },
  async ask(signal) {
    // Whoever points at a row must not have it move away.
    if (isPointedAt() && list.body.children.length && !query.get("before")) return;
    const asked = { ...Object.fromEntries(query), followed: name === "followed" ? "1" : "", limit: "50" };
    try {
      const told = await get("requests", asked, signal);
      list.refresh(told.requests);
      show(byId("requests"), told.requests.length > 0);
      setText(byId("requests-none"), nothing());
      show(byId("requests-none"), !told.requests.length);
      show(byId("older"), told.next !== null);
      show(byId("newest"), query.has("before"));
      setAttribute(byId("older"), "href", address({ before: told.next }));
      setAttribute(byId("newest"), "href", address({ before: "" }));
      tellTrouble(byId("requests-trouble"), null);
    } catch (trouble) {
      if (!signal.aborted) tellTrouble(byId("requests-trouble"), trouble);
      throw trouble;
    }
  },
};
