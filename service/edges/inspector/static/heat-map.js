/** One gate of one layer as a picture: units downwards, time steps to the right. */

import { coloursOf, entryOf, pixelsOf } from "./colours.js";
import { element } from "./elements.js";
import { decimal } from "./words.js";

const MEANINGS = {
  reset: "near 0 the history is dropped when the candidate is formed",
  update: "near 1 the candidate is written, near 0 the past is kept",
  candidate: "what would be written",
  hidden: "the state that came out",
};
const TARGET_HEIGHT = 144;
const TALLEST_CELL = 14;

/** The canvas holds one pixel a cell; the style sheet scales it, so that drawing stays cheap. */
export class HeatMap {
  constructor(layer, gate, units) {
    this.layer = layer;
    this.gate = gate;
    this.units = units;
    this.cellHeight = Math.max(1, Math.min(TALLEST_CELL, Math.floor(TARGET_HEIGHT / units)));
    this.canvas = element("canvas", {
      className: "heat-map",
      tabIndex: 0,
      role: "application",
      ariaRoleDescription: "heat map",
    });
    this.canvas.setAttribute("aria-describedby", "keys");
    Object.assign(this.canvas.dataset, { layer, gate });
    this.legend = element("canvas", { className: "legend-bar", width: 256, height: 1 });
    this.node = this.#build();
  }

  /**
   * @param {import("./trace.js").Matrix} matrix
   * @param {number} cell width of a time step in CSS pixels
   */
  draw(matrix, cell) {
    const { units, steps, values } = matrix;
    const colours = coloursOf(this.gate);
    const pixels = pixelsOf(colours);
    const image = new ImageData(Math.max(1, steps), units);
    const target = new Uint32Array(image.data.buffer);
    for (let step = 0; step < steps; step += 1) {
      for (let unit = 0; unit < units; unit += 1) {
        target[unit * steps + step] = pixels[entryOf(values[step * units + unit], colours)];
      }
    }
    Object.assign(this.canvas, { width: image.width, height: units });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.canvas.style.width = `${cell * steps}px`;
    this.canvas.style.height = `${this.cellHeight * units}px`;
    this.canvas.ariaLabel = `layer ${this.layer}, ${this.gate}: ${units} units, ${steps} steps`;
    this.#drawLegend(pixels);
  }

  #drawLegend(pixels) {
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(pixels);
    this.legend.getContext("2d").putImageData(image, 0, 0);
  }

  #build() {
    const { low, high } = coloursOf(this.gate);
    const number = (value) => element("span", {}, decimal(value, 0));
    const legend = element("span", { className: "legend" }, number(low), this.legend, number(high));
    const head = element(
      "div",
      { className: "row-head" },
      element("h4", {}, this.gate),
      element("span", { className: "hint" }, MEANINGS[this.gate]),
      legend,
    );
    const gutter = element(
      "div",
      { className: "gutter", ariaHidden: "true" },
      element("span", {}, this.units > 1 ? "unit 0" : ""),
      element("span", {}, String(this.units - 1)),
    );
    const plot = element("div", { className: "plot" }, this.canvas);
    plot.style.setProperty("--cell-height", `${this.cellHeight}px`);
    return element("div", { className: "map" }, head, element("div", { className: "row" }, gutter, plot));
  }
}
