/** When a layer was in nearly the same state as it is at the cursor. */

import { attempt, problemLine } from "./attempt.js";
import { isAtRest } from "./at-rest.js";
import { amount } from "./amounts.js";
import { inputsAround } from "./inputs-around.js";
import { LayerSelect } from "./layer-select.js";
import { NumberField } from "./number-field.js";
import { View } from "./view.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { inputInWords } from "../words.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @typedef {{step: number, distance: number}} Near of the session's own steps */

const COUNT = 10;

export class NearestView extends View {
  #layers;
  #apart;
  #problem = problemLine();
  #sentence = element("p", { className: "view-sentence" });
  #list = element("ol", { className: "nearest" });
  #shown = "";

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "nearest-view", title: "nearest.title", what: "nearest.what" });
    this.#layers = new LayerSelect(stage);
    this.#apart = new NumberField({ value: COUNT, min: 1, max: 100_000 }, () => {
      if (stage.trace !== null) {
        this.follow(stage.trace, stage.cursor.position);
      }
    });
    this.body.append(
      element("div", { className: "view-controls" }, this.#layers.node, this.#apart.node),
      this.#problem,
      this.#sentence,
      this.#list,
    );
  }

  async show() {
    this.#shown = "";
    this.#apart.label(say("nearest.apart"));
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    this.#layers.show(trace, position);
    const { layer, step } = position;
    const apart = this.#apart.value;
    const key = `${trace.id} ${trace.steps} ${layer} ${step} ${apart}`;
    if (key === this.#shown || !(await isAtRest(this.stage, position))) {
      return;
    }
    const found = await attempt(this.#problem, () =>
      trace.ask("nearest", { layer, step: trace.first + step, count: COUNT, apart }),
    );
    this.#shown = key;
    /** @type {Near[]} */
    const nearest = (found?.nearest ?? []).map((/** @type {Near} */ near) => ({
      ...near,
      step: near.step - trace.first,
    }));
    this.#sentence.textContent = found === null ? "" : sentence(trace, step, nearest);
    this.#list.replaceChildren(...nearest.map((near) => this.#item(trace, near)));
  }

  /** @param {OpenTrace} trace @param {Near} near */
  #item(trace, { step, distance }) {
    const button = element(
      "button",
      { type: "button" },
      element("span", { className: "nearest-step" }, say("steps.step", { step })),
      element("span", { className: "nearest-distance" }, amount(distance)),
      inputsAround(trace, step),
    );
    button.addEventListener("click", () => this.stage.cursor.move({ step }));
    return element("li", {}, button);
  }
}

/** @param {OpenTrace} trace @param {number} step @param {Near[]} nearest */
function sentence(trace, step, nearest) {
  if (nearest.length === 0) {
    return say("nearest.none", { step });
  }
  const near = { step, nearest: nearest[0].step, distance: amount(nearest[0].distance) };
  const said = say("nearest.sentence", near);
  const next = trace.inputs[step + 1];
  if (next === undefined || Array.isArray(next)) {
    return said;
  }
  const followed = nearest.filter((one) => trace.inputs[one.step + 1] !== undefined);
  const same = followed.filter((one) => trace.inputs[one.step + 1] === next).length;
  const values = { same, count: followed.length, input: inputInWords(next) };
  return followed.length === 0 ? said : `${said} ${say("nearest.followed", values)}`;
}
