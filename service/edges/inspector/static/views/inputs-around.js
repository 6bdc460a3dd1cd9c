/** The inputs around a step: text with the step marked, or a line for rows of numbers. */

import { element } from "../elements.js";
import { glyph } from "../words.js";

/** @import {OpenTrace} from "../open-trace.js" */

const SVG = "http://www.w3.org/2000/svg";
const CHARACTERS = { before: 24, after: 12 };
const FEW_CHARACTERS = { before: 12, after: 4 };
const TOKENS = { before: 3, after: 2 };
const ROWS = { before: 24, after: 12 };
const [WIDTH, HEIGHT, MARGIN] = [148, 28, 4];

/** @param {OpenTrace} trace @param {number} step @param {boolean} [isShort] @returns {Element} */
export function inputsAround(trace, step, isShort = false) {
  const input = trace.inputs[step];
  if (Array.isArray(input)) {
    return lineAround(trace, step);
  }
  const isCharacter = typeof input === "string" && trace.model.input.token !== "item";
  const { before, after } = isCharacter ? (isShort ? FEW_CHARACTERS : CHARACTERS) : TOKENS;
  const part = (/** @type {number} */ from, /** @type {number} */ to) =>
    trace.inputs
      .slice(Math.max(0, from), to)
      .map((one) => (isCharacter ? glyphOf(String(one)) : String(one)))
      .join(isCharacter ? "" : " · ");
  const join = isCharacter ? "" : " · ";
  const [past, future] = [part(step - before, step), part(step + 1, step + 1 + after)];
  return element(
    "span",
    { className: "around" },
    past && `${past}${join}`,
    element("mark", {}, part(step, step + 1)),
    element("span", { className: "after" }, future && `${join}${future}`),
  );
}

/** Blanks between words stay blank: a snippet is read as text. @param {string} character */
function glyphOf(character) {
  return character === " " ? "\u00a0" : glyph(character);
}

/** The first column, with a dot at the step. @param {OpenTrace} trace @param {number} step */
function lineAround(trace, step) {
  const first = Math.max(0, step - ROWS.before);
  const values = trace.inputs
    .slice(first, step + 1 + ROWS.after)
    .map((row) => (Array.isArray(row) ? row[0] : null));
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (/** @type {number} */ index) =>
    MARGIN + ((WIDTH - 2 * MARGIN) * index) / Math.max(1, ROWS.before + ROWS.after);
  const y = (/** @type {number} */ value) =>
    HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * (value - low)) / (high - low || 1);
  const offset = ROWS.before - (step - first);
  const places = values.flatMap((value, index) =>
    value === null ? [] : [`${x(index + offset).toFixed(1)},${y(value).toFixed(1)}`],
  );
  const shape = svg("svg", { class: "around-line", width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  shape.append(svg("polyline", { points: places.join(" ") }));
  const here = values[step - first];
  if (here !== null && here !== undefined) {
    shape.append(svg("circle", { cx: x(ROWS.before), cy: y(here), r: 3 }));
  }
  return shape;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, String(value));
  }
  return node;
}
