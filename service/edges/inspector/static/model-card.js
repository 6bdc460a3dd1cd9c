/** What a model is, and how well it does, in words. The service's own words are English. */

import { element } from "./elements.js";
import { say, sayIfKnown } from "./texts.js";
import { withUnit } from "./words.js";

/** @import {Layer, Model, Score} from "./model.js" */
/** @import {Key} from "./texts.js" */
/** @typedef {[Key, Node | string]} Fact */

/** @param {Model} model @returns {Node[]} */
export function modelCard(model) {
  const provider = model.provider.replace("ExecutionProvider", "");
  /** @type {Fact[]} */
  const facts = [
    ["model.task", inEnglish(model.task)],
    ["model.input", inEnglish(model.takes)],
    ["model.output", inEnglish(model.gives)],
    ...layersOf(model),
    ...sessionsOf(model),
    ["model.version", say("model.version-on", { version: model.version, provider })],
  ];
  const list = facts.flatMap(([name, fact]) => [element("dt", {}, say(name)), element("dd", {}, fact)]);
  /** @type {Node[]} */
  const nodes = [element("dl", { className: "facts" }, ...list), ...model.scores.map(scoreTable)];
  if (model.report !== null) {
    const link = element("a", { href: model.report.replace(/^\//, "") }, say("model.report"));
    nodes.push(element("p", {}, link));
  }
  return nodes;
}

/** @param {string} text */
function inEnglish(text) {
  return element("span", { lang: "en" }, text);
}

/** @param {Model} model @returns {Fact[]} */
function layersOf({ layers }) {
  if (layers.length === 0) {
    return [];
  }
  const resets = new Set(layers.map(({ reset }) => sayIfKnown(`model.reset.${reset}`, reset)));
  const units = layers.map(unitsOf).join(" + ");
  return [
    ["model.layers", say("model.layer-units", { units })],
    ["model.reset", [...resets].join("; ")],
  ];
}

/** Where a session is not what one would expect. @param {Model} model @returns {Fact[]} */
function sessionsOf({ sessions, reason, window, delay }) {
  if (!sessions) {
    return [["model.sessions", say("model.sessions-none", { reason: reason ?? "" })]];
  }
  if (window !== null) {
    return [["model.sessions", say("model.sessions-window", { window })]];
  }
  return delay > 0 ? [["model.sessions", say("model.sessions-late", { delay })]] : [];
}

/** @param {Layer} layer */
function unitsOf({ hidden_size, lanes }) {
  return lanes === 1 ? `${hidden_size}` : `${lanes} × ${hidden_size}`;
}

/** Bars from zero, the best first. @param {Score} score */
function scoreTable({ metric, unit, model, baselines, better }) {
  const up = better === "higher" ? -1 : 1;
  const others = Object.entries(baselines).map(([name, score]) => ({ name, score, own: false }));
  const rows = [{ name: say("model.this"), score: model, own: true }, ...others];
  rows.sort((one, other) => up * (one.score - other.score));
  const largest = Math.max(...rows.map(({ score }) => score));
  const body = rows.map(({ name, score, own }, rank) => {
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", String(score / largest));
    const best = rank === 0 ? element("small", {}, ` ${say("model.best")}`) : "";
    return element(
      "tr",
      { className: own ? "own" : "" },
      element("th", { scope: "row" }, name, best),
      element("td", { className: "rail-cell" }, element("span", { className: "rail" }, bar)),
      element("td", {}, score.toPrecision(3)),
    );
  });
  const named = metric.includes(unit) ? metric : withUnit(metric, unit);
  const direction = say(better === "higher" ? "model.higher" : "model.lower");
  const caption = element("caption", {}, say("model.score", { metric: named, better: direction }));
  return element("table", { className: "scores" }, caption, element("tbody", {}, ...body));
}
