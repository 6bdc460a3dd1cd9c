/** A recorded session that is watched: its new steps are shown as they come. */

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

const PERIOD_MS = 400;

/** Fires "step" when the session has gone on, and "failed" with the problem as its detail, at the end. */
export class Watch extends EventTarget {
  #stage;
  #trace;
  #reveal;
  #isClosed = false;

  /** @param {Stage} stage @param {OpenTrace} trace @param {() => void} reveal the cursor's step */
  constructor(stage, trace, reveal) {
    super();
    this.#stage = stage;
    this.#trace = trace;
    this.#reveal = reveal;
    this.#run();
  }

  close() {
    this.#isClosed = true;
  }

  async #run() {
    while (!this.#isClosed) {
      // Nobody sees a page that is hidden.
      if (document.visibilityState === "visible") {
        try {
          await this.#look();
        } catch (detail) {
          this.close();
          this.dispatchEvent(new CustomEvent("failed", { detail }));
        }
      }
      await new Promise((resume) => setTimeout(resume, PERIOD_MS));
    }
  }

  /** The cursor goes on with the last step, unless somebody has moved it back. */
  async #look() {
    const [{ cursor }, trace] = [this.#stage, this.#trace];
    const [steps, first] = [trace.steps, trace.first];
    await trace.refresh();
    if (this.#isClosed || (trace.steps === steps && trace.first === first)) {
      return;
    }
    if (cursor.position.step >= steps - 1) {
      cursor.move({ step: trace.steps - 1 });
      this.#reveal();
    } else {
      // The oldest steps may be gone: the same step has another place.
      cursor.move({ step: Math.max(0, cursor.position.step - Math.max(0, trace.first - first)) });
    }
    this.dispatchEvent(new Event("step"));
  }
}
