/** An input that flows by, coloured by what one unit did at each step, with the unit's gates below. */

import { valuesOf } from "../blocks.js";
import { coloursOf, entryOf, inkOn, onSchemeChange } from "../colours.js";
import { byId, byIdOf, contextOf } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import { inkOf } from "../timeline/window-canvas.js";
import { glyph, markingInWords, tensorInWords, withUnit } from "../words.js";

/** @import {Blocks} from "../blocks.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Ink} from "../timeline/window-canvas.js" */

/** @typedef {{layer: number, tensor: string, unit: number, marking: string | null}} Target */

const GATES = ["reset", "update", "candidate", "hidden"];
/** CSS pixels of a step, and steps in a second. */
const PACE = { text: { cell: 11, rate: 9 }, values: { cell: 4, rate: 30 } };
const TOP = { text: 30, values: 84 };
const STRIP = 34;
const GAP = 6;
/** Left of the strips, where there is room for their names. */
const GUTTER = 74;
const WIDE = 560;
/** Where the step of the moment is: most of what can be seen is past. */
const NOW = 0.7;
/** Steps are read so far ahead. */
const AHEAD = 400;

export class Flow {
  #stage;
  #canvas = byIdOf("flow", HTMLCanvasElement);
  #button = byId("flow-play");
  /** @type {Target | null} */
  #target = null;
  /** @type {OpenTrace | null} */
  #trace = null;
  /** @type {Map<string, Blocks<number>>} by tensor */
  #values = new Map();
  /** The numbers of the input that are drawn in place of a text. @type {((step: number) => number) | null} */
  #column = null;
  /** @type {[number, number]} */
  #span = [0, 1];
  #now = 0;
  #playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  #isSeen = false;
  #frame = 0;
  #last = 0;

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    for (const type of ["trace", "more"]) {
      stage.addEventListener(type, () => this.#turn(type === "trace"));
    }
    this.#button.addEventListener("click", () => this.#play(!this.#playing));
    this.#canvas.addEventListener("click", ({ offsetX }) => {
      this.#go(Math.floor(this.#first() + (offsetX - this.#gutter()) / this.#cell()));
    });
    this.#canvas.addEventListener("keydown", (event) => this.#press(event));
    new IntersectionObserver(([entry]) => this.#see(entry.isIntersecting)).observe(this.#canvas);
    new ResizeObserver(() => this.#schedule()).observe(this.#canvas);
    onSchemeChange(() => this.#schedule());
    onLanguageChange(() => this.relabel());
    this.#play(this.#playing);
  }

  /** @param {Target | null} target */
  look(target) {
    this.#target = target;
    this.#turn(true);
  }

  relabel() {
    this.#button.textContent = say(this.#playing ? "flow.pause" : "flow.play");
    const target = this.#target;
    if (target !== null) {
      const { layer, unit } = target;
      const tensor = tensorInWords(target.tensor);
      byId("flow-caption").textContent = this.#isText()
        ? say("text.caption", { tensor, layer, unit })
        : say("flow.values", { column: this.#columnName(), tensor, layer, unit });
      this.#canvas.ariaLabel = say("flow.label", { layer, unit });
      this.#canvas.ariaRoleDescription = say("chart.role");
    }
    this.#schedule();
  }

  /** @param {boolean} anew whether it is another trace */
  #turn(anew) {
    const [target, { trace }] = [this.#target, this.#stage];
    this.#trace = trace;
    if (target === null || trace === null || trace.described.layers[target.layer] === undefined) {
      this.#values.clear();
      return;
    }
    if (anew) {
      const { layer, unit } = target;
      const there = GATES.filter((gate) => trace.tensors(layer).includes(gate));
      this.#values = new Map(there.map((gate) => [gate, valuesOf(trace, layer, gate, unit)]));
      this.#values.forEach((values) => values.addEventListener("arrived", () => this.#schedule()));
      this.#now = Math.min(trace.steps - 1, Math.floor(this.#across() * NOW));
    }
    this.#column = this.#isText() ? null : columnOf(trace, target.marking);
    this.#span = this.#column === null ? [0, 1] : spanOf(this.#column, trace.steps);
    this.relabel();
  }

  #isText() {
    return !Array.isArray(this.#trace?.inputs[0]);
  }

  #columnName() {
    const input = this.#trace?.model.input;
    const marking = this.#target?.marking ?? null;
    const index = marking === null ? 0 : (input?.names.indexOf(marking) ?? -1);
    return input === undefined || index < 0 ? markingInWords(marking ?? "") : withUnit(input.names[index], input.units[index]);
  }

  #pace() {
    return PACE[this.#isText() ? "text" : "values"];
  }

  #gutter() {
    return this.#canvas.clientWidth >= WIDE ? GUTTER : 0;
  }

  #width() {
    return Math.max(1, this.#canvas.clientWidth - this.#gutter());
  }

  /** Few steps are drawn wider. */
  #cell() {
    const { cell } = this.#pace();
    return Math.max(cell, Math.min(3 * cell, this.#width() / Math.max(1, this.#trace?.steps ?? 1)));
  }

  /** How many steps can be seen. */
  #across() {
    return this.#width() / this.#cell();
  }

  /** The step at the left edge, with the part of it that has gone by. */
  #first() {
    const most = (this.#trace?.steps ?? 0) - this.#across();
    return Math.max(0, Math.min(most, this.#now + 0.5 - this.#across() * NOW));
  }

  /** @param {boolean} isPlaying */
  #play(isPlaying) {
    this.#playing = isPlaying;
    this.#last = 0;
    this.#button.ariaPressed = String(isPlaying);
    this.relabel();
  }

  /** @param {boolean} isSeen */
  #see(isSeen) {
    this.#isSeen = isSeen;
    this.#last = 0;
    this.#schedule();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    if (event.key === " ") {
      event.preventDefault();
      this.#play(!this.#playing);
    } else if (event.key in steps) {
      event.preventDefault();
      this.#go(Math.floor(this.#now) + steps[/** @type {keyof typeof steps} */ (event.key)]);
    }
  }

  /** Stop at a step, and have all views look at it. @param {number} step */
  #go(step) {
    const [target, trace] = [this.#target, this.#trace];
    if (target === null || trace === null) {
      return;
    }
    this.#now = Math.max(0, Math.min(trace.steps - 1, step));
    this.#play(false);
    const { layer, tensor: gate, unit } = target;
    this.#stage.cursor.move({ layer, gate, unit, step: this.#now });
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame((time) => {
      this.#frame = 0;
      this.#advance(time);
      this.#draw();
    });
  }

  /** @param {number} time in milliseconds */
  #advance(time) {
    const steps = this.#trace?.steps ?? 0;
    if (!this.#playing || !this.#isSeen || steps === 0 || this.#values.size === 0) {
      this.#last = 0;
      return;
    }
    // After a pause, or in a page that was hidden, it goes on from where it was.
    const passed = this.#last === 0 ? 0 : Math.min(100, time - this.#last);
    this.#last = time;
    this.#now += (passed / 1000) * this.#pace().rate;
    if (this.#now >= steps) {
      this.#now = 0;
    }
    this.#schedule();
  }

  #draw() {
    const [canvas, trace, target] = [this.#canvas, this.#trace, this.#target];
    const width = canvas.clientWidth;
    if (trace === null || target === null || this.#values.size === 0 || width === 0) {
      return;
    }
    const top = TOP[this.#isText() ? "text" : "values"];
    const height = top + this.#values.size * (STRIP + GAP);
    const ratio = devicePixelRatio;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) {
      Object.assign(canvas, { width: across, height: down });
      canvas.style.height = `${height}px`;
    }
    const context = contextOf(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const gutter = this.#gutter();
    const [first, cell] = [this.#first(), this.#cell()];
    const from = Math.max(0, Math.floor(first));
    const to = Math.min(trace.steps, Math.ceil(first + this.#across()) + 1);
    this.#values.forEach((values) => values.need(from, to + AHEAD));
    canvas.ariaBusy = String(![...this.#values.values()].every((values) => values.has(from, to)));
    const ink = inkOf(canvas);
    const x = (/** @type {number} */ step) => gutter + (step - first) * cell;
    const shown = { context, ink, from, to, x, cell, gutter, width };
    context.save();
    context.beginPath();
    context.rect(gutter, 0, width - gutter, height);
    context.clip();
    if (this.#column === null) {
      this.#drawText(shown, trace, target.tensor, top);
    } else {
      this.#drawColumn(shown, this.#column, target.tensor, top);
    }
    [...this.#values].forEach(([tensor, values], index) => {
      drawStrip(shown, tensor, values, top + GAP + index * (STRIP + GAP), tensor === target.tensor);
    });
    context.fillStyle = ink.mark;
    context.fillRect(Math.round(x(Math.floor(this.#now) + 0.5)), 0, 1.5, height);
    context.restore();
    [...this.#values.keys()].forEach((tensor, index) => {
      nameStrip(shown, tensor, top + GAP + index * (STRIP + GAP), tensor === target.tensor);
    });
  }

  /** @param {Shown} shown @param {OpenTrace} trace @param {string} tensor @param {number} top */
  #drawText({ context, ink, from, to, x, cell }, trace, tensor, top) {
    const colours = coloursOf(tensor);
    context.font = `14px ${ink.mono}`;
    context.textAlign = "center";
    for (let step = from; step < to; step += 1) {
      const value = this.#values.get(tensor)?.at(step) ?? NaN;
      const colour = Number.isNaN(value) ? undefined : colours.table[entryOf(value, colours)];
      context.fillStyle = colour ? `rgb(${colour.join(" ")})` : "transparent";
      context.fillRect(x(step), 2, cell + 0.5, top - 6);
      context.fillStyle = colour ? inkOn(colour) : ink.text;
      const text = String(trace.inputs[step]);
      context.fillText(text === " " ? "" : Array.from(glyph(text))[0], x(step) + cell / 2, top / 2 + 4);
    }
  }

  /** The column and what the unit did, over each other: each from its least to its greatest value. */
  #drawColumn(/** @type {Shown} */ shown, /** @type {(step: number) => number} */ column, /** @type {string} */ tensor, /** @type {number} */ top) {
    const { low, high } = coloursOf(tensor);
    const inner = { top: 4, height: top - 10 };
    drawLine(shown, column, this.#span, inner, shown.ink.text);
    drawLine(shown, (step) => this.#values.get(tensor)?.at(step) ?? NaN, [low, high], inner, shown.ink.accent);
  }
}

/**
 * @typedef {object} Shown
 * @property {CanvasRenderingContext2D} context
 * @property {Ink} ink
 * @property {number} from first step that is drawn
 * @property {number} to the one behind the last
 * @property {(step: number) => number} x of its left edge
 * @property {number} cell width of a step
 * @property {number} gutter left of the first step
 * @property {number} width of all
 */

/**
 * @param {Shown} shown
 * @param {string} tensor
 * @param {Blocks<number>} values
 * @param {number} top
 * @param {boolean} isChosen
 */
function drawStrip(shown, tensor, values, top, isChosen) {
  const { context, ink, gutter, width } = shown;
  const { low, high } = coloursOf(tensor);
  context.strokeStyle = ink.line;
  context.strokeRect(gutter + 0.5, top + 0.5, width - gutter - 1, STRIP - 1);
  const inner = { top: top + 3, height: STRIP - 6 };
  drawLine(shown, (step) => values.at(step) ?? NaN, [low, high], inner, isChosen ? ink.accent : ink.text);
}

/** @param {Shown} shown @param {string} tensor @param {number} top @param {boolean} isChosen */
function nameStrip({ context, ink, gutter }, tensor, top, isChosen) {
  const label = tensorInWords(tensor);
  context.font = `${isChosen ? "bold " : ""}12px sans-serif`;
  context.fillStyle = isChosen ? ink.accent : ink.muted;
  if (gutter > 0) {
    context.textAlign = "right";
    context.fillText(label, gutter - 8, top + STRIP / 2 + 4);
    return;
  }
  // Within the strip, on a ground that hides as little of the line as can be.
  context.textAlign = "left";
  const { width } = context.measureText(label);
  context.globalAlpha = 0.75;
  context.fillStyle = ink.panel;
  context.fillRect(2, top + 2, width + 6, 15);
  context.globalAlpha = 1;
  context.fillStyle = isChosen ? ink.accent : ink.muted;
  context.fillText(label, 5, top + 14);
}

/**
 * @param {Shown} shown
 * @param {(step: number) => number} at NaN: nothing
 * @param {[number, number]} span
 * @param {{top: number, height: number}} room
 * @param {string} colour
 */
function drawLine({ context, from, to, x, cell }, at, [low, high], { top, height }, colour) {
  context.beginPath();
  let isDown = false;
  for (let step = from; step < to; step += 1) {
    const value = at(step);
    if (Number.isNaN(value)) {
      isDown = false;
      continue;
    }
    const y = top + height * (1 - Math.max(0, Math.min(1, (value - low) / (high - low || 1))));
    if (isDown) {
      context.lineTo(x(step) + cell / 2, y);
    } else {
      context.moveTo(x(step) + cell / 2, y);
    }
    isDown = true;
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.6;
  context.stroke();
  context.lineWidth = 1;
}

const CHANGE_OF = "change of ";

/** The numbers that a marking of values is made from. @param {OpenTrace} trace @param {string | null} marking */
function columnOf({ inputs, model }, marking) {
  const { names } = model.input;
  const isChange = marking !== null && !names.includes(marking) && marking.startsWith(CHANGE_OF);
  const name = isChange ? marking.slice(CHANGE_OF.length) : marking;
  const index = Math.max(0, name === null ? 0 : names.indexOf(name));
  const at = (/** @type {number} */ step) => {
    const row = inputs[step];
    return Array.isArray(row) ? (row[index] ?? NaN) : NaN;
  };
  return isChange ? (/** @type {number} */ step) => at(step) - at(step - 1) : at;
}

/** @param {(step: number) => number} at @param {number} steps @returns {[number, number]} */
function spanOf(at, steps) {
  let [low, high] = [Infinity, -Infinity];
  for (let step = 0; step < steps; step += 1) {
    const value = at(step);
    if (!Number.isNaN(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low < high ? [low, high] : [low - 1, low + 1];
}
