/** How old the content of the units is, through time. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { AgeMap } from "./age-map.js";
import { short } from "./figures.js";
import { StepChart } from "./step-chart.js";
import { LayerView } from "./layer-view.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {TensorWindow} from "../timeline/tensor-source.js" */

const AGE = "age";
/** Of one answer. What has no more is seen step by step. */
const MOST_NUMBERS = 600_000;
const MOST_COLUMNS = 400;

export class AgeView extends LayerView {
  #chart = new StepChart((step) => this.stage.cursor.move({ step }));
  #map = new AgeMap((unit, step) => this.stage.cursor.move({ unit, step }));
  #name = element("h3", {});
  /** @type {TensorWindow | null} */
  #window = null;
  #units = 0;
  #unit = -1;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "age-view", title: "age.title", what: "age.what" });
    this.add(this.#name, this.#chart.node, this.#map.node);
  }

  /** @param {OpenTrace} trace @param {number} layer @param {Statistics} statistics */
  async draw(trace, layer, { memory }) {
    this.#units = trace.units(layer);
    const fits = trace.steps * this.#units <= MOST_NUMBERS;
    const columns = fits ? trace.steps : Math.min(MOST_COLUMNS, Math.floor(MOST_NUMBERS / (2 * this.#units)));
    this.#window = await trace.window(AGE, layer, null, 0, trace.steps, columns);
    const order = Array.from({ length: this.#units }, (_, unit) => unit);
    const lengths = memory.length.map((length, unit) => length ?? (memory.outlasts[unit] ? Infinity : -1));
    order.sort((one, other) => (lengths[one] === lengths[other] ? one - other : lengths[other] - lengths[one]));
    this.#map.show(this.#window, order, layer);
    this.#unit = -1;
  }

  /** @param {Position} position */
  mark({ layer, unit, step }) {
    if (this.#window !== null && this.#unit !== unit) {
      this.#unit = unit;
      this.#name.textContent = say("age.unit", { layer, unit });
      this.#chart.show(say("age.chart", { layer, unit }), say("age.keys"), ...linesOf(this.#window, this.#units, unit));
    }
    if (this.#window !== null) {
      this.summary.textContent = inWords(this.#window, this.#units, { layer, unit, step });
    }
    this.#chart.mark(step);
    this.#map.mark(unit, step);
  }
}

/**
 * Steps, and beside them the least and the greatest age of a unit, and the mean of all.
 *
 * @param {TensorWindow} window
 * @param {number} units
 * @param {number} unit
 * @returns {[number[], (number | null)[][]]}
 */
function linesOf({ from, stepsPerColumn, columns, low, high }, units, unit) {
  const steps = Array.from({ length: columns }, (_, column) => from + column * stepsPerColumn);
  const known = (/** @type {number} */ value) => (Number.isNaN(value) ? null : value);
  const of = (/** @type {Float32Array} */ values) => steps.map((_, column) => known(values[column * units + unit]));
  const lines = [of(low), of(high)];
  return [steps, stepsPerColumn === 1 ? lines.slice(0, 1) : lines];
}

/**
 * Of the column of a step: where it has several steps, the least and the greatest age in them.
 *
 * @param {TensorWindow} window
 * @param {number} units
 * @param {{layer: number, unit: number, step: number}} cursor
 */
function inWords({ from, to, stepsPerColumn, low, high }, units, { layer, unit, step }) {
  const column = Math.floor((step - from) / stepsPerColumn);
  const [least, most] = [low, high].map((values) => Array.from(values.subarray(column * units, (column + 1) * units)));
  const known = most.filter((age) => !Number.isNaN(age));
  if (known.length === 0 || Number.isNaN(most[unit])) {
    return say("age.none", { layer, unit, step });
  }
  const oldest = most.reduce((best, age, at) => (age > most[best] || Number.isNaN(most[best]) ? at : best), 0);
  const figures = { layer, unit, oldest, most: short(most[oldest]) };
  if (stepsPerColumn === 1) {
    const mean = known.reduce((sum, age) => sum + age, 0) / known.length;
    return say("age.sentence", { ...figures, step, age: short(most[unit]), mean: short(mean) });
  }
  const first = from + column * stepsPerColumn;
  const last = Math.min(to, first + stepsPerColumn) - 1;
  return say("age.sentence-reduced", {
    ...{ ...figures, first, last, low: short(least[unit]), high: short(most[unit]) },
  });
}
