/** Numbers of the time steps, and their characters where there is room for them. */

import { element } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import { WindowCanvas } from "./window-canvas.js";
import { glyph } from "../words.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {View} from "./view.js" */
/** @import {Ink} from "./window-canvas.js" */

const LABEL_WIDTH = 44;
const CHARACTER_WIDTH = 8;
const NUMBERS_HEIGHT = 20;
const CHARACTERS_HEIGHT = 37;

export class TimeAxis {
  #surface = new WindowCanvas();
  #name = element("span");

  constructor() {
    const plot = element("div", { className: "plot" }, this.#surface.canvas);
    this.gutter = element("div", { className: "gutter", ariaHidden: "true" }, this.#name);
    this.node = element("div", { className: "row axis" }, this.gutter, plot);
    this.#relabel();
    onLanguageChange(() => this.#relabel());
  }

  #relabel() {
    this.#name.textContent = say("axis.step");
    this.#surface.canvas.ariaLabel = say("axis.label");
  }

  /** @param {OpenTrace} trace @param {View} view */
  draw(trace, view) {
    const stride = strideOf(view.cell);
    const last = Math.min(view.last, trace.steps - 1);
    const spelled = view.cell >= CHARACTER_WIDTH && typeof trace.inputs[0] === "string";
    const height = spelled ? CHARACTERS_HEIGHT : NUMBERS_HEIGHT;
    this.#surface.draw(view, height, (context, ink) => {
      context.font = `11px ${ink.mono}`;
      context.fillStyle = ink.muted;
      for (let step = Math.ceil(view.first / stride) * stride; step <= last; step += stride) {
        const x = (step + 0.5) * view.cell;
        const halfWidth = context.measureText(String(step)).width / 2;
        context.fillText(String(step), Math.max(x - halfWidth, view.left), 11);
        context.fillRect(x - 0.5, 14, 1, 4);
      }
      if (spelled) {
        drawCharacters(context, ink, trace, view, last);
      }
    });
  }
}

/** 1, 2, 5, 10, 20, …: the first that leaves room for its number. @param {number} cell */
function strideOf(cell) {
  for (let power = 1; ; power *= 10) {
    const stride = [1, 2, 5].find((factor) => factor * power * cell >= LABEL_WIDTH);
    if (stride !== undefined) {
      return stride * power;
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Ink} ink
 * @param {OpenTrace} trace
 * @param {View} view
 * @param {number} last
 */
function drawCharacters(context, ink, trace, view, last) {
  context.font = `${Math.min(15, view.cell + 3)}px ${ink.mono}`;
  context.fillStyle = ink.text;
  context.textAlign = "center";
  for (let step = view.first; step <= last; step += 1) {
    context.fillText(glyph(String(trace.inputs[step])), (step + 0.5) * view.cell, 32);
  }
}
