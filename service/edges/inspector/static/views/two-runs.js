/** Two traces side by side: how far their states are apart, and where their outputs differ. */

import { numberTable, foldedTable } from "./number-table.js";
import { amount, share } from "./amounts.js";
import { inputsAround } from "./inputs-around.js";
import { firstOutput, isLikelihood, outputCount, outputFigure, outputName } from "./named-outputs.js";
import { RunsChart } from "./runs-chart.js";
import { element } from "../elements.js";
import { say } from "../texts.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Key} from "../texts.js" */
/** @typedef {(number | null)[] | null} Row of outputs */

const MOST_LISTED = 12;
/** In parts of the largest value: what stays below it is not drawn. */
const QUIET = 0.01;
const FEWEST_DRAWN = 30;
/** Steps of quiet that are drawn. */
const MARGIN = 10;
/** Outputs that are read at once. */
const MOST_NUMBERS = 200_000;

/**
 * @typedef {object} Runs
 * @property {OpenTrace} trace
 * @property {OpenTrace} other
 * @property {number} begin the first step of `trace` that is looked at
 * @property {number} otherBegin the step of `other` beside it
 * @property {(number | null)[]} apart of the states: before the first of these steps, and after each
 * @property {boolean} isRelative whether `apart` is in parts of the first one
 * @property {number} [threshold] that is drawn as a line
 * @property {Row[]} ours outputs of these steps
 * @property {Row[]} theirs
 * @property {Key} name of the other one
 */

