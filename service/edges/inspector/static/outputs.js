/** What the model put out at the step under the cursor. */

import { predictsItsInputs } from "./timeline/charts.js";
import { byId, element } from "./elements.js";
import { Latest } from "./latest.js";
import { onLanguageChange, say } from "./texts.js";
import { glyph, inputInWords, measure, percent, withUnit } from "./words.js";

/** @import {Model, Step} from "./model.js" */
/** @import {OpenTrace, OutputAt} from "./open-trace.js" */
/** @import {Stage} from "./stage.js" */
/** @typedef {number | null | undefined} Value null: missing, undefined: there is none */

const MOST_CLASSES = 10;

/**
 * A step, what went in there and after it, and what came out.
 *
 * @typedef {object} Shown
 * @property {Model} model
 * @property {Step} input
 * @property {Step | undefined} following undefined at the end
 * @property {(number | null)[] | null} output
 * @property {OutputAt["next"]} next
 */

/**
 * How the outputs of each kind are shown.
 *
 * @type {Record<string, (shown: Shown) => Node>}
 */
const VIEWS = { values, quantiles, probabilities: nextTokens, labels: likelyLabels, classes };

export class Outputs {
  #stage;
  #panel = byId("outputs-panel");
  #node = byId("outputs");
  #latest;

  /** @param {Stage} stage @param {(problem: unknown) => void} fail */
  constructor(stage, fail) {
    this.#stage = stage;
    this.#latest = new Latest(fail, this.#node);
    for (const type of ["trace", "more"]) {
      stage.addEventListener(type, () => this.#want());
    }
    stage.cursor.addEventListener("move", () => this.#want());
    onLanguageChange(() => this.#want());
  }

  #want() {
    this.#latest.want(() => this.#show());
  }

  async #show() {
    const { trace, cursor } = this.#stage;
    const { step } = cursor.position;
    if (trace === null || trace.steps === 0) {
      this.#panel.hidden = true;
      this.#node.replaceChildren();
    } else if (step < trace.steps) {
      const shown = shownAt(trace, step, await trace.outputAt(step));
      this.#panel.hidden = false;
      this.#node.replaceChildren(VIEWS[trace.model.output.kind](shown));
    }
  }
}

/** @param {OpenTrace} trace @param {number} step @param {OutputAt} at @returns {Shown} */
function shownAt({ model, inputs }, step, { output, next }) {
  return { model, input: inputs[step], following: inputs[step + 1], output, next };
}

/** @param {Shown} shown */
function nextTokens(shown) {
  const came = whatCame(shown);
  const bars = (shown.next ?? []).map(({ token, text, item, probability }) => {
    const name = item ?? (text === undefined ? String(token) : glyph(text));
    return bar(name, probability, came?.token === token);
  });
  if (came === null) {
    return ranking(say("outputs.next"), bars);
  }
  const [input, probability] = [inputInWords(came.input), percent(came.probability)];
  return ranking(say("outputs.next"), bars, hint(say("outputs.came", { input, probability })));
}

/** The input that followed, and how probable the model held it. @param {Shown} shown */
function whatCame({ model: { input: signature }, following: input, output }) {
  if (input === undefined || Array.isArray(input) || !output || signature.kind !== "tokens") {
    return null;
  }
  const token = typeof input === "string" ? (signature.vocabulary ?? []).indexOf(input) : input;
  return { token, input, probability: output[token] ?? 0 };
}

/** The labels that the service calls likely. @param {Shown} shown */
function likelyLabels({ output, next }) {
  const likely = next ?? [];
  const bars = likely.map(({ label, probability }) => bar(label, probability));
  const none = output !== null && likely.length === 0;
  return ranking(say("outputs.likely"), bars, ...(none ? [hint(say("outputs.no-label"))] : []));
}

/** @param {Shown} shown */
function classes({ model, output }) {
  const { names } = model.output;
  const ranked = (output ?? []).map((probability, index) => ({ name: names[index], probability: probability ?? 0 }));
  ranked.sort((one, other) => other.probability - one.probability);
  const count = ranked.length - MOST_CLASSES;
  const bars = ranked.slice(0, MOST_CLASSES).map(({ name, probability }) => bar(name, probability));
  return ranking(say("outputs.class"), bars, ...(count > 0 ? [hint(say("outputs.more", { count }))] : []));
}

/** @param {string} title @param {Node[]} bars @param {...Node} hints */
function ranking(title, bars, ...hints) {
  const list = bars.length > 0 ? [element("ol", { className: "next" }, ...bars)] : [];
  return element("div", {}, element("h3", {}, title), ...list, ...hints);
}

/** @param {string} name @param {number} probability */
function bar(name, probability, came = false) {
  const filled = element("span", { className: "bar" });
  filled.style.setProperty("--share", String(probability));
  return element(
    "li",
    { className: came ? "came" : "" },
    element("span", { className: "glyph" }, name),
    element("span", { className: "rail" }, filled),
    element("span", { className: "number" }, percent(probability)),
  );
}

/** @param {string} text */
function hint(text) {
  return element("p", { className: "hint" }, text);
}

/** @param {Shown} shown */
function values({ model, input, output, following }) {
  const { names, units } = model.output;
  const forecast = predictsItsInputs(model);
  const columns = forecast
    ? [say("outputs.column.input"), say("outputs.column.predicted"), say("outputs.column.came")]
    : [say("outputs.column.output")];
  const shown = forecast ? [input, output, following] : [output];
  const rows = names.map((name, index) => [
    name,
    ...shown.map((row) => figure(valueAt(row, index), units[index])),
  ]);
  return table(columns, rows);
}

/** A column for each level, and for a target that is an input, what came. @param {Shown} shown */
function quantiles({ model: { input, output: signature }, following, output }) {
  const { names, units, levels } = signature;
  const came = names.map((name) => (input.kind === "values" ? input.names.indexOf(name) : -1));
  const isInput = came.some((column) => column >= 0);
  const rows = names.map((name, target) => {
    const at = (/** @type {number} */ level) => output?.[target * levels.length + level];
    const shown = levels.map((_, level) => figure(at(level), ""));
    const next = figure(valueAt(following, came[target]), "");
    return [withUnit(name, units[target]), ...shown, ...(isInput ? [next] : [])];
  });
  const columns = levels.map((level) => say("outputs.column.quantile", { level }));
  return table([...columns, ...(isInput ? [say("outputs.column.came")] : [])], rows);
}

/** @param {Step | null | undefined} row @param {number} index @returns {Value} */
function valueAt(row, index) {
  return Array.isArray(row) ? row[index] : undefined;
}

/** @param {Value} value @param {string} unit */
function figure(value, unit) {
  if (value === null) {
    return say("word.missing");
  }
  return value === undefined ? "—" : measure(value, unit);
}

/** @param {string[]} columns @param {string[][]} rows each with its name first */
function table(columns, rows) {
  const heads = columns.map((column) => element("th", { scope: "col" }, column));
  const body = rows.map(([name, ...cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...cells.map((cell) => element("td", {}, cell)),
    ),
  );
  const shown = element(
    "table",
    { className: "figures" },
    element("thead", {}, element("tr", {}, element("td"), ...heads)),
    element("tbody", {}, ...body),
  );
  return element("div", { className: "wide", tabIndex: 0 }, shown);
}
