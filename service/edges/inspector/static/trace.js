/** What a model did, step by step: inputs, outputs and every gate of every unit. */

export const GATES = ["reset", "update", "candidate", "hidden"];

/** Values of U units over T time steps; rows are appended as steps come in. */
export class Matrix {
  /** @param {number} units */
  constructor(units) {
    this.units = units;
    this.steps = 0;
    this.values = new Float32Array(units * 64);
  }

  /** @param {number[][]} rows [T, U] */
  append(rows) {
    this.#reserve(this.steps + rows.length);
    for (const row of rows) {
      this.values.set(row, this.steps * this.units);
      this.steps += 1;
    }
  }

  at(step, unit) {
    return this.values[step * this.units + unit];
  }

  #reserve(steps) {
    if (steps * this.units > this.values.length) {
      const grown = new Float32Array(Math.max(2 * this.values.length, steps * this.units));
      grown.set(this.values);
      this.values = grown;
    }
  }
}

export class Trace {
  /**
   * @param {object} model as the API describes it
   * @param {number} planned how many steps are to be expected, so that the view need not rescale
   */
  constructor(model, planned = 0) {
    this.planned = planned;
    /** @type {any[]} characters, token ids or rows of numbers */
    this.inputs = [];
    /** @type {number[][]} */
    this.outputs = [];
    /** @type {{token: number, text?: string, probability: number}[][]} */
    this.next = [];
    this.layers = model.layers.map(({ hidden_size }) =>
      Object.fromEntries(GATES.map((gate) => [gate, new Matrix(hidden_size)])),
    );
  }

  get steps() {
    return this.inputs.length;
  }

  /**
   * @param {any[]} inputs
   * @param {object} answer of the API, for exactly these inputs
   */
  append(inputs, answer) {
    this.inputs.push(...inputs);
    this.outputs.push(...answer.outputs);
    this.next.push(...(answer.next ?? []));
    for (const recorded of answer.gates.layers) {
      for (const gate of GATES) {
        this.layers[recorded.layer][gate].append(recorded[gate]);
      }
    }
  }

  /** The hidden value before a step; sessions and sequences of this page begin at zero. */
  hiddenBefore(layer, step, unit) {
    return step === 0 ? 0 : this.layers[layer].hidden.at(step - 1, unit);
  }
}
