/** What a model did, step by step: inputs, outputs and every gate of every unit. */

/** @import {Layer, Likely, Model, SequenceAnswer, Step} from "./model.js" */

/**
 * What is shown of a layer: its gates, which the model names, and what came of them.
 *
 * @param {Layer} layer
 */
export function shownOf({ gates }) {
  return [...gates, "hidden"];
}

/** Values of U units over T time steps; rows are appended as steps come in. */
export class Matrix {
  /** @param {number} units */
  constructor(units) {
    this.units = units;
    this.steps = 0;
    this.values = new Float32Array(units * 64);
  }

  /** @param {(number[] | null)[]} rows [T, U]; what a step has no value for becomes NaN */
  append(rows) {
    this.#reserve(this.steps + rows.length);
    for (const row of rows) {
      const begin = this.steps * this.units;
      this.values.fill(NaN, begin, begin + this.units);
      row?.forEach((value, unit) => (this.values[begin + unit] = value ?? NaN));
      this.steps += 1;
    }
  }

  /** @param {number} step @param {number} unit */
  at(step, unit) {
    return this.values[step * this.units + unit];
  }

  /** @param {number} steps */
  #reserve(steps) {
    if (steps * this.units > this.values.length) {
      const grown = new Float32Array(Math.max(2 * this.values.length, steps * this.units));
      grown.set(this.values);
      this.values = grown;
    }
  }
}

export class Trace {
  #seesWindows;

  /**
   * @param {Model} model as the API describes it
   * @param {number} planned how many steps are to be expected, so that the view need not rescale
   */
  constructor(model, planned = 0) {
    this.planned = planned;
    this.#seesWindows = model.window !== null;
    /** @type {Step[]} */
    this.inputs = [];
    /** @type {(number[] | null)[]} null where a step has no answer */
    this.outputs = [];
    /** @type {(Likely[] | null)[]} likewise */
    this.next = [];
    this.layers = model.layers.map((layer) => {
      const units = layer.hidden_size * layer.lanes;
      return Object.fromEntries(shownOf(layer).map((gate) => [gate, new Matrix(units)]));
    });
  }

  get steps() {
    return this.inputs.length;
  }

  /**
   * @param {Step[]} inputs
   * @param {SequenceAnswer} answer of the API, for exactly these inputs
   */
  append(inputs, answer) {
    this.inputs.push(...inputs);
    // A whole sequence may be answered once, at its end.
    const before = Array(Math.max(0, inputs.length - answer.outputs.length)).fill(null);
    this.outputs.push(...before, ...answer.outputs);
    this.next.push(...before, ...(answer.next ?? []));
    for (const recorded of answer.gates?.layers ?? []) {
      for (const [gate, matrix] of Object.entries(this.layers[recorded.layer])) {
        matrix.append(recorded[gate]);
      }
    }
  }

  /**
   * The hidden value before a step. A window begins anew at every step, and a model may have learnt
   * its first state: there it follows from hidden = (1 − update) × before + update × candidate.
   *
   * @param {number} layer
   * @param {number} step
   * @param {number} unit
   */
  hiddenBefore(layer, step, unit) {
    const { update, candidate, hidden } = this.layers[layer];
    const known = step > 0 && !this.#seesWindows ? hidden.at(step - 1, unit) : NaN;
    if (!Number.isNaN(known)) {
      return known;
    }
    const keep = 1 - update.at(step, unit);
    const kept = hidden.at(step, unit) - update.at(step, unit) * candidate.at(step, unit);
    // What is left of a zero by rounding is a zero.
    return keep === 0 ? 0 : Math.round((1e6 * kept) / keep) / 1e6 || 0;
  }
}
