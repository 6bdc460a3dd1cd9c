/** What a model is, and how well it does, in words. */

import { element } from "./elements.js";
import { withUnit } from "./words.js";

const RESETS = {
  before: "before: acts on the past state, ahead of its weights",
  after: "after: acts on the weighted past state",
};

/** @returns {Node[]} */
export function modelCard(model) {
  const facts = [
    ["Task", model.task],
    ["Input", model.takes],
    ["Output", model.gives],
    ...layers(model),
    ...sessions(model),
    ["Version", `${model.version}, on ${model.provider.replace("ExecutionProvider", "")}`],
  ];
  const list = facts.flatMap(([name, fact]) => [element("dt", {}, name), element("dd", {}, fact)]);
  const nodes = [element("dl", { className: "facts" }, ...list)];
  if (model.scores.length > 0) {
    nodes.push(...model.scores.map(scoreTable));
  }
  if (model.report !== null) {
    nodes.push(element("p", {}, element("a", { href: model.report.replace(/^\//, "") }, "Report")));
  }
  return nodes;
}

function layers({ layers }) {
  if (layers.length === 0) {
    return [];
  }
  const resets = new Set(layers.map(({ reset }) => RESETS[reset]));
  return [
    ["Layers", layers.map(units).join(" + ") + " units"],
    ["Reset", [...resets].join("; ")],
  ];
}

/** Where a session is not what one would expect. */
function sessions({ sessions, reason, window, delay }) {
  if (!sessions) {
    return [["Sessions", `none, whole sequences only: ${reason}`]];
  }
  if (window !== null) {
    return [["Sessions", `see their last ${window} inputs`]];
  }
  return delay > 0 ? [["Sessions", `answer ${delay} steps late`]] : [];
}

function units({ hidden_size, lanes }) {
  return lanes === 1 ? `${hidden_size}` : `${lanes} × ${hidden_size}`;
}

/** Bars from zero, the best first. */
function scoreTable({ metric, unit, model, baselines, better }) {
  const up = better === "higher" ? -1 : 1;
  const rows = [["this model", model], ...Object.entries(baselines)];
  rows.sort((one, other) => up * (one[1] - other[1]));
  const largest = Math.max(...rows.map(([, score]) => score));
  const body = rows.map(([name, score], rank) => {
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", score / largest);
    const own = name === "this model";
    return element(
      "tr",
      { className: own ? "own" : "" },
      element("th", { scope: "row" }, name, rank === 0 ? element("small", {}, " best") : ""),
      element("td", { className: "rail-cell" }, element("span", { className: "rail" }, bar)),
      element("td", {}, score.toPrecision(3)),
    );
  });
  const named = metric.includes(unit) ? metric : withUnit(metric, unit);
  const caption = element("caption", {}, `${named}, held out, ${better} is better`);
  return element("table", { className: "scores" }, caption, element("tbody", {}, ...body));
}
