// The live numbers.

import { bars, latest, lines, perMinute, sum } from "./charts.js";
import { byId, el, keyed, setText } from "./dom.js";
import { stateColumn, table, textColumn, timeColumn } from "./table.js";
import { number, span, word } from "./words.js";

const KINDS = ["created", "failed", "rejected", "in_doubt"];
const tile = (name) => byId(`tile-${name}`);
const charts = {
  waiting: lines(tile("waiting"), ["one"]),
  flight: lines(tile("flight"), ["one"]),
  outcomes: bars(tile("outcomes"), KINDS),
  critical: lines(tile("critical"), ["one", "two"]),
  api: bars(tile("api"), ["created", "failed"]),
};
const checks = table(
  byId("checks"),
  [
    textColumn("check", ([name]) => name),
    stateColumn(([, check]) => check.state),
    textColumn("says", ([, check]) => check.words, "words"),
    timeColumn("since", ([, check]) => check.since),
  ],
  ([name]) => name,
);

/** A tile's number, and what else is to be said: texts, each with the colour that it has in the chart. */
function write(name, value, ...more) {
  setText(tile(name).querySelector(".value"), value);
  const make = ([kind]) => el("span", { class: kind ? `kind ${kind}` : "" });
  keyed(tile(name).querySelector(".more"), more, ([kind]) => kind, make, (node, [, words]) => setText(node, words));
}

const seconds = (value) => (value === null ? "none yet" : span(value));

function tellCharts({ series, waiting, in_flight, concurrency_limit }) {
  const step = series.step_s;
  write("waiting", number(waiting), ["", waiting === null ? "RabbitMQ cannot be asked" : "not yet taken by a worker"]);
  charts.waiting([series.waiting], step, `Waiting: now ${number(waiting)}`);
  write("flight", number(in_flight), ["", `of ${number(Math.floor(concurrency_limit))} at once`]);
  charts.flight([series.in_flight], step, `In flight: now ${number(in_flight)}`);
  const outcomes = KINDS.map((kind) => series[kind]);
  const minute = outcomes.map((values) => perMinute(values, step));
  const told = KINDS.map((kind, place) => `${number(minute[place])} ${word(kind)}`).join(", ");
  write("outcomes", number(sum(minute)), ...KINDS.map((kind, place) => [kind, `${number(minute[place])} ${word(kind)}`]));
  charts.outcomes(series.at, outcomes, `In the last minute: ${told}`);
  const [p50, p95] = [latest(series.critical_time_p50_s), latest(series.critical_time_p95_s)];
  write("critical", seconds(p50), ...(p95 === null ? [["", "from sent to outcome"]] : [["one", `half within ${seconds(p50)}`], ["two", `95 % within ${seconds(p95)}`]]));
  charts.critical([series.critical_time_p50_s, series.critical_time_p95_s], step, `Critical time: half within ${seconds(p50)}`, " s", 0.1);
  const [calls, errors] = [perMinute(series.api_calls, step), perMinute(series.api_errors, step)];
  const good = series.api_calls.map((value, place) => value - series.api_errors[place]);
  write("api", number(calls), ["created", `${number(calls - errors)} went well`], ["failed", `${number(errors)} went wrong`]);
  charts.api(series.at, [good, series.api_errors], `In the last minute: ${number(calls)} calls, ${number(errors)} went wrong`);
}

export const now = {
  id: "view-now",
  open() {},
  show(told) {
    tellCharts(told);
    const totals = { ...told.outcomes, "calls to the cloud": told.api.calls, "of them failed": told.api.errors, "told to slow down": told.api.throttled };
    const make = () => el("div", {}, el("dt"), el("dd"));
    keyed(byId("totals"), Object.entries(totals), ([name]) => name, make, (node, [name, value]) => {
      setText(node.children[0], word(name));
      setText(node.children[1], number(value));
    });
    checks.refresh(Object.entries(told.checks));
  },
};
