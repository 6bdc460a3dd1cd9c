/** What the model put out at the step under the cursor. */

import { predictsItsInputs } from "./charts.js";
import { byId, element } from "./elements.js";
import { glyph, inputInWords, measure, percent } from "./words.js";

export class Outputs {
  #node = byId("outputs");

  /**
   * @param {object} model
   * @param {import("./trace.js").Trace} trace
   * @param {number} step
   */
  show(model, trace, step) {
    const isTokens = model.output.kind === "probabilities";
    this.#node.replaceChildren(isTokens ? nextTokens(model, trace, step) : values(model, trace, step));
  }

  clear() {
    this.#node.replaceChildren();
  }
}

function nextTokens(model, trace, step) {
  const title = element("h3", {}, "Most likely next");
  const came = whatCame(model, trace, step);
  const bars = (trace.next[step] ?? []).map(({ token, text, probability }) => {
    const bar = element("span", { className: "bar" });
    bar.style.setProperty("--share", probability);
    const happened = came !== null && came.token === token;
    return element(
      "li",
      { className: happened ? "came" : "" },
      element("span", { className: "glyph" }, text === undefined ? String(token) : glyph(text)),
      element("span", { className: "rail" }, bar),
      element("span", { className: "number" }, percent(probability)),
    );
  });
  const parts = [title, element("ol", { className: "next" }, ...bars)];
  if (came !== null) {
    const text = `Then came ${inputInWords(came.input)}, to which the model gave ${percent(came.probability)}.`;
    parts.push(element("p", { className: "hint" }, text));
  }
  return element("div", {}, ...parts);
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

function values(model, trace, step) {
  const { names, units } = model.output;
  const forecast = predictsItsInputs(model);
  const columns = forecast ? ["", "input", "predicted next", "then came"] : ["", "output"];
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column)));
  const rows = names.map((name, index) => {
    const cell = (row) => element("td", {}, row ? measure(row[index], units[index]) : "—");
    const figures = [trace.inputs[step], trace.outputs[step], trace.inputs[step + 1]];
    const shown = forecast ? figures : [trace.outputs[step]];
    return element("tr", {}, element("th", { scope: "row" }, name), ...shown.map(cell));
  });
  const body = element("tbody", {}, ...rows);
  return element("table", { className: "figures" }, element("thead", {}, head), body);
}
