/** A view of what the units of one layer do over all steps: that of the cursor. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { View } from "./view.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {About} from "./view.js" */

/** Subclasses override `draw`, and `mark` where they show the cursor. */
export class LayerView extends View {
  /** What is said of the layer. */
  summary = element("p", { className: "summary" });
  #choice;
  /** @type {Node[]} */
  #parts;
  #drawn = -1;
  #subject = "";

  /** @param {Stage} stage @param {About} about */
  constructor(stage, about) {
    super(stage, about);
    this.#choice = new LayerChoice(stage);
    this.#parts = [this.#choice.node, this.summary];
  }

  /** @param {...Node} parts below the sentence */
  add(...parts) {
    this.#parts.push(...parts);
  }

  /** @param {OpenTrace} _trace @param {number} _layer @param {Statistics} _statistics */
  async draw(_trace, _layer, _statistics) {}

  /** @param {Position} _position */
  mark(_position) {}

  /** @param {OpenTrace} trace */
  async show(trace) {
    this.#drawn = -1;
    this.#choice.show(trace);
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    const { layer } = position;
    this.#choice.mark(layer);
    if (!this.body.contains(this.summary)) {
      this.body.replaceChildren(...this.#parts);
    }
    if (this.#drawn !== layer) {
      this.#drawn = -1;
      this.#announce(`${trace.id} ${layer}`);
      await this.draw(trace, layer, await trace.statistics(layer));
      this.#drawn = layer;
    }
    this.mark(position);
  }

  /** What is shown stays until there is more of the same; of anything else it would be false. @param {string} subject */
  #announce(subject) {
    if (this.#subject !== subject) {
      this.#subject = subject;
      this.summary.textContent = say("layer.computing");
    }
  }
}

/** Which layer; nothing where there is one alone. */
class LayerChoice {
  #name = element("span", {});
  #select = element("select", {});
  node = element("label", { className: "layer-choice" }, this.#name, this.#select);

  /** @param {Stage} stage */
  constructor(stage) {
    this.#select.addEventListener("change", () => {
      const layer = Number(this.#select.value);
      const units = stage.trace?.units(layer) ?? 1;
      stage.cursor.move({ layer, unit: Math.min(stage.cursor.position.unit, units - 1) });
    });
  }

  /** @param {OpenTrace} trace */
  show(trace) {
    const { layers } = trace.described;
    this.node.hidden = layers.length < 2;
    this.#name.textContent = say("layer.choice");
    const options = layers.map(({ layer }) => element("option", { value: String(layer) }, String(layer)));
    this.#select.replaceChildren(...options);
  }

  /** @param {number} layer */
  mark(layer) {
    this.#select.value = String(layer);
  }
}
