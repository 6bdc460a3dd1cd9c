/** Units that do nothing, or nothing of their own. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { decimal } from "../words.js";
import { LayerView } from "./layer-view.js";

/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Position} from "../cursor.js" */
/** @import {Key} from "../texts.js" */

/** The API answers no more pairs than that. */
const MOST_PAIRS = 200;

export class TriageView extends LayerView {
  #groups = element("div", { className: "triage" });
  #unit = -1;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "triage-view", title: "triage.title", what: "triage.what" });
    this.add(this.#groups);
  }

  /** @param {OpenTrace} trace @param {number} layer @param {Statistics} statistics */
  async draw(trace, layer, { triage }) {
    const { copiers, frozen, memoryless, redundant } = triage;
    const pairs = redundant.length < MOST_PAIRS ? String(redundant.length) : `≥ ${MOST_PAIRS}`;
    this.summary.textContent = say("triage.sentence", {
      ...{ layer, units: trace.units(layer), pairs },
      ...{ copiers: copiers.length, frozen: frozen.length, memoryless: memoryless.length },
    });
    const single = (/** @type {string} */ gate) => (/** @type {number} */ unit) => this.#button(unit, gate);
    this.#groups.replaceChildren(
      group("triage.copiers", "triage.copiers-what", copiers.map(single("update"))),
      group("triage.frozen", "triage.frozen-what", frozen.map(single("hidden"))),
      group("triage.memoryless", "triage.memoryless-what", memoryless.map(single("update"))),
      group("triage.redundant", "triage.redundant-what", redundant.map((pair) => this.#pair(pair)), pairs),
    );
    this.#unit = -1;
  }

  /** @param {Position} position */
  mark({ unit }) {
    if (this.#unit === unit) {
      return;
    }
    this.#unit = unit;
    for (const button of this.#groups.querySelectorAll("button")) {
      button.ariaPressed = String(Number(button.dataset.unit) === unit);
    }
  }

  /** @param {number} unit @param {string} gate */
  #button(unit, gate) {
    const button = element("button", { type: "button", ariaLabel: say("unit.name", { unit }) }, String(unit));
    button.dataset.unit = String(unit);
    button.addEventListener("click", () => this.stage.cursor.move({ unit, gate }));
    return button;
  }

  /** @param {[number, number, number]} pair */
  #pair([one, other, correlation]) {
    const r = element("span", { className: "number" }, say("triage.correlation", { r: decimal(correlation) }));
    return element("span", { className: "pair" }, this.#button(one, "hidden"), this.#button(other, "hidden"), r);
  }
}

/** @param {Key} title @param {Key} what @param {Node[]} found @param {string} [count] */
function group(title, what, found, count = String(found.length)) {
  const none = element("span", { className: "hint" }, say("triage.none"));
  const list = element("div", { className: "triage-units" }, ...(found.length > 0 ? found : [none]));
  return element(
    "section",
    {},
    element("h3", {}, say(title), element("small", {}, ` ${count}`)),
    element("p", { className: "hint" }, say(what)),
    list,
  );
}
