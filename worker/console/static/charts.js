// Small charts of the last quarter of an hour, drawn as SVG.

import { keyed, setAttribute, setText, svg } from "./dom.js";
import { number } from "./words.js";

const WIDTH = 180;
const HEIGHT = 40;
const WINDOW_S = 900;
const BARS = 15;

/** Lines over each other, one a kind; values are null where nothing is known. */
export function lines(figure, kinds) {
  const { top, drawing } = begin(figure);
  const paths = kinds.map((kind) => drawing.appendChild(svg("path", { class: `line ${kind}` })));
  return (series, stepS, words, unit = "", floor = 1) => {
    const known = series.flat().filter((value) => value !== null);
    const most = Math.max(floor, ...known);
    series.forEach((values, place) => setAttribute(paths[place], "d", path(values, stepS, most)));
    setText(top, `${number(most)}${unit}`);
    setAttribute(drawing, "aria-label", words);
  };
}

/** A bar a minute, the kinds on top of each other. */
export function bars(figure, kinds) {
  const { top, drawing } = begin(figure);
  return (at, series, words) => {
    const minutes = byMinute(at, series);
    const most = Math.max(1, ...minutes.map((minute) => sum(minute.counts)));
    keyed(drawing, minutes, (minute) => minute.key, () => bar(kinds), (node, minute) => drawBar(node, minute, kinds, most));
    setText(top, number(most));
    setAttribute(drawing, "aria-label", words);
  };
}

export const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);

/** How many in the last minute. */
export const perMinute = (values, stepS) => sum(values.slice(-Math.round(60 / stepS)));

/** The latest value that is known, or null. */
export const latest = (values) => values.findLast((value) => value !== null) ?? null;

function begin(figure) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  figure.querySelector(".chart").append(drawing);
  return { top: figure.querySelector(".top"), drawing };
}

function path(values, stepS, most) {
  const steps = WINDOW_S / stepS - 1;
  let isDown = false;
  let drawn = "";
  values.forEach((value, place) => {
    if (value === null) {
      isDown = false;
      return;
    }
    const x = WIDTH * (1 - (values.length - 1 - place) / steps);
    const y = HEIGHT - 1 - ((HEIGHT - 2) * value) / most;
    drawn += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${isDown ? "" : "h.01"}`; // a lone value is a dot
    isDown = true;
  });
  return drawn;
}

function byMinute(at, series) {
  const last = at.length ? Math.floor(Date.parse(at.at(-1)) / 60_000) : 0;
  const minutes = Array.from({ length: BARS }, (_, place) => ({
    key: String(last - BARS + 1 + place),
    place,
    counts: series.map(() => 0),
  }));
  at.forEach((moment, step) => {
    const place = Math.floor(Date.parse(moment) / 60_000) - last + BARS - 1;
    if (place >= 0) series.forEach((values, kind) => (minutes[place].counts[kind] += values[step] ?? 0));
  });
  return minutes;
}

function bar(kinds) {
  return svg("g", {}, svg("title"), ...kinds.map((kind) => svg("rect", { class: kind, width: WIDTH / BARS - 2 })));
}

function drawBar(node, minute, kinds, most) {
  let y = HEIGHT;
  minute.counts.forEach((many, kind) => {
    const height = (HEIGHT * many) / most;
    y -= height;
    const rect = node.children[kind + 1];
    setAttribute(rect, "x", (WIDTH / BARS) * minute.place + 1);
    setAttribute(rect, "y", y.toFixed(2));
    setAttribute(rect, "height", height.toFixed(2));
  });
  const when = new Date(Number(minute.key) * 60_000).toISOString().slice(11, 16);
  const told = minute.counts.map((many, kind) => `${many} ${kinds[kind].replace("_", " ")}`);
  setText(node.firstChild, `${when} UTC: ${told.join(", ")}`);
}
