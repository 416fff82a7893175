// Dead letters: by reason, each of them, replayed on request.

import { confirmed, done } from "./asking.js";
import { byId, el, keyed, setAttribute, setText, show } from "./dom.js";
import { get, post } from "./link.js";
import { place } from "./requests.js";
import { table, tellTrouble, textColumn, timeColumn, walkable } from "./table.js";
import { count, number, word } from "./words.js";

const chosen = new Set();
const columns = [
  {
    name: "select",
    make: (cell) => cell.append(el("input", { type: "checkbox" })),
    fill(cell, letter) {
      const box = cell.firstChild;
      box.disabled = !letter.may_replay;
      box.checked = chosen.has(letter.id);
      setAttribute(box, "aria-label", `Select ${letter.request ?? letter.id}`);
      box.onchange = () => {
        box.checked ? chosen.add(letter.id) : chosen.delete(letter.id);
        tellChosen();
      };
    },
  },
  textColumn("reason", (letter) => word(letter.reason), "short"),
  {
    name: "request",
    kind: "name",
    make: (cell) => cell.append(el("a", {}, el("bdi"))),
    fill(cell, letter) {
      setText(cell.firstChild.firstChild, letter.request ?? "(no id)");
      // What was rejected never got into the ledger: there is no page to open.
      setAttribute(cell.firstChild, "href", letter.request && letter.reason !== "rejected" ? place(letter.request, letter.source) : null);
    },
  },
  textColumn("source", (letter) => letter.source),
  timeColumn("died", (letter) => letter.died_at),
  textColumn("replays", (letter) => letter.replays || "", "number"),
  textColumn("error", (letter) => letter.error, "words"),
];
const list = table(byId("letters"), columns, (letter) => letter.id);
let query = new URLSearchParams();
walkable(list.body);

function tellChosen() {
  const button = byId("replay-chosen");
  button.disabled = chosen.size === 0;
  setText(button, chosen.size ? `Replay ${number(chosen.size)} selected` : "Replay selected");
}

function tellReasons(told) {
  const all = { reason: "", count: told.read };
  const make = () => el("a", {}, el("span"), " ", el("span", { class: "count" }));
  keyed(byId("reasons"), told.read ? [all, ...told.reasons] : [], (one) => one.reason || "all", make, (node, one) => {
    setText(node.children[0], word(one.reason) || "all");
    setText(node.children[1], number(one.count));
    setAttribute(node, "href", one.reason ? `#/letters?${new URLSearchParams({ reason: one.reason })}` : "#/letters");
    setAttribute(node, "aria-current", (query.get("reason") ?? "") === one.reason ? "true" : null);
  });
  const reason = query.get("reason");
  show(byId("replay-reason"), Boolean(reason) && told.total > 0 && reason !== "foreign");
  setText(byId("replay-reason"), reason ? `Replay all ${word(reason)}` : "");
}

function tell(told) {
  tellReasons(told);
  const there = new Set(told.letters.map((letter) => letter.id));
  for (const id of chosen) if (!there.has(id)) chosen.delete(id);
  list.refresh(told.letters);
  tellChosen();
  show(byId("letters"), told.letters.length > 0);
  show(byId("letters-none"), told.read === 0);
  const cut = told.is_cut ? `; only the oldest ${number(told.read)} are looked at` : "";
  setText(byId("letters-count"), told.total ? `${number(told.letters.length)} of ${number(told.total)} shown${cut}` : "");
}

async function replay(body, words) {
  if (!(await confirmed(`${words} Each is done again as a new try; what was created is not created twice.`, "Replay"))) return;
  try {
    const { replayed, left } = await post("replay", body);
    chosen.clear();
    const why = left.length ? `; ${count(left.length, "letter")} left: ${left[0].why}` : "";
    done(`${count(replayed.length, "request")} replayed${why}.`);
    await letters.ask(undefined);
  } catch (trouble) {
    tellTrouble(byId("letters-trouble"), trouble);
  }
}

byId("replay-chosen").addEventListener("click", () => replay({ letters: [...chosen] }, `Replay ${count(chosen.size, "request")}?`));
byId("replay-reason").addEventListener("click", () => {
  const reason = query.get("reason");
  replay({ reason }, `Replay every letter with the reason “${word(reason)}”?`);
});

export const letters = {
  id: "view-letters",
  open(wanted) {
    if (wanted.toString() !== query.toString()) {
      chosen.clear();
      list.refresh([]);
    }
    query = wanted;
    tellTrouble(byId("letters-trouble"), null);
  },
  async ask(signal) {
    try {
      tell(await get("letters", { reason: query.get("reason"), limit: "200" }, signal));
      tellTrouble(byId("letters-trouble"), null);
    } catch (trouble) {
      if (!signal?.aborted) tellTrouble(byId("letters-trouble"), trouble);
      throw trouble;
    }
  },
};
