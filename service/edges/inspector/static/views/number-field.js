/** A number that the reader may change, within bounds. */

import { element } from "../elements.js";

export class NumberField {
  #input;
  #label = element("span", {});
  node;

  /**
   * @param {{value: number, min: number, max: number, step?: number}} of
   * @param {(value: number) => void} [changed]
   */
  constructor({ value, min, max, step = 1 }, changed = () => {}) {
    this.#input = element("input", { type: "number" });
    Object.assign(this.#input, { min: String(min), max: String(max), step: String(step) });
    this.#input.value = String(value);
    this.node = element("label", { className: "inline-choice" }, this.#label, this.#input);
    this.#input.addEventListener("change", () => {
      this.value = this.value;
      changed(this.value);
    });
  }

  /** @param {string} text */
  label(text) {
    this.#label.textContent = text;
  }

  get value() {
    const [min, max] = [Number(this.#input.min), Number(this.#input.max)];
    const { valueAsNumber } = this.#input;
    return Math.min(max, Math.max(min, Number.isNaN(valueAsNumber) ? min : valueAsNumber));
  }

  set value(value) {
    this.#input.value = String(value);
  }

  /** @param {number} min @param {number} max */
  within(min, max) {
    Object.assign(this.#input, { min: String(min), max: String(max) });
  }
}
