/** How a text is broken into rows, so that only those rows need be drawn that can be seen. */

/** @import {Model, Step} from "./model.js" */

/** Letters that are two columns wide in a monospaced font: Chinese, Japanese, Korean, emoji. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u;
/** Columns around a token. */
const TOKEN_MARGIN = 2;

/** @param {Model} model @param {Step} input */
export function isCharacter({ input: { token } }, input) {
  return typeof input === "string" && token !== "item";
}

export class TextLayout {
  /** The first step of every row, and behind the last row the number of steps. */
  #begins = [0];
  #columns;

  /**
   * @param {Model} model
   * @param {Step[]} inputs
   * @param {number} columns of a row
   */
  constructor(model, inputs, columns) {
    this.#columns = columns;
    let used = 0;
    inputs.forEach((input, step) => {
      const width = columnsOf(model, input);
      if (used > 0 && used + width > this.#columns) {
        this.#begins.push(step);
        used = 0;
      }
      used += width;
      if (input === "\n" && isCharacter(model, input)) {
        this.#begins.push(step + 1);
        used = 0;
      }
    });
    this.steps = inputs.length;
    if (this.#begins[this.#begins.length - 1] < this.steps) {
      this.#begins.push(this.steps);
    }
  }

  get rows() {
    return this.#begins.length - 1;
  }

  /** Steps [from, to) of a row. @param {number} row */
  row(row) {
    return { from: this.#begins[row], to: this.#begins[row + 1] };
  }

  /** The row of a step. @param {number} step */
  rowOf(step) {
    let [low, high] = [0, this.rows];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#begins[middle] <= step) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

/** @param {Model} model @param {Step} input */
function columnsOf(model, input) {
  const text = String(input);
  if (isCharacter(model, input)) {
    return WIDE.test(text) ? 2 : 1;
  }
  return TOKEN_MARGIN + Array.from(text).reduce((sum, letter) => sum + (WIDE.test(letter) ? 2 : 1), 0);
}
