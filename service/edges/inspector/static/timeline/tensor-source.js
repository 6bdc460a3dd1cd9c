/** Where heat maps get their numbers: a part of a tensor at a time, at the resolution that is drawn. */

/** @import {Trace} from "../trace.js" */

/**
 * A part of a tensor. Where it has more steps than columns were asked for, a column stands for
 * `stepsPerColumn` of them (the last one may have fewer) and has their least and greatest value, so
 * that what happens in a single step stays visible. NaN: no value.
 *
 * @typedef {object} TensorWindow
 * @property {number} from first step
 * @property {number} to the step behind its last one
 * @property {number} stepsPerColumn
 * @property {number} columns
 * @property {Float32Array} low [columns, units]: values, or the least of them
 * @property {Float32Array} high the same array as `low`, or the greatest
 */

/** @typedef {"number" | "memory" | "peak" | "component" | "cluster"} Ordering */

/**
 * @typedef {object} TensorSource
 * @property {number} steps how many there are now
 * @property {(layer: number) => number} units of a layer
 * @property {(tensor: string, layer: number, units: number[] | null, from: number, to: number,
 *   columns: number) => Promise<TensorWindow>} window steps [from, to) of some units, or of all
 * @property {(tensor: string, layer: number) => Promise<{mean: Float64Array, deviation: Float64Array}>}
 *   spread of each unit over all steps
 * @property {(tensor: string, layer: number, by: Ordering) => Promise<number[]>} order units, first
 *   to last
 */

/**
 * A run whose values are all here.
 *
 * @implements {TensorSource}
 */
export class TraceSource {
  #trace;

  /** @param {Trace} trace */
  constructor(trace) {
    this.#trace = trace;
  }

  get steps() {
    return this.#trace.steps;
  }

  /** @param {number} layer */
  units(layer) {
    return this.#trace.layers[layer].hidden.units;
  }

  /**
   * @param {string} tensor
   * @param {number} layer
   * @param {number[] | null} units
   * @param {number} from
   * @param {number} to
   * @param {number} columns
   * @returns {Promise<TensorWindow>}
   */
  async window(tensor, layer, units, from, to, columns) {
    const matrix = this.#trace.layers[layer][tensor];
    const chosen = units ?? Array.from({ length: matrix.units }, (_, unit) => unit);
    const end = Math.min(to, matrix.steps);
    const stepsPerColumn = Math.max(1, Math.ceil((end - from) / columns));
    const filled = Math.ceil((end - from) / stepsPerColumn);
    const low = new Float32Array(filled * chosen.length).fill(NaN);
    const high = stepsPerColumn > 1 ? new Float32Array(low) : low;
    for (let step = from; step < end; step += 1) {
      const begin = Math.floor((step - from) / stepsPerColumn) * chosen.length;
      for (let place = 0; place < chosen.length; place += 1) {
        const value = matrix.values[step * matrix.units + chosen[place]];
        const at = begin + place;
        // Written so that a number replaces NaN, and NaN replaces nothing.
        if (!(low[at] <= value) && value === value) low[at] = value;
        if (!(high[at] >= value) && value === value) high[at] = value;
      }
    }
    return { from, to: end, stepsPerColumn, columns: filled, low, high };
  }

  /** @param {string} tensor @param {number} layer */
  async spread(tensor, layer) {
    const { units, steps, values } = this.#trace.layers[layer][tensor];
    const [mean, deviation] = [new Float64Array(units), new Float64Array(units)];
    for (let unit = 0; unit < units; unit += 1) {
      let [count, sum, squares] = [0, 0, 0];
      for (let step = 0; step < steps; step += 1) {
        const value = values[step * units + unit];
        if (value === value) {
          count += 1;
          const before = value - sum;
          sum += before / count;
          squares += before * (value - sum);
        }
      }
      mean[unit] = sum;
      deviation[unit] = Math.sqrt(squares / Math.max(1, count));
    }
    return { mean, deviation };
  }

  /** @param {string} tensor @param {number} layer @param {Ordering} by */
  async order(tensor, layer, by) {
    const matrix = this.#trace.layers[layer][tensor];
    const numbers = Array.from({ length: matrix.units }, (_, unit) => unit);
    if (by === "number") {
      return numbers;
    }
    const { mean } = await this.spread(tensor, layer);
    const keys = numbers.map((unit) => peakOf(matrix, unit, mean[unit]));
    return numbers.sort((one, other) => keys[one] - keys[other]);
  }
}

/**
 * The step at which a unit is furthest from its mean.
 *
 * @param {import("../trace.js").Matrix} matrix
 * @param {number} unit
 * @param {number} mean
 */
function peakOf(matrix, unit, mean) {
  let [peak, most] = [0, -1];
  for (let step = 0; step < matrix.steps; step += 1) {
    const distance = Math.abs(matrix.at(step, unit) - mean);
    if (distance > most) {
      [peak, most] = [step, distance];
    }
  }
  return peak;
}
