/** Chooses the cursor's layer, where there is more than one. */

import { element } from "../elements.js";
import { say } from "../texts.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

export class LayerSelect {
  #select = element("select", {});
  #label = element("span", {});
  node = element("label", { className: "inline-choice", hidden: true }, this.#label, this.#select);

  /** @param {Stage} stage */
  constructor({ cursor }) {
    this.#select.addEventListener("change", () => cursor.move({ layer: Number(this.#select.value), unit: 0 }));
  }

  /** @param {OpenTrace} trace @param {Position} position */
  show({ described: { layers } }, { layer }) {
    this.node.hidden = layers.length < 2;
    this.#label.textContent = say("state.layer");
    this.#select.replaceChildren(
      ...layers.map((_, index) => new Option(say("gates.layer", { layer: index }), String(index))),
    );
    this.#select.value = String(layer);
  }
}
