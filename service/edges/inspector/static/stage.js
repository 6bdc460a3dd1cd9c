/** What all views look at: one trace, and one cursor in it. */

import { Cursor } from "./cursor.js";

/** @import {OpenTrace} from "./open-trace.js" */

/** Fires "trace" when another trace is shown, or none, and "more" when it has more steps. */
export class Stage extends EventTarget {
  cursor = new Cursor();
  /** @type {OpenTrace | null} */
  #trace = null;
  #pass = (/** @type {Event} */ { type }) => this.dispatchEvent(new Event(type === "more" ? "more" : "trace"));

  get trace() {
    return this.#trace;
  }

  /** @param {OpenTrace | null} trace */
  show(trace) {
    for (const type of ["more", "restarted"]) {
      this.#trace?.removeEventListener(type, this.#pass);
      trace?.addEventListener(type, this.#pass);
    }
    this.#trace = trace;
    trace?.reopen();
    this.dispatchEvent(new Event("trace"));
  }
}
