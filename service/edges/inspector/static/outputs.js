/** What the model put out at the step under the cursor. */

import { predictsItsInputs } from "./charts.js";
import { byId, element } from "./elements.js";
import { glyph, inputInWords, measure, percent, withUnit } from "./words.js";

const MOST_CLASSES = 10;

/** How the outputs of each kind are shown: (model, trace, step) => Node. */
const VIEWS = { values, quantiles, probabilities: nextTokens, labels: likelyLabels, classes };

export class Outputs {
  #node = byId("outputs");

  /**
   * @param {object} model
   * @param {import("./trace.js").Trace} trace
   * @param {number} step
   */
  show(model, trace, step) {
    this.#node.replaceChildren(VIEWS[model.output.kind](model, trace, step));
  }

  clear() {
    this.#node.replaceChildren();
  }
}

function nextTokens(model, trace, step) {
  const came = whatCame(model, trace, step);
  const bars = (trace.next[step] ?? []).map(({ token, text, item, probability }) => {
    const name = item ?? (text === undefined ? String(token) : glyph(text));
    return bar(name, probability, came?.token === token);
  });
  const parts = [bars];
  if (came !== null) {
    const text = `Then came ${inputInWords(came.input)}, to which the model gave ${percent(came.probability)}.`;
    parts.push(hint(text));
  }
  return ranking("Most likely next", ...parts);
}

/** The input that followed, and how probable the model held it. */
function whatCame(model, trace, step) {
  const input = trace.inputs[step + 1];
  const output = trace.outputs[step];
  if (input === undefined || output === null || model.input.kind !== "tokens") {
    return null;
  }
  const token = typeof input === "string" ? model.input.vocabulary.indexOf(input) : input;
  return { token, input, probability: output[token] };
}

/** The labels that the service calls likely. */
function likelyLabels(model, trace, step) {
  const likely = trace.next[step] ?? [];
  const bars = likely.map(({ label, probability }) => bar(label, probability));
  const none = trace.outputs[step] !== null && likely.length === 0;
  return ranking("Likely next", bars, ...(none ? [hint("No label is likely.")] : []));
}

function classes({ output: { names } }, trace, step) {
  const output = trace.outputs[step] ?? [];
  const ranked = output.map((probability, index) => [names[index], probability]);
  ranked.sort((one, other) => other[1] - one[1]);
  const left = ranked.length - MOST_CLASSES;
  const bars = ranked.slice(0, MOST_CLASSES).map(([name, probability]) => bar(name, probability));
  return ranking("Most likely class so far", bars, ...(left > 0 ? [hint(`And ${left} more.`)] : []));
}

function ranking(title, bars, ...hints) {
  const list = element("ol", { className: "next" }, ...bars);
  return element("div", {}, element("h3", {}, title), list, ...hints);
}

function bar(name, probability, came = false) {
  const filled = element("span", { className: "bar" });
  filled.style.setProperty("--share", probability);
  return element(
    "li",
    { className: came ? "came" : "" },
    element("span", { className: "glyph" }, name),
    element("span", { className: "rail" }, filled),
    element("span", { className: "number" }, percent(probability)),
  );
}

function hint(text) {
  return element("p", { className: "hint" }, text);
}

function values(model, trace, step) {
  const { names, units } = model.output;
  const forecast = predictsItsInputs(model);
  const columns = forecast ? ["input", "predicted next", "then came"] : ["output"];
  const figures = [trace.inputs[step], trace.outputs[step], trace.inputs[step + 1]];
  const shown = forecast ? figures : [trace.outputs[step]];
  const rows = names.map((name, index) => [
    name,
    ...shown.map((row) => figure(row?.[index], units[index])),
  ]);
  return table(columns, rows);
}

/** A column for each level, and for a target that is an input, what came. */
function quantiles({ input, output: { names, units, levels } }, trace, step) {
  const came = names.map((name) => (input.kind === "values" ? input.names.indexOf(name) : -1));
  const isInput = came.some((column) => column >= 0);
  const rows = names.map((name, target) => {
    const at = (level) => trace.outputs[step]?.[target * levels.length + level];
    const shown = levels.map((_, level) => figure(at(level), ""));
    const next = figure(trace.inputs[step + 1]?.[came[target]], "");
    return [withUnit(name, units[target]), ...shown, ...(isInput ? [next] : [])];
  });
  return table([...levels.map((level) => `${level} quantile`), ...(isInput ? ["then came"] : [])], rows);
}

/** In words; null is a missing value, and undefined one that there is not. */
function figure(value, unit) {
  if (value === null) {
    return "missing";
  }
  return value === undefined ? "—" : measure(value, unit);
}

/** @param {string[]} columns @param {string[][]} rows each with its name first */
function table(columns, rows) {
  const heads = ["", ...columns].map((column) => element("th", { scope: "col" }, column));
  const body = rows.map(([name, ...cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...cells.map((cell) => element("td", {}, cell)),
    ),
  );
  return element(
    "table",
    { className: "figures" },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...body),
  );
}
