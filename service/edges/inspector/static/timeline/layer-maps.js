/** The heat maps of a layer: the same units in the same order in each of them. */

import { element } from "../elements.js";
import { HeatMap } from "./heat-map.js";
import { onLanguageChange, say } from "../texts.js";
import { UnitRows } from "./unit-rows.js";

/** @import {Position} from "../cursor.js" */
/** @import {Layer} from "../model.js" */
/** @import {Ordering, TensorSource} from "./tensor-source.js" */
/** @import {Tiles} from "./tiles.js" */
/** @import {View} from "./view.js" */

/**
 * What is shown of a layer: its gates, which the model names, and what came of them.
 *
 * @param {Layer} layer
 */
function shownOf({ gates }) {
  return [...gates, "hidden"];
}

/** Fires "change" when there is something else to draw. */
export class LayerMaps extends EventTarget {
  #title = element("h3");
  #units = element("span");
  #slider = element("input", { type: "range", min: "0", value: "0" });
  #shown = element("output");
  /** @type {Map<string, {mean: Float64Array, deviation: Float64Array}>} by tensor */
  #spreads = new Map();

  /** @param {Layer} layer */
  constructor(layer) {
    super();
    this.number = layer.layer;
    this.rows = new UnitRows(layer.hidden_size * layer.lanes);
    this.maps = shownOf(layer).map((gate) => new HeatMap(layer.layer, gate, this.rows));
    const name = element("summary", {}, this.#title, " ", this.#units);
    const maps = this.maps.map((map) => map.node);
    this.node = element("details", { className: "layer", open: true }, name, this.#buildWindow(), ...maps);
    this.node.addEventListener("toggle", () => this.dispatchEvent(new Event("change")));
    this.#relabel();
    onLanguageChange(() => this.#relabel());
  }

  /**
   * @param {TensorSource} source
   * @param {Ordering} by
   * @param {string} gate that the order follows from, where it follows from one
   * @param {boolean} standardised
   */
  async arrange(source, by, gate, standardised) {
    const gates = standardised ? this.maps.map((map) => map.gate) : [];
    const [order, ...spreads] = await Promise.all([
      source.order(gate, this.number, by),
      ...gates.map((one) => source.spread(one, this.number)),
    ]);
    this.rows.reorder(order);
    this.#spreads = new Map(gates.map((one, index) => [one, spreads[index]]));
  }

  /** @param {Tiles} tiles @param {View} view */
  draw(tiles, view) {
    if (!this.node.open) {
      return;
    }
    for (const map of this.maps) {
      if (map.near) {
        map.draw(tiles, view, this.#spreads.get(map.gate) ?? null);
      }
    }
  }

  /** @param {Position} position */
  mark({ layer, gate, unit }) {
    this.node.style.setProperty("--row", String(this.rows.rowOf(unit)));
    this.node.classList.toggle("marked", layer === this.number);
    for (const map of this.maps) {
      map.node.classList.toggle("marked", layer === this.number && map.gate === gate);
    }
    this.#tellWindow();
  }

  /** A slider through the units, where there are too many to draw at once. */
  #buildWindow() {
    this.#slider.max = String(this.rows.units - this.rows.count);
    this.#slider.addEventListener("input", () => {
      this.rows.scrollTo(Number(this.#slider.value));
      this.#tellWindow();
      this.dispatchEvent(new Event("change"));
    });
    const node = element("div", { className: "unit-window" }, this.#slider, this.#shown);
    node.hidden = this.rows.units === this.rows.count;
    return node;
  }

  #tellWindow() {
    const { first, count, units } = this.rows;
    this.#slider.value = String(first);
    this.#shown.value = say("gates.window", { first, last: first + count - 1, units });
  }

  #relabel() {
    this.#title.textContent = say("gates.layer", { layer: this.number });
    this.#units.textContent = say("gates.units", { units: this.rows.units });
    this.#slider.ariaLabel = say("gates.window-label", { layer: this.number });
    this.#tellWindow();
  }
}
