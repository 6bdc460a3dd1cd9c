/** Feeding what was typed to a session, one time step at a time, and recording what it does. */

import { createSession, deleteSession, stepSession } from "./api.js";
import { OpenTrace } from "./open-trace.js";

/** @import {InputKind} from "./input/kinds.js" */
/** @import {Model, Step} from "./model.js" */

export class Stepping {
  #model;
  #kind;
  /** @type {string | null} */
  #session = null;
  /** @type {OpenTrace | null} */
  #trace = null;
  fed = 0;

  /** @param {Model} model @param {InputKind} kind */
  constructor(model, kind) {
    this.#model = model;
    this.#kind = kind;
  }

  /** Feed the step that follows those fed already. @param {Step[]} steps all that was typed */
  async advance(steps) {
    this.#session ??= await createSession(this.#model.name);
    this.#trace ??= await OpenTrace.make(this.#model, { session_id: this.#session });
    this.#trace.planned = steps.length;
    await stepSession(this.#session, this.#kind.stepsBody([steps[this.fed]]));
    this.fed += 1;
    await this.#trace.refresh();
    return this.#trace;
  }

  close() {
    if (this.#session !== null) {
      deleteSession(this.#session);
      this.#session = null;
    }
  }
}
