/** Shares of what a unit holds as bars over the steps at which it was written, above what was read. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { glyph } from "../words.js";
import { directionOf, Drawing } from "./drawing.js";
import { share } from "./figures.js";
import { isOfCharacters } from "./marked-steps.js";
import { Scale } from "./scale.js";

/** @import {Step} from "../model.js" */
/** @import {Palette} from "./drawing.js" */

/**
 * @typedef {object} Weights
 * @property {string} label
 * @property {number} begin the first step
 * @property {number[]} weights
 * @property {Step[]} inputs of the same steps
 * @property {string[]} names of the inputs' columns
 */

const LEFT = 40;
const RIGHT = 8;
const TOP = 8;
const BARS = 110;
/** Below the bars, for what was read. */
const LINES = 44;
const CHARACTERS = 26;
const NOTHING = 4;
const STEPS = 20;
/** Below that a bar stands for several steps, and is as high as all of them together. */
const THINNEST = 2;
const CHARACTER = 8;
const TICK_ROOM = 60;
const MOST_LINES = 3;
const DASHES = [[], [4, 3], [1, 3]];
const SAMPLES = ["—", "– –", "···"];

export class WeightBars {
  #choose;
  /** @type {Weights} */
  #shown = { label: "", begin: 0, weights: [], inputs: [], names: [] };
  #inputsHeight = NOTHING;
  #drawing = new Drawing(TOP + BARS + NOTHING + STEPS, (...room) => this.#paint(...room));
  #figure = this.#drawing.node;
  #key = element("p", { className: "hint" });
  node = element("div", {}, this.#figure, this.#key);

  /** @param {(step: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.#figure.addEventListener("click", ({ offsetX }) => choose(this.#stepAt(offsetX)));
    this.#figure.addEventListener("pointermove", ({ offsetX }) => this.#name(this.#stepAt(offsetX)));
    this.#figure.addEventListener("keydown", (event) => this.#press(event));
  }

  /** @param {Weights} weights */
  show(weights) {
    this.#shown = weights;
    this.#figure.ariaLabel = weights.label;
    this.#figure.ariaRoleDescription = say("chart.role");
    const isValues = Array.isArray(weights.inputs[0]);
    const names = weights.names.slice(0, MOST_LINES).map((name, line) => `${SAMPLES[line]} ${name}`);
    this.#key.textContent = isValues ? say("attribution.lines", { names: names.join(say("list.comma")) }) : "";
    this.#drawing.redraw();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const direction = directionOf(event);
    const { begin, weights } = this.#shown;
    const now = begin + weights.length - 1;
    if (direction === "Home") {
      this.#choose(begin);
    } else if (direction === "ArrowLeft") {
      this.#choose(Math.max(0, now - 1));
    } else if (direction === "ArrowRight") {
      // The stage knows where the trace ends; whoever chooses keeps within it.
      this.#choose(now + 1);
    }
  }

  /** @param {number} x */
  #stepAt(x) {
    const { begin, weights } = this.#shown;
    const place = Math.floor((x - LEFT) / this.#cell(this.#drawing.width));
    return begin + Math.max(0, Math.min(weights.length - 1, place));
  }

  /** @param {number} step */
  #name(step) {
    const { begin, weights } = this.#shown;
    this.#figure.title = say("attribution.point", { step, share: share(weights[step - begin] ?? 0) });
  }

