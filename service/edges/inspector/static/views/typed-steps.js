/** A field for steps of a model's own kind: a history, or another continuation. */

import { element } from "../elements.js";
import { inputKindOf } from "../input/kinds.js";
import { say } from "../texts.js";

/** @import {Model, Step} from "../model.js" */
/** @import {Key} from "../texts.js" */
/** @import {TraceBody} from "../traces-api.js" */

export class TypedSteps {
  #area = element("textarea", { rows: 3, spellcheck: false, autocomplete: "off" });
  #label = element("span", {});
  #hint = element("small", { className: "hint" });
  node = element("label", { className: "field" }, this.#label, this.#area, this.#hint);
  /** What stands there because nobody has typed anything. */
  #suggested = "";

  /** @param {Model} model @param {Key} label */
  label(model, label) {
    this.#label.textContent = say(label);
    this.#hint.textContent = inputKindOf(model).hint();
    this.#area.classList.toggle("numbers", model.input.kind === "values");
  }

  /** Put steps in the field, unless something has been typed there. @param {Model} model @param {Step[]} steps */
  suggest(model, steps) {
    if (this.#area.value === this.#suggested) {
      this.#suggested = this.#area.value = written(model, steps);
    }
  }

  /** Of another model nothing is kept. */
  clear() {
    this.#suggested = this.#area.value = "";
  }

  /** @param {Model} model @returns {Step[]} */
  steps(model) {
    return inputKindOf(model).parse(this.#area.value);
  }
}

/** @param {Model} model @param {Step[]} steps */
function written({ input }, steps) {
  if (input.kind === "values") {
    return steps.map((row) => /** @type {(number | null)[]} */ (row).map((cell) => cell ?? "null").join(", ")).join("\n");
  }
  return steps.join(input.token === "item" ? "\n" : input.vocabulary ? "" : " ");
}

/** Steps as a trace is made from them. @param {Model} model @param {Step[]} steps @returns {TraceBody} */
export function bodyOf(model, steps) {
  const { vocabulary } = model.input;
  const isText = model.input.kind === "tokens" && vocabulary && model.input.token !== "item";
  if (isText) {
    return { text: steps.join("") };
  }
  const known = new Map((vocabulary ?? []).map((name, index) => [name, index]));
  return { inputs: steps.map((step) => (typeof step === "string" ? (known.get(step) ?? step) : step)) };
}