export class TwoRuns {
  #stage;
  #apart;
  #differences;
  #lines;
  #output = element("select", {});
  #outputLabel = element("span", {});
  #choice = element("label", { className: "inline-choice" }, this.#outputLabel, this.#output);
  #changes = element("div", {});
  #cut = element("p", { className: "hint" });
  #table = element("div", {});
  node;
  /** @type {Runs | null} */
  #runs = null;

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    const point = (/** @type {number} */ step) => stage.cursor.move({ step: Math.max(0, step) });
    this.#apart = new RunsChart(point);
    this.#differences = new RunsChart(point);
    this.#lines = new RunsChart(point);
    this.#output.addEventListener("change", () => this.#drawOutputs());
    this.node = element(
      "div",
      { className: "two-runs" },
      this.#apart.node,
      this.#cut,
      this.#table,
      this.#differences.node,
      this.#choice,
      this.#lines.node,
      this.#changes,
    );
  }

  /** @param {Runs | null} runs */
  show(runs) {
    this.node.hidden = runs === null;
    this.#runs = runs;
    if (runs === null) {
      return;
    }
    const end = runs.isRelative ? runs.ours.length : loudUntil(runs);
    const isCut = end < runs.ours.length;
    const values = { step: runs.begin + end - 1, share: share(QUIET) };
    this.#cut.textContent = isCut ? say("runs.cut", values) : "";
    if (isCut) {
      runs = cutAt(runs, end);
      this.#runs = runs;
    }
    const { apart, begin, isRelative, threshold } = runs;
    const title = say(isRelative ? "runs.relative" : "runs.apart");
    const drawn = apart.map((value) => (isRelative && value === 0 ? null : value));
    const limit = threshold === undefined ? [] : [thresholdLine(threshold, apart.length)];
    this.#apart.draw(title, begin - 1, [{ label: title, ink: "accent", values: drawn }, ...limit], {
      isLog: isRelative,
    });
    const rows = powers(apart.length).map((n) => {
      const value = apart[n];
      const figure = value === null ? "—" : isRelative ? share(value) : amount(value);
      return [String(n), String(begin + n - 1), figure];
    });
    this.#table.replaceChildren(
      foldedTable(title, [say("runs.after"), say("steps.head"), title], rows),
    );
    const { model } = runs.trace;
    const count = isLikelihood(model) ? 0 : outputCount(model);
    const chosen = this.#output.value;
    this.#outputLabel.textContent = say("runs.output");
    this.#output.replaceChildren(
      ...Array.from({ length: count }, (_, index) => new Option(outputName(model, index), String(index))),
    );
    this.#output.value = chosen === "" || Number(chosen) >= count ? String(firstOutput(model, [])) : chosen;
    this.#choice.hidden = count < 2;
    this.#drawOutputs();
  }

  /** @param {number} step */
  mark(step) {
    for (const chart of [this.#apart, this.#differences, this.#lines]) {
      chart.mark(step);
    }
  }

  #drawOutputs() {
    const runs = this.#runs;
    if (runs === null) {
      return;
    }
    const { ours, theirs, begin, trace } = runs;
    const differences = differencesOf(ours, theirs);
    this.#differences.node.hidden = ours.length === 0;
    if (ours.length > 0) {
      const label = say(isLikelihood(trace.model) ? "runs.difference-likely" : "runs.difference");
      this.#differences.draw(label, begin, [{ label, ink: "accent", values: differences }]);
    }
    this.#lines.node.hidden = isLikelihood(trace.model) || ours.length === 0;
    if (!this.#lines.node.hidden) {
      const output = Number(this.#output.value);
      this.#lines.draw(outputName(trace.model, output), begin, [
        { label: say("runs.this"), ink: "text", values: ours.map((row) => row?.[output] ?? null) },
        { label: say(runs.name), ink: "accent", values: theirs.map((row) => row?.[output] ?? null) },
      ]);
    }
    this.#listChanges(runs, differences);
    this.mark(this.#stage.cursor.position.step);
  }

  /** @param {Runs} runs @param {number[]} differences */
  #listChanges({ trace, ours, theirs, begin, name }, differences) {
    const { model } = trace;
    const likely = isLikelihood(model);
    const output = Number(this.#output.value);
    const figure = (/** @type {Row} */ row) => {
      const index = row !== null && likely ? firstOutput(model, row) : output;
      const value = row?.[index] ?? null;
      const said = value === null ? "—" : outputFigure(model, value);
      return likely && row !== null ? `${outputName(model, index)}  ${said}` : said;
    };
    const apart = (/** @type {Row} */ before, /** @type {Row} */ after) => {
      const pair = [before?.[output] ?? null, after?.[output] ?? null];
      return pair[0] === null || pair[1] === null ? "—" : amount(pair[1] - pair[0]);
    };
    const rows = mostDifferent(differences).map((index) => {
      const [before, after] = [ours[index], theirs[index]];
      const button = element("button", { type: "button" }, String(begin + index));
      button.addEventListener("click", () => this.#stage.cursor.move({ step: begin + index }));
      return element(
        "tr",
        { className: likely && isAnother(model, before, after) ? "another" : "" },
        element("th", { scope: "row" }, button),
        element("td", {}, inputsAround(trace, begin + index, true)),
        element("td", {}, figure(before)),
        element("td", {}, figure(after)),
        ...(likely ? [] : [element("td", {}, apart(before, after))]),
      );
    });
    const caption = likely
      ? say("changes.likely", { count: rows.length })
      : say("changes.values", { count: rows.length, name: outputName(model, output) });
    const heads = [say("steps.head"), say("changes.input"), say("runs.this"), say(name)];
    heads.push(...(likely ? [] : [say("changes.difference")]));
    const room = numberTable(caption, heads, []);
    room.querySelector("table")?.classList.add("changes");
    room.querySelector("tbody")?.append(...rows);
    this.#changes.replaceChildren(...(rows.length > 0 ? [room] : []));
  }
}

/** Whether the likeliest output is another one. @param {import("../model.js").Model} model @param {Row} before @param {Row} after */
export function isAnother(model, before, after) {
  return before !== null && after !== null && firstOutput(model, before) !== firstOutput(model, after);
}

