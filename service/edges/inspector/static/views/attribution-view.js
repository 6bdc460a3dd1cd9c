/** Which past steps the cursor's unit is holding now. */

import { coloursOf, entryOf, inkOn, onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { decimal, glyph, inputInWords } from "../words.js";
import { FigureTable } from "./figure-table.js";
import { share } from "./figures.js";
import { wordOf } from "./inputs.js";
import { View } from "./view.js";
import { WeightBars } from "./weight-bars.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

/**
 * @typedef {object} Held what a unit holds after a step, as shares of it
 * @property {number} begin the first step of `weights`
 * @property {number[]} weights
 * @property {number} rest of what it held before `begin`
 * @property {boolean} reachesStart
 */

/** Largest ones that are named, and those from which on. */
const MOST_NAMED = 3;
const LEAST_NAMED = 0.05;
/** What may lie further back than what is drawn, and how many steps are drawn at least. */
const LEFT_OUT = 0.005;
const LEAST_STEPS = 24;
const MOST_MARKS = 400;
const MOST_ROWS = 64;

export class AttributionView extends View {
  #summary = element("p", { className: "summary" });
  #bars = new WeightBars((step) => this.stage.cursor.move({ step: Math.min(step, (this.stage.trace?.steps ?? 1) - 1) }));
  #text = element("div", { className: "text", role: "group", tabIndex: 0 });
  #table = new FigureTable();
  /** @type {(() => void) | null} */
  #colour = null;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "attribution-view", title: "attribution.title", what: "attribution.what" });
    this.#text.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.step !== undefined) {
        stage.cursor.move({ step: Number(target.dataset.step) });
      }
    });
    onSchemeChange(() => this.#colour?.());
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, { layer, unit, step }) {
    const found = await trace.ask("attribution", { layer, unit, step: trace.first + step });
    /** @type {Held} */
    const held = {
      begin: found.from - trace.first,
      weights: found.weights,
      rest: found.rest,
      reachesStart: found.reaches_start,
    };
    this.#summary.textContent = inWords(trace, held, layer, unit, step);
    const begin = step + 1 - shownSteps(held);
    const shown = held.weights.slice(begin - held.begin);
    this.#bars.show({
      label: say("attribution.bars", { layer, unit, step }),
      begin,
      weights: shown,
      inputs: trace.inputs.slice(begin, step + 1),
      names: trace.model.input.names ?? [],
    });
    this.#showText(trace, begin, shown);
    this.#showTable(trace, held, step);
    if (!this.body.contains(this.#summary)) {
      this.body.replaceChildren(this.#summary, this.#bars.node, this.#text, this.#table.node);
    }
  }

  /** The last of the inputs that are drawn, each in the colour of its weight. @param {OpenTrace} trace @param {number} begin @param {number[]} weights */
  #showText(trace, begin, weights) {
    const isText = !Array.isArray(trace.inputs[begin]);
    this.#text.hidden = !isText;
    this.#text.ariaLabel = say("attribution.text");
    const from = Math.max(0, weights.length - MOST_MARKS);
    const shown = isText ? weights.slice(from) : [];
    const marks = shown.map((_, index) => markOf(trace, begin + from + index));
    this.#text.replaceChildren(...marks);
    this.#text.lastElementChild?.classList.add("marked");
    this.#colour = () => paint(marks, shown);
    this.#colour();
  }

  /** @param {OpenTrace} trace @param {Held} held @param {number} now */
  #showTable(trace, { begin, weights }, now) {
    const largest = weights.map((weight, index) => ({ weight, step: begin + index }));
    largest.sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight) || other.step - one.step);
    this.#table.show({
      caption: say("attribution.table", { count: Math.min(MOST_ROWS, largest.length), step: now }),
      head: say("axis.step"),
      columns: [say("attribution.input"), say("attribution.weight")],
      rows: largest.slice(0, MOST_ROWS).map(({ weight, step }) => ({
        name: String(step),
        cells: [inputOf(trace, step), decimal(weight, 4)],
        choose: () => this.stage.cursor.move({ step }),
      })),
    });
  }
}

/** Back to where nearly all of it is drawn. @param {Held} held */
function shownSteps({ weights }) {
  let left = weights.reduce((sum, weight) => sum + Math.abs(weight), 0) * LEFT_OUT;
  let first = 0;
  while (first < weights.length - LEAST_STEPS && left >= Math.abs(weights[first])) {
    left -= Math.abs(weights[first]);
    first += 1;
  }
  return weights.length - first;
}

/** @param {OpenTrace} trace @param {Held} held @param {number} layer @param {number} unit @param {number} now */
function inWords(trace, { begin, weights, rest, reachesStart }, layer, unit, now) {
  const named = weights
    .map((weight, index) => ({ weight, step: begin + index }))
    .filter(({ weight }) => Math.abs(weight) >= LEAST_NAMED)
    .sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight))
    .slice(0, MOST_NAMED);
  const parts = named.map(({ weight, step }) => {
    const input = inputInWords(trace.inputs[step]);
    const place = input ? say("attribution.at-input", { step, input }) : say("attribution.at", { step });
    return say("attribution.part", { share: share(weight), place });
  });
  const others = 1 - rest - named.reduce((sum, { weight }) => sum + weight, 0);
  const count = weights.length - named.length;
  if (count > 0) {
    const figures = { share: share(Math.abs(others) < 1e-9 ? 0 : others), count };
    parts.push(count === 1 ? say("attribution.other", figures) : say("attribution.others", figures));
  }
  parts.push(
    reachesStart
      ? say("attribution.start", { share: share(rest) })
      : say("attribution.rest", { share: share(rest), step: begin }),
  );
  return say("attribution.sentence", { layer, unit, step: now, parts: parts.join(say("list.comma")) });
}

/** @param {OpenTrace} trace @param {number} step */
function inputOf(trace, step) {
  const input = trace.inputs[step];
  return Array.isArray(input)
    ? input.map((value) => (value === null ? say("word.missing") : decimal(value))).join(", ")
    : inputInWords(input);
}

/** @param {OpenTrace} trace @param {number} step */
function markOf(trace, step) {
  const input = trace.inputs[step];
  const isCharacter = typeof input === "string" && trace.model.input.token !== "item";
  const text = input === "\n" ? `${glyph(input)}\n` : wordOf(trace.model, input);
  const mark = element("span", { className: isCharacter ? "" : "token" }, text);
  mark.dataset.step = String(step);
  return mark;
}

/** @param {HTMLElement[]} marks @param {number[]} weights */
function paint(marks, weights) {
  const high = Math.max(1e-9, ...weights.map(Math.abs));
  const colours = { ...coloursOf("update"), high };
  marks.forEach((mark, index) => {
    const colour = colours.table[entryOf(Math.abs(weights[index]), colours)];
    mark.style.backgroundColor = `rgb(${colour.join(" ")})`;
    mark.style.color = inkOn(colour);
  });
}
