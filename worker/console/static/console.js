// The page: which view is shown, the header, and what is asked all the time.

import { byId, el, keyed, setAttribute, setText, setWords, show } from "./dom.js";
import { letters } from "./letters.js";
import { Trouble, get, logOut, openSession, poll, session } from "./link.js";
import { now } from "./now.js";
import { request } from "./request.js";
import { requests } from "./requests.js";
import { number, sentence, setClock, setTime, tick } from "./words.js";

const NOW_MS = 2_000;
const LIST_MS = 5_000;
const views = { now, requests, followed: requests, request, letters };
let polling = null;
let wasLost = false;
let moves = 0;
let cameFrom = null; // the link that opened a request

/** The view and its query, as the address says. */
function route() {
  const [, name = "now", query = ""] = /^#\/(\w+)\??(.*)$/.exec(location.hash) ?? [];
  return { name: name in views ? name : "now", query: new URLSearchParams(query) };
}

/** One request belongs to the list of them. */
const mark = (link, name) => (link === name ? "page" : link === "requests" && name === "request" ? "true" : null);

function open() {
  const { name, query } = route();
  const view = views[name];
  for (const section of document.querySelectorAll("main > section")) show(section, section.id === view.id);
  for (const link of document.querySelectorAll("nav a")) setAttribute(link, "aria-current", mark(link.dataset.view, name));
  polling?.stop();
  view.open(query, name);
  polling = view.ask ? poll(LIST_MS, (signal) => view.ask(signal)) : null;
}

function tellPill(words, isWell) {
  const state = byId("state"); // its role tells a screen reader
  setText(state, words);
  state.className = `pill ${isWell ? "well" : "ill"}`;
}

function tellState(told) {
  const failing = Object.entries(told.checks).filter(([, check]) => check.state !== "ok");
  const words = told.ready ? "ready" : told.paused ? "paused" : "not ready";
  tellPill(words, told.ready);
  show(byId("troubles"), failing.length > 0);
  const make = () => el("li", {}, el("strong"), " ", el("bdi"), " ", el("em"));
  keyed(byId("troubles").firstElementChild, failing, ([name]) => name, make, (node, [name, check]) => {
    setText(node.children[0], `${name}:`);
    setText(node.children[1], check.words);
    setWords(node.children[2], sentence(check.remedy ?? ""));
  });
  setText(byId("count-dead"), told.dead ? number(told.dead) : "");
  setText(byId("count-followed"), told.followed ? number(told.followed) : "");
}

async function askNow(signal) {
  try {
    const told = await get("now", {}, signal);
    if (wasLost) await meet();
    setClock(told.at);
    setTime(byId("fresh"), told.at);
    tellState(told);
    now.show(told);
    lost(false);
  } catch (trouble) {
    if (trouble instanceof Trouble && trouble.status !== 401) lost(trouble.isLost);
    if (trouble.status === 503) tellPill("starting or stopping", false);
    throw trouble;
  }
}

function lost(isLost) {
  show(byId("lost"), isLost);
  if (isLost) tellPill("no answer", false);
  if (wasLost && !isLost) document.dispatchEvent(new Event("console:back"));
  wasLost = isLost;
}

async function meet() {
  await openSession();
  const { worker } = session;
  setText(byId("worker"), `${worker.version} on ${worker.host}, process ${worker.pid}`);
  show(byId("logout"), session.needs_login);
}

/** Where the keyboard is after a move: in the search it stays, back from a request it is where it was. */
function land() {
  if (byId("search").contains(document.activeElement)) return;
  if (cameFrom?.isConnected && route().name !== "request") {
    cameFrom.focus();
    cameFrom = null;
    return;
  }
  scrollTo(0, 0);
  byId("main").focus({ preventScroll: true });
}

function goBack() {
  if (moves) history.back();
  else location.hash = "#/requests";
}

function goSearch() {
  if (!byId("view-requests").hidden) {
    byId("q").select();
    return;
  }
  addEventListener("hashchange", () => byId("q").focus(), { once: true });
  location.hash = "#/requests";
}

async function begin() {
  try {
    await meet();
  } catch (trouble) {
    if (trouble.status === 401) return;
    lost(true);
  }
  addEventListener("hashchange", () => {
    moves += 1;
    open();
    land();
  });
  open();
  poll(NOW_MS, askNow);
  setInterval(tick, 1000);
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    goSearch();
  }
  if (event.key === "Escape" && !byId("view-request").hidden && !byId("ask").open) goBack();
});
byId("main").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link?.hash.startsWith("#/request?")) cameFrom = link;
});
byId("logout").addEventListener("click", () => logOut().catch(() => location.reload()));
begin();
