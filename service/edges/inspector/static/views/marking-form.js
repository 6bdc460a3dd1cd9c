/** Choosing a marking: by its name, or by a pattern, a column or a threshold. */

import { element } from "../elements.js";
import { say, sayIfKnown } from "../texts.js";
import { withUnit } from "../words.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Key} from "../texts.js" */

/**
 * @typedef {{kind: "known", name: string}
 *   | {kind: "pattern", pattern: string, isExpression: boolean}
 *   | {kind: "column", column: number, how: "value" | "above" | "below", threshold: number}} Wish
 */

const BY_HAND = "by hand";
const KNOWN = "known ";
/** @type {["value" | "above" | "below", Key][]} */
const HOW = [
  ["value", "following.value"],
  ["above", "following.above"],
  ["below", "following.below"],
];

export class MarkingForm {
  #marking = element("select", {});
  #pattern = element("input", { type: "text", autocomplete: "off", spellcheck: false });
  #isExpression = element("input", { type: "checkbox" });
  #column = element("select", {});
  #how = element("select", {});
  #threshold = element("input", { type: "number", step: "any", value: "0" });
  #search = element("button", { type: "submit", className: "primary" });
  /** @type {[Key, HTMLElement][]} */
  #names;
  #patternField;
  #expressionField;
  #columnField;
  #howField;
  #thresholdField;
  #isText = true;
  #shown = "";
  node;

  /** @param {() => void} search called whenever another marking is wished for */
  constructor(search) {
    /** @type {[Key, HTMLElement][]} */
    const names = [];
    this.#names = names;
    const field = (/** @type {Key} */ key, /** @type {HTMLElement} */ control, isCheck = false) => {
      const name = element("span", {});
      names.push([key, name]);
      const parts = isCheck ? [control, " ", name] : [name, control];
      return element("label", { className: isCheck ? "check" : "choice-field" }, ...parts);
    };
    const marking = field("following.marking", this.#marking);
    this.#patternField = field("following.pattern", this.#pattern);
    this.#expressionField = field("following.expression", this.#isExpression, true);
    this.#columnField = field("following.column", this.#column);
    this.#howField = field("following.how", this.#how);
    this.#thresholdField = field("following.threshold", this.#threshold);
    names.push(["following.search", this.#search]);
    const hand = [this.#patternField, this.#expressionField, this.#columnField, this.#howField, this.#thresholdField];
    this.node = element("form", { className: "marking-form" }, marking, ...hand, this.#search);
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      search();
    });
    for (const control of [this.#marking, this.#column, this.#how]) {
      control.addEventListener("change", () => {
        this.#arrange();
        // A pattern is searched for when it has been typed.
        if (!this.#isText || !this.#isByHand) {
          search();
        }
      });
    }
  }

  get #isByHand() {
    return this.#marking.value === BY_HAND;
  }

  /** What is chosen stays chosen, where there is such a thing in this trace. @param {OpenTrace} trace */
  show(trace) {
    this.#isText = !Array.isArray(trace.inputs[0]);
    for (const [key, name] of this.#names) {
      name.textContent = say(key);
    }
    const { markings } = trace.described;
    const known = markings.map((name) => new Option(sayIfKnown(`marking.${name}`, name), KNOWN + name));
    const hand = new Option(say(this.#isText ? "following.own-pattern" : "following.own-column"), BY_HAND);
    refill(this.#marking, [...known, hand]);
    const { names, units } = trace.model.input;
    refill(this.#column, this.#isText ? [] : names.map((name, at) => new Option(withUnit(name, units[at]), String(at))));
    refill(this.#how, HOW.map(([value, key]) => new Option(say(key), value)));
    if (this.#shown !== trace.model.name) {
      this.#shown = trace.model.name;
      this.#pattern.value = this.#isText ? String(trace.inputs[0]) : "";
    }
    this.#arrange();
  }

  /** @returns {Wish} */
  wish() {
    if (!this.#isByHand) {
      return { kind: "known", name: this.#marking.value.slice(KNOWN.length) };
    }
    if (this.#isText) {
      return { kind: "pattern", pattern: this.#pattern.value, isExpression: this.#isExpression.checked };
    }
    const how = HOW.find(([value]) => value === this.#how.value)?.[0] ?? "value";
    return { kind: "column", column: Number(this.#column.value), how, threshold: Number(this.#threshold.value) };
  }

  #arrange() {
    const [byHand, isText] = [this.#isByHand, this.#isText];
    this.#patternField.hidden = this.#expressionField.hidden = !(byHand && isText);
    this.#columnField.hidden = this.#howField.hidden = !byHand || isText;
    this.#thresholdField.hidden = !byHand || isText || this.#how.value === "value";
  }
}

/** @param {HTMLSelectElement} select @param {HTMLOptionElement[]} options */
function refill(select, options) {
  const { value } = select;
  select.replaceChildren(...options);
  if (options.some((option) => option.value === value)) {
    select.value = value;
  }
}
