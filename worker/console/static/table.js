// Tables that are updated in place, and are cards on a phone.

import { el, keyed, setAttribute, setText, show } from "./dom.js";
import { sentence, setTime, word } from "./words.js";

const POINTING_MS = 5_000;

/**
 * A table; `refresh(items)` makes it tell them.
 *
 * A column is {name, make(cell), fill(cell, item)}: `make` puts in what `fill` changes. Roles are written out: a browser
 * forgets them where the style sheet makes cards of the rows.
 */
export function table(node, columns, keyOf) {
  setAttribute(node, "role", "table");
  const heads = columns.map((column) => el("th", { scope: "col", role: "columnheader", class: column.kind ?? "" }, column.name));
  const body = el("tbody", { role: "rowgroup" });
  node.append(el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)), body);

  function make() {
    const row = el("tr", { role: "row" });
    for (const column of columns) {
      const cell = el("td", { role: "cell", "data-label": column.name, class: column.kind ?? "" });
      column.make?.(cell);
      row.append(cell);
    }
    return row;
  }

  function update(row, item) {
    columns.forEach((column, place) => column.fill(row.children[place], item));
  }

  const refresh = (items) => keyed(body, items, keyOf, make, update);
  return { body, heads, refresh, update };
}

/** A column of plain text, kept apart from the direction of what is around it. */
export function textColumn(name, tell, kind = "") {
  return {
    name,
    kind,
    make: (cell) => cell.append(el("bdi")),
    fill(cell, item) {
      setText(cell.firstChild, tell(item));
      cell.classList.toggle("empty", !cell.firstChild.textContent);
    },
  };
}

export function stateColumn(tell) {
  return {
    name: "state",
    make: (cell) => cell.append(el("span")),
    fill(cell, item) {
      setText(cell.firstChild, word(tell(item)));
      cell.firstChild.className = `tag ${tell(item)}`;
    },
  };
}

export function timeColumn(name, tell) {
  return {
    name,
    kind: "time",
    make: (cell) => cell.append(el("time", { class: "ago" })),
    fill: (cell, item) => setTime(cell.firstChild, tell(item)),
  };
}

/** Tells whether somebody is about to point at a row: then none may move. A pointer that rests there is no such. */
export function pointing(body) {
  let movedAt = -Infinity;
  body.addEventListener("pointermove", () => (movedAt = performance.now()));
  return () => body.matches(":hover") && performance.now() - movedAt < POINTING_MS;
}

/** Up and down go from row to row. */
export function walkable(body) {
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step || event.target.matches("select, [type=text]")) return;
    const next = event.target.closest("tr")?.[step]?.querySelector(`a, input, button`);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

/** A place for what went wrong with a view: words, and what helps. */
export function tellTrouble(node, trouble) {
  show(node, Boolean(trouble) && !trouble.isLost);
  if (trouble) setText(node, `${trouble.message} ${sentence(trouble.remedy)}`.trim());
}
