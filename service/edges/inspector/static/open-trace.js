/**
 * A trace that the service keeps: the steps of one model that every view looks into.
 *
 * Steps are counted from 0 here; `first` is what the session calls the first of them. All numbers
 * come from `/v1/traces/{id}`, which computes them in full precision.
 */

import { askTrace, describeTrace, makeTrace, readWindow } from "./traces-api.js";

/** @import {Likely, Model, Step} from "./model.js" */
/** @import {Ordering, TensorSource, TensorWindow} from "./timeline/tensor-source.js" */
/** @import {Query, TraceBody, TraceDescription} from "./traces-api.js" */

const OUTPUTS_AT_ONCE = 128;
const MOST_KEPT = 200;

/**
 * What every unit of a layer does over all steps, as `/statistics` answers.
 *
 * @typedef {object} Statistics
 * @property {number} steps
 * @property {Record<string, {mean: number[], std: number[], min: number[], max: number[], peak: number[],
 *   near_0?: number[], near_1?: number[]}>} tensors
 * @property {{length: (number | null)[], half_life: (number | null)[], outlasts: boolean[]}} memory null: for ever
 * @property {{history_share: (number | null)[], impact: (number | null)[]}} reset
 * @property {{copiers: number[], frozen: number[], memoryless: number[], redundant: [number, number, number][]}} triage
 */

/** @typedef {{output: (number | null)[] | null, next: Likely[] | null}} OutputAt null where there is none yet */

/**
 * Fires "more" when steps have been added, and "restarted" when earlier ones are gone.
 *
 * @implements {TensorSource}
 */
export class OpenTrace extends EventTarget {
  model;
  /** @type {TraceDescription} */
  described;
  /** @type {Step[]} */
  inputs = [];
  /** @type {Map<string, Promise<any>>} what was asked of the steps that there are now */
  #asked = new Map();

  /** @param {Model} model @param {TraceDescription} described */
  constructor(model, described) {
    super();
    this.model = model;
    this.described = described;
  }

  /** @param {Model} model @param {TraceBody} body */
  static async make(model, body) {
    return OpenTrace.#opened(new OpenTrace(model, await makeTrace(body)));
  }

  /** @param {Model} model @param {string} id */
  static async open(model, id) {
    return OpenTrace.#opened(new OpenTrace(model, await describeTrace(id)));
  }

  /** @param {OpenTrace} trace */
  static async #opened(trace) {
    await trace.#readInputs(0);
    return trace;
  }

  get id() {
    return this.described.trace_id;
  }

  /** What the session calls the first step. */
  get first() {
    return this.described.from ?? 0;
  }

  get steps() {
    return this.inputs.length;
  }

  /** @param {number} layer */
  units(layer) {
    return this.described.layers[layer].units;
  }

  /** What `window` can show of a layer. @param {number} layer */
  tensors(layer) {
    return this.described.layers[layer].tensors;
  }

  /** See whether the session has gone on. */
  async refresh() {
    const before = this.described;
    const now = await describeTrace(this.id);
    if (now.to === before.to && now.from === before.from) {
      return;
    }
    this.described = now;
    this.#asked.clear();
    if (now.from !== before.from) {
      this.inputs = [];
      await this.#readInputs(0);
      this.dispatchEvent(new Event("restarted"));
    } else {
      await this.#readInputs(this.inputs.length);
      this.dispatchEvent(new Event("more"));
    }
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
    const found = await readWindow(this.id, {
      tensor,
      layer,
      ...(units === null ? {} : { units: units.join(",") }),
      from: this.first + from,
      to: this.first + Math.min(to, this.steps),
      columns,
    });
    return { ...found, from: found.from - this.first, to: found.to - this.first };
  }

  /** @param {string} tensor @param {number} layer */
  async spread(tensor, layer) {
    const { mean, std } = (await this.statistics(layer)).tensors[tensor];
    return { mean: Float64Array.from(mean), deviation: Float64Array.from(std) };
  }

  /**
   * @param {string} tensor
   * @param {number} layer
   * @param {Ordering} by
   * @returns {Promise<number[]>}
   */
  async order(tensor, layer, by) {
    if (by === "number") {
      return Array.from({ length: this.units(layer) }, (_, unit) => unit);
    }
    return (await this.ask("order", { layer, by, ...(by === "peak" ? { tensor } : {}) })).units;
  }

  /** @param {number} layer @returns {Promise<Statistics>} */
  statistics(layer) {
    return this.ask("statistics", { layer });
  }

  /**
   * Every number of the equations for one unit at one step, by the names of the tensors; null where a
   * window is not full yet.
   *
   * @param {number} layer
   * @param {number} unit
   * @param {number} step
   * @returns {Promise<Record<string, number | null>>}
   */
  async cell(layer, unit, step) {
    return (await this.ask("cell", { layer, unit, step: this.first + step })).numbers;
  }

  /**
   * What came out at a step.
   *
   * @param {number} step
   * @returns {Promise<OutputAt>}
   */
  async outputAt(step) {
    const begin = step - (step % OUTPUTS_AT_ONCE);
    const end = Math.min(begin + OUTPUTS_AT_ONCE, this.steps);
    const { outputs, next } = await this.ask("outputs", { from: this.first + begin, to: this.first + end });
    return { output: outputs[step - begin], next: next?.[step - begin] ?? null };
  }

  /**
   * What a view of the API answers, asked once for the steps that there are now. Steps in the query
   * and in the answer are the session's own.
   *
   * @param {string} view
   * @param {Query} [query]
   * @returns {Promise<any>}
   */
  ask(view, query = {}) {
    const key = `${view} ${JSON.stringify(query)}`;
    const kept = this.#asked.get(key);
    if (kept !== undefined) {
      return kept;
    }
    const asked = askTrace(this.id, view, query);
    this.#asked.set(key, asked);
    // What failed may go well the next time.
    asked.catch(() => this.#asked.delete(key));
    if (this.#asked.size > MOST_KEPT) {
      this.#asked.delete(this.#asked.keys().next().value ?? "");
    }
    return asked;
  }

  /** @param {number} begin */
  async #readInputs(begin) {
    const { from, to } = this.described;
    if (from === null || to === null || from + begin >= to) {
      return;
    }
    const found = await askTrace(this.id, "inputs", { from: from + begin, to });
    this.inputs.push(...(found.text === undefined ? found.inputs : Array.from(found.text)));
  }
}
