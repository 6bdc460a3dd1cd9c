/** Feeding what was typed to a session, one time step at a time. */

import { createSession, deleteSession, stepSession } from "./api.js";
import { Trace } from "./trace.js";

/** @import {InputKind} from "./input/kinds.js" */
/** @import {Model, Step} from "./model.js" */

export class Stepping {
  #model;
  #kind;
  /** @type {string | null} */
  #session = null;

  /** @param {Model} model @param {InputKind} kind */
  constructor(model, kind) {
    this.#model = model;
    this.#kind = kind;
    this.trace = new Trace(model);
  }

  /** Feed the step that follows those fed already. @param {Step[]} steps all that was typed */
  async advance(steps) {
    this.trace.planned = steps.length;
    const input = [steps[this.trace.steps]];
    this.#session ??= await createSession(this.#model.name);
    this.trace.append(input, await stepSession(this.#session, this.#kind.stepsBody(input)));
  }

  close() {
    if (this.#session !== null) {
      deleteSession(this.#session);
      this.#session = null;
    }
  }
}
