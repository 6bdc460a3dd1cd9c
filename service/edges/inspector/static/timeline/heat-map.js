/** One gate of one layer as a picture: units downwards, time steps to the right. */

import { coloursOf, pixelsOf } from "../colours.js";
import { contextOf, element } from "../elements.js";
import { onLanguageChange, say, sayIfKnown } from "../texts.js";
import { decimal, tensorInWords } from "../words.js";

/** @import {TensorWindow} from "./tensor-source.js" */
/** @import {Tiles} from "./tiles.js" */
/** @import {UnitRows} from "./unit-rows.js" */
/** @import {View} from "./view.js" */

/** Pixels of a column that stands for several steps: one for the least value, one for the greatest. */
const REDUCED_WIDTH = 2;

/**
 * The canvas holds one pixel a cell, of what can be seen alone; the style sheet scales it, so that
 * drawing stays cheap.
 */
export class HeatMap {
  #legend = element("canvas", { className: "legend-bar", width: 256, height: 1 });
  #ends = [element("span"), element("span")];
  #edges = [element("span"), element("span")];
  #title = element("h4");
  #hint = element("span", { className: "hint" });
  #plot;
  #rows;
  #steps = 0;

  /**
   * @param {number} layer
   * @param {string} gate
   * @param {UnitRows} rows of the layer
   */
  constructor(layer, gate, rows) {
    this.layer = layer;
    this.gate = gate;
    this.#rows = rows;
    this.canvas = element("canvas", { className: "heat-map", tabIndex: 0, role: "application" });
    this.canvas.setAttribute("aria-describedby", "keys");
    this.canvas.dataset.layer = String(layer);
    this.canvas.dataset.gate = gate;
    this.#plot = element("div", { className: "plot" }, this.canvas);
    this.node = this.#build();
    /** Whether it is near enough to what can be seen of the page to be drawn. */
    this.near = false;
    this.#relabel();
    onLanguageChange(() => this.#relabel());
  }

  /** What is drawn is not what should be. */
  outdate() {
    this.canvas.ariaBusy = "true";
  }

  /**
   * @param {Tiles} tiles
   * @param {View} view
   * @param {{mean: Float64Array, deviation: Float64Array} | null} spread for z-scores
   */
  draw(tiles, view, spread) {
    const [first, last] = [view.firstColumn, view.lastColumn];
    const found = tiles.covering(this.gate, this.layer, view.stepsPerColumn, first, last);
    const { count, cellHeight } = this.#rows;
    const colours = coloursOf(this.gate, spread !== null);
    const reduced = view.stepsPerColumn > 1;
    const pixelsPerColumn = reduced ? REDUCED_WIDTH : 1;
    const image = new ImageData(Math.max(1, (last - first) * pixelsPerColumn), count);
    const paint = new Painter(image, colours, this.#rows.shown(), spread);
    for (const tile of found.tiles) {
      paint.tile(tile, first, last, reduced);
    }
    Object.assign(this.canvas, { width: image.width, height: image.height });
    contextOf(this.canvas).putImageData(image, 0, 0);
    this.canvas.style.left = `${first * view.columnWidth}px`;
    this.canvas.style.width = `${(last - first) * view.columnWidth}px`;
    this.canvas.style.height = this.#plot.style.height = `${cellHeight * count}px`;
    this.#plot.style.setProperty("--cell-height", `${cellHeight}px`);
    this.#steps = view.steps;
    this.#tellUnits();
    this.#drawLegend(colours);
    this.canvas.ariaBusy = String(!found.complete);
  }

  /** @param {import("../colours.js").Colours} colours */
  #drawLegend(colours) {
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(pixelsOf(colours));
    contextOf(this.#legend).putImageData(image, 0, 0);
    this.#ends[0].textContent = decimal(colours.low, 0);
    this.#ends[1].textContent = decimal(colours.high, 0);
  }

  #tellUnits() {
    const shown = this.#rows.shown();
    const edge = (/** @type {number} */ unit) => say("map.first-unit", { unit });
    this.#edges[0].textContent = edge(shown[0]);
    this.#edges[1].textContent = shown.length > 1 ? String(shown[shown.length - 1]) : "";
    this.canvas.ariaLabel = say("map.label", {
      layer: this.layer,
      tensor: tensorInWords(this.gate),
      units: this.#rows.units,
      steps: this.#steps,
    });
  }

  #relabel() {
    this.#title.textContent = tensorInWords(this.gate);
    this.#hint.textContent = sayIfKnown(`map.${this.gate}`, "");
    this.canvas.ariaRoleDescription = say("map.role");
    this.#tellUnits();
  }

  #build() {
    const [low, high] = this.#ends;
    const legend = element("span", { className: "legend" }, low, this.#legend, high);
    this.#legend.ariaHidden = "true";
    const head = element("div", { className: "row-head" }, this.#title, this.#hint, legend);
    const gutter = element("div", { className: "gutter", ariaHidden: "true" }, ...this.#edges);
    return element("div", { className: "map" }, head, element("div", { className: "row" }, gutter, this.#plot));
  }
}

/** Puts values into an image by a colour table. */
class Painter {
  #target;
  #width;
  #pixels;
  #low;
  #scale;
  #units;
  #spread;

  /**
   * @param {ImageData} image
   * @param {import("../colours.js").Colours} colours
   * @param {number[]} units of its rows
   * @param {{mean: Float64Array, deviation: Float64Array} | null} spread
   */
  constructor(image, colours, units, spread) {
    this.#target = new Uint32Array(image.data.buffer);
    this.#width = image.width;
    this.#pixels = pixelsOf(colours);
    this.#low = colours.low;
    this.#scale = 256 / (colours.high - colours.low);
    this.#units = units;
    this.#spread = spread;
  }

  /**
   * @param {TensorWindow} tile
   * @param {number} first column of the image
   * @param {number} last column behind it
   * @param {boolean} reduced
   */
  tile(tile, first, last, reduced) {
    const begin = Math.floor(tile.from / tile.stepsPerColumn);
    const [from, to] = [Math.max(first, begin), Math.min(last, begin + tile.columns)];
    const units = tile.low.length / Math.max(1, tile.columns);
    for (let column = from; column < to; column += 1) {
      const [source, target] = [(column - begin) * units, column - first];
      if (reduced) {
        this.#column(tile.low, source, REDUCED_WIDTH * target);
        this.#column(tile.high, source, REDUCED_WIDTH * target + 1);
      } else {
        this.#column(tile.low, source, target);
      }
    }
  }

  /** @param {Float32Array} values @param {number} from @param {number} x */
  #column(values, from, x) {
    // Local names: this is the innermost loop of all drawing.
    const [target, width, pixels, units] = [this.#target, this.#width, this.#pixels, this.#units];
    const [low, scale, spread] = [this.#low, this.#scale, this.#spread];
    for (let row = 0, at = x; row < units.length; row += 1, at += width) {
      const unit = units[row];
      let value = values[from + unit];
      if (spread !== null) {
        value = (value - spread.mean[unit]) / (spread.deviation[unit] || Infinity);
      }
      const entry = (value - low) * scale;
      // NaN is no entry: where there is no value, the page shows through.
      if (entry === entry) {
        target[at] = pixels[entry <= 0 ? 0 : entry >= 255 ? 255 : entry | 0];
      }
    }
  }
}
