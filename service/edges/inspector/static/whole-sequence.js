/**
 * What a model made of a sequence that it can only read as a whole, backwards too: there are outputs,
 * and no gates. The service keeps no traces of such models, so all of it is here.
 */

import { runSequence } from "./api.js";
import { OpenTrace } from "./open-trace.js";

/** @import {Example, Model, SequenceAnswer, Step} from "./model.js" */
/** @import {OutputAt} from "./open-trace.js" */

/** Whether the service keeps traces of a model. @param {Model} model */
export function isTraced({ sessions }) {
  return sessions;
}

export class WholeSequence extends OpenTrace {
  #answer;

  /**
   * @param {Model} model
   * @param {Step[]} steps
   * @param {SequenceAnswer} answer
   */
  constructor(model, steps, answer) {
    super(model, describe(model, steps.length));
    this.inputs = steps;
    this.#answer = answer;
  }

  /** @param {Model} model @param {Step[]} steps @param {Example} body of a request for a sequence */
  static async run(model, steps, body) {
    return new WholeSequence(model, steps, await runSequence(model, body));
  }

  /** @param {number} step @returns {Promise<OutputAt>} */
  async outputAt(step) {
    const { outputs, next } = this.#answer;
    // A sequence may be answered once, at its end.
    const place = step - (this.steps - outputs.length);
    return { output: outputs[place] ?? null, next: next?.[place] ?? null };
  }

  /** @param {number} from @param {number} to */
  async outputs(from, to) {
    const { outputs } = this.#answer;
    const before = Array(this.steps - outputs.length).fill(null);
    return [...before, ...outputs].slice(from, to);
  }

  async refresh() {}
}

/** @param {Model} model @param {number} steps @returns {import("./traces-api.js").TraceDescription} */
function describe({ name, version }, steps) {
  return {
    trace_id: "",
    kind: "given",
    model: name,
    version,
    session_id: null,
    source: null,
    at: null,
    interventions: [],
    from: 0,
    to: steps,
    dropped_before: null,
    bytes: 0,
    max_bytes: 0,
    created_at: 0,
    expires_at: 0,
    layers: [],
    markings: [],
  };
}
