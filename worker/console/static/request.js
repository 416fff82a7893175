// One request: what is known of it, its history step by step, and resolving it when it is in doubt.

import { confirmed, done } from "./asking.js";
import { byId, el, keyed, setAttribute, setText, setWords, show } from "./dom.js";
import { get, post } from "./link.js";
import { tellTrouble } from "./table.js";
import { exact, setTime, span, word } from "./words.js";

const FACTS = ["state", "source", "service", "status", "order", "tenant", "router", "attempts", "replays", "code", "http_status", "api_request_id", "existing_service_id"];
const TIMES = ["recorded_at", "due_at", "deadline_at", "expires_at"]; // the history tells the others
const OPEN = new Set(["ready", "sent", "looking"]);
const NAMES = { recorded_at: "came", due_at: "next step", existing_service_id: "in the way", attempts: "tries" };
let query = new URLSearchParams();
let shown = null;

const nameOf = (key) => NAMES[key] ?? key.replace(/_at$/, "").replaceAll("_", " ");

function tellFacts(told) {
  const facts = FACTS.filter((key) => told[key] !== null && told[key] !== undefined && told[key] !== 0);
  const times = TIMES.filter((key) => told[key] && (key === "recorded_at" || OPEN.has(told.state)));
  const make = (key) => el("div", {}, el("dt"), el("dd", {}, ...(TIMES.includes(key) ? [el("time", { class: "ago" }), el("small")] : [el("bdi")])));
  keyed(byId("request-facts"), [...facts, ...times], (key) => key, make, (node, key) => {
    setText(node.children[0], nameOf(key));
    const value = node.children[1].firstChild;
    if (TIMES.includes(key)) {
      setTime(value, told[key]);
      setText(node.children[1].lastChild, exact(told[key]));
    } else setText(value, key === "state" ? word(told[key]) : told[key]);
  });
}

function tellHistory(moments) {
  const items = moments.map((moment, number) => ({ ...moment, number, gap: number ? (Date.parse(moment.at) - Date.parse(moments[number - 1].at)) / 1000 : null }));
  const make = () => el("li", {}, el("time"), " ", el("span", { class: "gap" }), " ", el("div", {}, el("strong"), " ", el("bdi"), " ", el("small")));
  keyed(byId("history"), items, (item) => String(item.number), make, (node, item) => {
    const [time, gap, told] = node.children;
    const [what, words, detail] = told.children;
    setAttribute(time, "datetime", item.at);
    setText(time, exact(item.at).replace(" UTC", ""));
    setText(gap, item.gap === null ? "" : `+${span(item.gap)}`);
    setText(what, item.what);
    setText(words, item.words);
    setText(detail, Object.entries(item.detail ?? {}).map(([key, value]) => `${key.replaceAll("_", " ")} ${value}`).join(", "));
  });
}

function tell({ request: told, history }) {
  shown = told;
  setText(byId("request-id"), told.request);
  setWords(byId("request-next").lastElementChild, told.next);
  const error = byId("request-error");
  show(error, Boolean(told.message));
  setText(error, told.message);
  tellFacts(told);
  tellHistory(history);
  setText(byId("request-asked"), JSON.stringify(told.asked, null, 2));
  show(byId("request-service-part"), Boolean(told.vpnservice) || told.evidence.length > 0);
  setText(byId("request-service"), JSON.stringify(told.vpnservice ?? told.evidence, null, 2));
  show(byId("resolve"), told.state === "in_doubt");
}

byId("resolve").addEventListener("submit", async (event) => {
  event.preventDefault();
  const isCreated = event.target.elements.how.value === "created";
  const service = byId("resolve-service").value.trim();
  if (isCreated && !service) {
    byId("resolve-service").focus();
    tellTrouble(byId("resolve-trouble"), { message: "Which service? Give its id.", remedy: "" });
    return;
  }
  const words = isCreated ? `was created as service ${service}` : "was not created";
  if (!(await confirmed(`Say that ${shown.request} ${words}?`, "Resolve"))) return;
  const body = { request: shown.request, source: shown.source, created: isCreated ? service : null, unchecked: byId("resolve-unchecked").checked };
  try {
    const told = await post("resolve", body);
    tellTrouble(byId("resolve-trouble"), null);
    done(`${told.request}: ${told.words}.`);
    await request.ask(undefined);
  } catch (trouble) {
    tellTrouble(byId("resolve-trouble"), trouble);
  }
});

export const request = {
  id: "view-request",
  open(wanted) {
    if (wanted.toString() !== query.toString()) {
      show(byId("request-told"), false);
      byId("resolve").reset();
      tellTrouble(byId("resolve-trouble"), null);
    }
    query = wanted;
    setText(byId("request-id"), wanted.get("id"));
    tellTrouble(byId("request-trouble"), null);
    setAttribute(byId("request-told"), "aria-busy", "true");
  },
  async ask(signal) {
    try {
      tell(await get("request", Object.fromEntries(query), signal));
      show(byId("request-told"), true);
      setAttribute(byId("request-told"), "aria-busy", null);
      tellTrouble(byId("request-trouble"), null);
    } catch (trouble) {
      if (!signal?.aborted) tellTrouble(byId("request-trouble"), trouble);
      throw trouble;
    }
  },
};
