/** Something of every step of a trace, read in blocks: those that somebody looks at. */

/** @import {OpenTrace} from "./open-trace.js" */

const MOST_KEPT = 256;

/**
 * Fires "arrived" when there is more to be seen, and "failed" with the problem as its detail.
 *
 * @template Value
 */
export class Blocks extends EventTarget {
  #trace;
  #size;
  #read;
  /** @type {Map<number, ArrayLike<Value>>} by the number of the block, the one used longest ago first */
  #kept = new Map();
  /** @type {Set<number>} */
  #wanted = new Set();
  #isBusy = false;

  /**
   * @param {OpenTrace} trace
   * @param {number} size steps of a block
   * @param {(from: number, to: number) => Promise<ArrayLike<Value>>} read
   */
  constructor(trace, size, read) {
    super();
    this.#trace = trace;
    this.#size = size;
    this.#read = read;
  }

  /** Undefined while it is not here. @param {number} step @returns {Value | undefined} */
  at(step) {
    return this.#kept.get(Math.floor(step / this.#size))?.[step % this.#size];
  }

  /** Of what was needed before only what has been asked for still comes. @param {number} from @param {number} to steps */
  need(from, to) {
    const end = Math.min(to, this.#trace.steps);
    this.#wanted.clear();
    for (let block = Math.floor(Math.max(0, from) / this.#size); block * this.#size < end; block += 1) {
      const kept = this.#kept.get(block);
      // A block at the end grows as steps come in; until it comes anew, the old one is shown.
      if (kept === undefined || kept.length < this.#stepsOf(block)) {
        this.#wanted.add(block);
      }
    }
    this.#work();
  }

  /** @param {number} from @param {number} to */
  has(from, to) {
    for (let block = Math.floor(from / this.#size); block * this.#size < to; block += 1) {
      if ((this.#kept.get(block)?.length ?? 0) < Math.min(to - block * this.#size, this.#size)) {
        return false;
      }
    }
    return true;
  }

  /** @param {number} block */
  #stepsOf(block) {
    return Math.min(this.#size, this.#trace.steps - block * this.#size);
  }

  async #work() {
    if (this.#isBusy) {
      return;
    }
    this.#isBusy = true;
    for (const block of this.#wanted) {
      this.#wanted.delete(block);
      const from = block * this.#size;
      try {
        this.#keep(block, await this.#read(from, from + this.#stepsOf(block)));
      } catch (detail) {
        this.#wanted.clear();
        this.dispatchEvent(new CustomEvent("failed", { detail }));
        break;
      }
      this.dispatchEvent(new Event("arrived"));
    }
    this.#isBusy = false;
  }

  /** @param {number} block @param {ArrayLike<Value>} values */
  #keep(block, values) {
    this.#kept.delete(block);
    this.#kept.set(block, values);
    if (this.#kept.size > MOST_KEPT) {
      this.#kept.delete(this.#kept.keys().next().value ?? block);
    }
  }
}

const UNIT_STEPS = 2048;

/**
 * What one unit did; NaN where a step has no value.
 *
 * @param {OpenTrace} trace
 * @param {number} layer
 * @param {string} tensor
 * @param {number} unit
 * @returns {Blocks<number>}
 */
export function valuesOf(trace, layer, tensor, unit) {
  return new Blocks(trace, UNIT_STEPS, async (from, to) => {
    return (await trace.window(tensor, layer, [unit], from, to, to - from)).low;
  });
}

const NUMBERS_AT_ONCE = 40_000;
const MOST_ROWS = 4096;

/**
 * What came out of every step; null where there is nothing yet.
 *
 * @param {OpenTrace} trace
 * @returns {Blocks<(number | null)[] | null>}
 */
export function outputsOf(trace) {
  const { width, names, levels } = trace.model.output;
  const numbers = width ?? Math.max(1, names.length * (levels?.length ?? 1));
  const size = Math.max(64, Math.min(MOST_ROWS, Math.floor(NUMBERS_AT_ONCE / numbers)));
  return new Blocks(trace, size, (from, to) => trace.outputs(from, to));
}
