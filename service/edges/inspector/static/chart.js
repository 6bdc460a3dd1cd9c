/** One feature over time: what went in, and what the model said would come next. */

import { element } from "./elements.js";
import { WindowCanvas } from "./window-canvas.js";
import { measure, withUnit } from "./words.js";

const HEIGHT = 96;
const MARGIN = 8;

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {"text"|"accent"} ink
 * @property {(trace: import("./trace.js").Trace, step: number) => number|undefined} at undefined
 *   where there is no value, or it is missing
 */

export class Chart {
  #surface;
  #lines;
  #top = element("span");
  #bottom = element("span");

  /** @param {Line[]} lines */
  constructor(name, unit, lines) {
    this.#lines = lines;
    this.#surface = new WindowCanvas(`${name} over time`);
    const keys = lines.map(({ label, ink }) => element("span", { className: `key ink-${ink}` }, label));
    const head = element("div", { className: "row-head" }, element("h4", {}, withUnit(name, unit)), ...keys);
    const gutter = element("div", { className: "gutter", ariaHidden: "true" }, this.#top, this.#bottom);
    const plot = element("div", { className: "plot" }, this.#surface.canvas);
    this.node = element("div", { className: "map" }, head, element("div", { className: "row" }, gutter, plot));
  }

  /**
   * @param {import("./trace.js").Trace} trace
   * @param {import("./window-canvas.js").Window} window
   */
  draw(trace, window) {
    const [low, high] = this.#range(trace);
    this.#top.textContent = measure(high, "");
    this.#bottom.textContent = measure(low, "");
    const scale = (HEIGHT - 2 * MARGIN) / (high - low);
    const y = (value) => HEIGHT - MARGIN - scale * (value - low);
    this.#surface.draw(window, HEIGHT, (context, ink) => {
      drawGrid(context, ink, window);
      for (const line of this.#lines) {
        drawLine(context, ink[line.ink], trace, window, line, y);
      }
    });
  }

  /** Over the whole sequence, so that scrolling does not rescale. */
  #range(trace) {
    let [low, high] = [Infinity, -Infinity];
    for (const { at } of this.#lines) {
      for (let step = 0; step <= trace.steps; step += 1) {
        const value = at(trace, step);
        if (value !== undefined) {
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
    }
    return high > low ? [low, high] : [low - 1, high + 1];
  }
}

function drawGrid(context, ink, window) {
  context.fillStyle = ink.line;
  for (const y of [MARGIN, HEIGHT / 2, HEIGHT - MARGIN]) {
    context.fillRect(window.left, Math.round(y), window.width, 1);
  }
}

function drawLine(context, colour, trace, window, line, y) {
  const points = [];
  for (let step = Math.max(0, window.first - 1); step <= Math.min(window.last + 1, trace.steps); step += 1) {
    const value = line.at(trace, step);
    if (value !== undefined) {
      points.push([(step + 0.5) * window.cell, y(value)]);
    }
  }
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.6;
  context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, height]) => context.lineTo(x, height));
  context.stroke();
  // Dots show where the steps are, as long as they do not run into each other.
  if (window.cell >= 8 || points.length === 1) {
    points.forEach(([x, height]) => context.fillRect(x - 2, height - 2, 4, 4));
  }
}
