/** A unit's values in little: the text coloured by them, or a strip of colours over all steps. */

import { coloursOf, entryOf, inkOn, pixelsOf } from "../colours.js";
import { contextOf, element } from "../elements.js";
import { glyph } from "../words.js";

/** @import {Model} from "../model.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {TensorWindow} from "../timeline/tensor-source.js" */

const COLUMNS = 600;
const [ABOVE, BELOW] = [4, 4];

/** Whether a model reads characters, so that text can be coloured. @param {Model} model */
export function readsText({ input }) {
  return input.kind === "tokens" && input.vocabulary !== undefined && input.token !== "item";
}

/**
 * A piece of the text, each character a mark that carries its step.
 *
 * @param {OpenTrace} trace
 * @param {string} tensor
 * @param {TensorWindow} window of some units
 * @param {number} index which of them
 * @param {number} count of them
 */
export function textStrip(trace, tensor, { low, from, to }, index, count) {
  const colours = coloursOf(tensor);
  const marks = Array.from({ length: to - from }, (_, at) => {
    const mark = element("span", {}, glyph(String(trace.inputs[from + at])));
    const colour = colours.table[entryOf(low[at * count + index], colours)];
    if (colour !== undefined) {
      mark.style.backgroundColor = `rgb(${colour.join(" ")})`;
      mark.style.color = inkOn(colour);
    }
    mark.dataset.step = String(from + at);
    return mark;
  });
  return element("div", { className: "unit-text" }, ...marks);
}

/** The columns to ask for of a strip. */
export const STRIP_COLUMNS = COLUMNS;

/**
 * All steps in one strip: the greatest value of each column above, the least below.
 *
 * @param {string} tensor
 * @param {TensorWindow} window
 * @param {number} index
 * @param {number} count
 */
export function colourStrip(tensor, { low, high, columns }, index, count) {
  const canvas = element("canvas", { className: "unit-strip", width: columns, height: ABOVE + BELOW });
  const colours = coloursOf(tensor);
  const pixels = pixelsOf(colours);
  const image = new ImageData(columns, ABOVE + BELOW);
  const words = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < ABOVE + BELOW; row++) {
      const value = (row < ABOVE ? high : low)[column * count + index];
      // Where there is no number the page is seen.
      words[row * columns + column] = Number.isNaN(value) ? 0 : pixels[entryOf(value, colours)];
    }
  }
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}
