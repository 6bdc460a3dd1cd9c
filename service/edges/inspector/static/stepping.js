/** Feeding what was typed to a session, one time step at a time. */

import { createSession, deleteSession, stepSession } from "./api.js";
import { Trace } from "./trace.js";

export class Stepping {
  #model;
  #kind;
  #session = null;

  /** @param {import("./input-kinds.js").InputKind} kind */
  constructor(model, kind) {
    this.#model = model;
    this.#kind = kind;
    this.trace = new Trace(model);
  }

  get session() {
    return this.#session;
  }

  /** Feed the step that follows those fed already. @param {any[]} steps all that was typed */
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