  /** Width of a step. @param {number} width */
  #cell(width) {
    return (width - LEFT - RIGHT) / Math.max(1, this.#shown.weights.length);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette */
  #paint(context, width, palette) {
    const { weights } = this.#shown;
    const cell = this.#cell(width);
    const stepsPerBar = Math.max(1, Math.ceil(THINNEST / cell));
    const sums = Array.from({ length: Math.ceil(weights.length / stepsPerBar) }, (_, bar) =>
      weights.slice(bar * stepsPerBar, (bar + 1) * stepsPerBar).reduce((sum, weight) => sum + weight, 0),
    );
    const scale = new Scale(Math.min(0, ...sums), Math.max(0, ...sums));
    const y = (/** @type {number} */ value) => TOP + BARS * (1 - scale.place(value));
    this.#makeRoom(cell);
    this.#frame(context, width, palette, scale);
    context.fillStyle = palette.accent;
    const thick = cell * stepsPerBar;
    const gap = thick > 6 ? 1 : 0;
    sums.forEach((sum, bar) => {
      context.fillRect(LEFT + bar * thick + gap / 2, Math.min(y(sum), y(0)), thick - gap, Math.abs(y(sum) - y(0)));
    });
    this.#inputs(context, cell, palette);
    context.fillStyle = palette.mark;
    context.fillRect(LEFT + (weights.length - 0.5) * cell - 1, TOP, 2, BARS);
  }

  /** As much as is drawn there. @param {number} cell */
  #makeRoom(cell) {
    const { inputs } = this.#shown;
    const isSpelled = cell >= CHARACTER && isOfCharacters(inputs);
    const height = Array.isArray(inputs[0]) ? LINES : isSpelled ? CHARACTERS : NOTHING;
    if (height !== this.#inputsHeight) {
      this.#inputsHeight = height;
      this.#drawing.resize(TOP + BARS + height + STEPS);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette @param {Scale} scale */
  #frame(context, width, palette, scale) {
    context.textAlign = "right";
    for (const tick of scale.ticks(3)) {
      const y = TOP + BARS * (1 - scale.place(tick));
      context.fillStyle = palette.line;
      context.fillRect(LEFT, y - 0.5, width - LEFT - RIGHT, 1);
      context.fillStyle = palette.muted;
      context.fillText(`${Math.round(100 * tick)} %`, LEFT - 5, y + 4);
    }
    const { begin, weights } = this.#shown;
    const cell = this.#cell(width);
    const bottom = TOP + BARS + this.#inputsHeight + STEPS;
    context.textAlign = "center";
    const steps = new Scale(begin, begin + weights.length - 1).ticks((width - LEFT - RIGHT) / TICK_ROOM);
    for (const step of steps.filter(Number.isInteger)) {
      const x = LEFT + (step - begin + 0.5) * cell;
      context.fillRect(x - 0.5, bottom - 19, 1, 4);
      context.fillText(String(step), Math.min(x, width - 16), bottom - 4);
    }
  }

  /** Characters where there is room for them, values as lines. @param {CanvasRenderingContext2D} context @param {number} cell @param {Palette} palette */
  #inputs(context, cell, palette) {
    const { inputs, names } = this.#shown;
    if (Array.isArray(inputs[0])) {
      names.slice(0, MOST_LINES).forEach((_, column) => {
        context.setLineDash(DASHES[column]);
        this.#line(context, cell, palette, column);
        context.setLineDash([]);
      });
    } else if (this.#inputsHeight === CHARACTERS) {
      context.font = `${Math.min(15, cell + 3)}px ${palette.mono}`;
      context.textAlign = "center";
      context.fillStyle = palette.text;
      inputs.forEach((input, place) => context.fillText(glyph(String(input)), LEFT + (place + 0.5) * cell, TOP + BARS + 20));
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} cell @param {Palette} palette @param {number} column */
  #line(context, cell, palette, column) {
    const values = this.#shown.inputs.map((row) => (Array.isArray(row) ? row[column] : null));
    const known = values.filter((value) => value !== null);
    const scale = new Scale(
      known.reduce((least, value) => Math.min(least, value), Infinity),
      known.reduce((most, value) => Math.max(most, value), -Infinity),
    );
    context.strokeStyle = palette.text;
    context.lineWidth = 1.2;
    context.beginPath();
    let isDown = false;
    values.forEach((value, place) => {
      if (value !== null) {
        const [x, y] = [LEFT + (place + 0.5) * cell, TOP + BARS + 4 + (LINES - 8) * (1 - scale.place(value))];
        context[isDown ? "lineTo" : "moveTo"](x, y);
      }
      isDown = value !== null;
    });
    context.stroke();
  }
}