/**
 * The largest difference of any output, step by step; 0 where there is no output yet.
 *
 * @param {Row[]} ours
 * @param {Row[]} theirs
 */
export function differencesOf(ours, theirs) {
  return ours.map((row, step) =>
    (row ?? []).reduce((/** @type {number} */ most, value, output) => {
      const other = theirs[step]?.[output] ?? null;
      return value === null || other === null ? most : Math.max(most, Math.abs(value - other));
    }, 0),
  );
}

/** The place of the largest one. @param {(number | null)[]} values */
export function largest(values) {
  return values.reduce((/** @type {number} */ best, value, index) => ((value ?? 0) > (values[best] ?? 0) ? index : best), 0);
}

/** How many steps of outputs may be read of a model. @param {OpenTrace} trace */
export function mostSteps({ model }) {
  return Math.max(50, Math.floor(MOST_NUMBERS / Math.max(1, outputCount(model))));
}

/**
 * @param {OpenTrace} trace
 * @param {number} from
 * @param {number} count
 * @returns {Promise<Row[]>}
 */
export async function readOutputs(trace, from, count) {
  if (count === 0) {
    return [];
  }
  const [begin, end] = [trace.first + from, trace.first + from + count];
  return (await trace.ask("outputs", { from: begin, to: end })).outputs;
}

/**
 * ‖hᵃ − hᵇ‖/√U after each of some steps of two traces.
 *
 * @param {OpenTrace} trace
 * @param {number} from
 * @param {OpenTrace} other
 * @param {number} otherFrom
 * @param {number} count of steps
 * @param {number} layer
 */
export async function statesApart(trace, from, other, otherFrom, count, layer) {
  if (count === 0) {
    return [];
  }
  const [ours, theirs] = await Promise.all([
    trace.window("hidden", layer, null, from, from + count, count),
    other.window("hidden", layer, null, otherFrom, otherFrom + count, count),
  ]);
  const units = trace.units(layer);
  return Array.from({ length: count }, (_, step) => {
    let squares = 0;
    for (let unit = 0; unit < units; unit += 1) {
      squares += (ours.low[step * units + unit] - theirs.low[step * units + unit]) ** 2;
    }
    return Number.isNaN(squares) ? null : Math.sqrt(squares / units);
  });
}

/** The step behind the last one at which something differs that counts. @param {Runs} runs */
function loudUntil({ apart, ours, theirs }) {
  const last = [apart.slice(1), differencesOf(ours, theirs)].map((values) => {
    const least = QUIET * (values[largest(values)] ?? 0);
    return values.findLastIndex((value) => (value ?? 0) >= least && least > 0);
  });
  return Math.min(ours.length, Math.max(FEWEST_DRAWN, Math.max(...last) + 1 + MARGIN));
}

/** @param {Runs} runs @param {number} end @returns {Runs} */
function cutAt(runs, end) {
  const { apart, ours, theirs } = runs;
  return { ...runs, apart: apart.slice(0, end + 1), ours: ours.slice(0, end), theirs: theirs.slice(0, end) };
}

/** @param {number} threshold @param {number} count @returns {import("./runs-chart.js").Drawn} */
function thresholdLine(threshold, count) {
  const label = say("runs.threshold", { share: share(threshold) });
  return { label, ink: "muted", dashed: true, values: Array.from({ length: count }, () => threshold) };
}

/** 0, 1, 2, 4, … and the last one. @param {number} count */
function powers(count) {
  const found = [0];
  for (let n = 1; n < count - 1; n *= 2) {
    found.push(n);
  }
  return count > 1 ? [...found, count - 1] : found;
}

/** The steps that differ most, in their order. @param {number[]} differences */
function mostDifferent(differences) {
  return differences
    .map((_, index) => index)
    .filter((index) => differences[index] > 0)
    .sort((one, other) => differences[other] - differences[one])
    .slice(0, MOST_LISTED)
    .sort((one, other) => one - other);
}
