/** A trace made from the one that the page shows: which the page may show in its place, and back. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { dropTrace } from "../traces-api.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

/**
 * @typedef {object} Pair
 * @property {OpenTrace} trace that the page showed
 * @property {OpenTrace} other
 * @property {number} begin first step of `trace` that is looked at
 * @property {number} otherBegin the step of `other` beside it
 * @property {boolean} isOwn whether `other` was made here, and is dropped here
 */

export class OtherTrace {
  #stage;
  /** @type {Pair | null} */
  #pair = null;
  #text = element("span", {});
  #button = element("button", { type: "button" });
  node = element("p", { className: "view-controls", hidden: true }, this.#button, this.#text);

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    this.#button.addEventListener("click", () => this.#swap());
  }

  /** Of the trace that the page shows, or null. */
  get pair() {
    const [pair, { trace }] = [this.#pair, this.#stage];
    return pair !== null && (trace === pair.trace || trace === pair.other) ? pair : null;
  }

  /** @param {Pair | null} pair in place of the one before, which is dropped */
  keep(pair) {
    const before = this.#pair;
    this.#pair = pair;
    if (before !== null && before.isOwn && before.other !== this.#stage.trace && before.other !== pair?.other) {
      dropTrace(before.other.id);
    }
    this.label();
  }

  label() {
    const { pair } = this;
    this.node.hidden = pair === null;
    const isOther = pair !== null && this.#stage.trace === pair.other;
    this.#button.textContent = say(isOther ? "other.back" : "other.show");
    this.#text.textContent = isOther ? say("other.shown") : "";
  }

  #swap() {
    const { pair } = this;
    if (pair === null) {
      return;
    }
    const isOther = this.#stage.trace === pair.other;
    const next = isOther ? pair.trace : pair.other;
    const shift = (pair.otherBegin - pair.begin) * (isOther ? -1 : 1);
    const { step } = this.#stage.cursor.position;
    const last = next.steps - 1;
    // Views may ask at once: the cursor is to be in the trace at any moment.
    this.#stage.cursor.move({ step: Math.min(step, last) });
    this.#stage.show(next);
    this.#stage.cursor.move({ step: Math.max(0, Math.min(last, step + shift)) });
    this.label();
  }
}
