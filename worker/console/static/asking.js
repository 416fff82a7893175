// Asks before something is done, and says what was done.

import { byId, setText, show } from "./dom.js";

let hiding = 0;

/** Whether somebody says yes; Escape and No say no. */
export function confirmed(words, yes) {
  const ask = byId("ask");
  setText(byId("ask-words"), words);
  setText(byId("ask-yes"), yes);
  ask.returnValue = "no";
  ask.showModal();
  return new Promise((resolve) => ask.addEventListener("close", () => resolve(ask.returnValue === "yes"), { once: true }));
}

export function done(words) {
  const node = byId("done");
  setText(node, words);
  show(node, true);
  clearTimeout(hiding);
  hiding = setTimeout(() => show(node, false), 10_000);
}
