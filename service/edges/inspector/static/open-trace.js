/**
 * A trace that the service keeps: the steps of one model that every view looks into.
 *
 * Steps are counted from 0 here; `first` is what the session calls the first of them. All numbers
 * come from `/v1/traces/{id}`, which computes them in full precision.
 */

import { askTrace, describeTrace, dropTrace, makeTrace, readWindow, unitsThatFollow } from "./traces-api.js";

/** @import {Likely, Model, Step} from "./model.js" */
/** @import {Ordering, TensorSource, TensorWindow} from "./timeline/tensor-source.js" */
/** @import {Query, TraceBody, TraceDescription} from "./traces-api.js" */

const OUTPUTS_AT_ONCE = 128;
const MOST_KEPT = 200;
/** What is asked of a trace that nobody looks at any longer may lead to another question. */
const GRACE_MS = 3000;
const MOST_FOLLOWING = 100_000;
/** What an order by correlation begins with; the name of the marking comes behind it. */
export const FOLLOWING = "following:";

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
 * A unit that follows a marking: Pearson's r on the first half of the steps, on the second, on all.
 *
 * @typedef {object} Finding
 * @property {string} marking
 * @property {string} tensor
 * @property {number} layer
 * @property {number} unit
 * @property {number} found
 * @property {number} confirmed
 * @property {boolean | null} remembered whether the marking cannot be seen in the step's own input
 * @property {number | null} overall
 */

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
  /** What it was made from; null of one that was there already. @type {TraceBody | null} */
  made = null;
  /** How many steps are to be expected, so that nothing need be rescaled while they come. */
  planned = 0;
  /** Whether somebody else may want it: it then ends by its time to live. */
  shared = false;
  /** How many answers are awaited. */
  #open = 0;
  #isClosed = false;
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
    const trace = new OpenTrace(model, await makeTrace(body));
    trace.made = body;
    return OpenTrace.#opened(trace);
  }

  /** @param {Model} model @param {string} id */
  static async open(model, id) {
    return OpenTrace.#opened(new OpenTrace(model, await describeTrace(id)));
  }

  /** @param {string} id */
  static describe(id) {
    return describeTrace(id);
  }

  /** @param {OpenTrace} trace */
  static async #opened(trace) {
    await trace.#readInputs(0);
    return trace;
  }

  /** Nobody looks at it any longer. What is still awaited comes before it is dropped. */
  close() {
    this.#isClosed = this.made !== null && !this.shared;
    this.#dropLater();
  }

  /** It is looked at again. */
  reopen() {
    this.#isClosed = false;
  }

  #dropLater() {
    if (!this.#isClosed || this.#open > 0) {
      return;
    }
    setTimeout(() => {
      if (this.#isClosed && this.#open === 0) {
        this.#isClosed = false;
        dropTrace(this.id);
      }
    }, GRACE_MS);
  }

  /**
   * @template Answer
   * @param {Promise<Answer>} asked
   */
  async #await(asked) {
    this.#open += 1;
    try {
      return await asked;
    } finally {
      this.#open -= 1;
      this.#dropLater();
    }
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
    const now = await this.#await(describeTrace(this.id));
    if (now.to === before.to && now.from === before.from) {
      return;
    }
    this.described = now;
    this.#asked.clear();
    if (now.from !== before.from || this.steps === 0) {
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
    const query = {
      tensor,
      layer,
      ...(units === null ? {} : { units: units.join(",") }),
      from: this.first + from,
      to: this.first + Math.min(to, this.steps),
      columns,
    };
    const found = await this.#await(readWindow(this.id, query));
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
      return this.#byNumber(layer);
    }
    if (by.startsWith(FOLLOWING)) {
      return this.#orderFollowing(by.slice(FOLLOWING.length), tensor, layer);
    }
    return (await this.ask("order", { layer, by, ...(by === "peak" ? { tensor } : {}) })).units;
  }

  /** @param {number} layer */
  #byNumber(layer) {
    return Array.from({ length: this.units(layer) }, (_, unit) => unit);
  }

  /**
   * By how far a tensor of theirs follows a marking; units that never move come last.
   *
   * @param {string} marking
   * @param {string} tensor
   * @param {number} layer
   */
  async #orderFollowing(marking, tensor, layer) {
    const strengths = new Float64Array(this.units(layer)).fill(-1);
    for (const one of await this.following(marking)) {
      if (one.layer === layer && one.tensor === tensor) {
        strengths[one.unit] = Math.abs(one.overall ?? 0);
      }
    }
    return this.#byNumber(layer).sort((one, other) => strengths[other] - strengths[one]);
  }

  /** All units and tensors, those first that follow one of the trace's markings best.
   *
   * @param {string} marking
   * @returns {Promise<Finding[]>}
   */
  following(marking) {
    return this.#kept(`${FOLLOWING}${marking}`, async () => {
      return (await unitsThatFollow(this.id, marking, MOST_FOLLOWING)).units;
    });
  }

  /** For every marking the unit that follows it best. @returns {Promise<Finding[]>} */
  async findings() {
    return (await this.ask("findings")).findings;
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
   * @param {number} from
   * @param {number} to
   * @returns {Promise<(number[] | null)[]>} null where there is none yet
   */
  async outputs(from, to) {
    const query = { from: this.first + from, to: this.first + to };
    // Not through `ask`: whoever wants many of them keeps them.
    return (await this.#await(askTrace(this.id, "outputs", query))).outputs;
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
    return this.#kept(`${view} ${JSON.stringify(query)}`, () => askTrace(this.id, view, query));
  }

  /** @param {string} key @param {() => Promise<any>} ask @returns {Promise<any>} */
  #kept(key, ask) {
    const kept = this.#asked.get(key);
    if (kept !== undefined) {
      return kept;
    }
    const asked = this.#await(ask());
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
    const found = await this.#await(askTrace(this.id, "inputs", { from: from + begin, to }));
    const steps = found.text === undefined ? found.inputs : Array.from(found.text);
    const { token, vocabulary } = this.model.input;
    // Items are known by their names.
    const named = token === "item" && vocabulary !== undefined;
    this.inputs = this.inputs.concat(named ? steps.map((/** @type {number} */ id) => vocabulary[id]) : steps);
  }
}
