/** Numbers of the time steps, and their characters where there is room for them. */

import { element } from "./elements.js";
import { WindowCanvas } from "./window-canvas.js";
import { glyph } from "./words.js";

const STRIDES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const LABEL_WIDTH = 44;
const CHARACTER_WIDTH = 8;
const NUMBERS_HEIGHT = 20;
const CHARACTERS_HEIGHT = 37;

export class TimeAxis {
  #surface = new WindowCanvas("Time steps");

  constructor() {
    const plot = element("div", { className: "plot" }, this.#surface.canvas);
    const gutter = element("div", { className: "gutter", ariaHidden: "true" }, element("span", {}, "step"));
    this.node = element("div", { className: "row axis" }, gutter, plot);
  }

  /**
   * @param {import("./trace.js").Trace} trace
   * @param {import("./window-canvas.js").Window} window
   */
  draw(trace, window) {
    const stride = STRIDES.find((each) => each * window.cell >= LABEL_WIDTH) ?? 2000;
    const last = Math.min(window.last, trace.steps - 1);
    const spelled = window.cell >= CHARACTER_WIDTH && typeof trace.inputs[0] === "string";
    const height = spelled ? CHARACTERS_HEIGHT : NUMBERS_HEIGHT;
    this.#surface.draw(window, height, (context, ink) => {
      context.textAlign = "center";
      context.font = `11px ${ink.mono}`;
      context.fillStyle = ink.muted;
      for (let step = Math.ceil(window.first / stride) * stride; step <= last; step += stride) {
        const x = (step + 0.5) * window.cell;
        context.fillText(String(step), Math.max(x, window.left + 4), 11);
        context.fillRect(x - 0.5, 14, 1, 4);
      }
      if (spelled) {
        drawCharacters(context, ink, trace, window, last);
      }
    });
  }
}

function drawCharacters(context, ink, trace, window, last) {
  context.font = `${Math.min(15, window.cell + 3)}px ${ink.mono}`;
  context.fillStyle = ink.text;
  for (let step = window.first; step <= last; step += 1) {
    context.fillText(glyph(trace.inputs[step]), (step + 0.5) * window.cell, 32);
  }
}
