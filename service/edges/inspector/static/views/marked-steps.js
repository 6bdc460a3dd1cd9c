/** A number for each step of a trace, as somebody marks them by hand. */

import { wordOf } from "./inputs.js";

/** @import {Model, Step} from "../model.js" */

/** @typedef {(number | null)[]} Marking null where there is none */

/**
 * What a pattern matches: characters of a text, or items by their names. Throws SyntaxError for a
 * regular expression that is none.
 *
 * @param {Model} model
 * @param {Step[]} inputs
 * @param {string} pattern
 * @param {boolean} isExpression otherwise it is plain text
 * @returns {Marking} 1 at the steps that a match covers, else 0
 */
export function markPattern(model, inputs, pattern, isExpression) {
  const expression = new RegExp(isExpression ? pattern : pattern.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gmu");
  const words = inputs.map((input) => wordOf(model, input));
  return isOfCharacters(inputs) ? markText(words, expression) : words.map((word) => Number(word.search(expression) >= 0));
}

/** @param {Step[]} inputs */
export function isOfCharacters(inputs) {
  return inputs.every((input) => typeof input === "string" && Array.from(input).length === 1);
}

/**
 * A column, or where it is above or below a threshold.
 *
 * @param {Step[]} inputs
 * @param {number} column
 * @param {"value" | "above" | "below"} how
 * @param {number} threshold
 * @returns {Marking}
 */
export function markColumn(inputs, column, how, threshold) {
  return inputs.map((row) => {
    const value = Array.isArray(row) ? row[column] : null;
    if (value === null || how === "value") {
      return value;
    }
    return Number(how === "above" ? value > threshold : value < threshold);
  });
}

/** @param {string[]} characters @param {RegExp} expression with the flag g */
function markText(characters, expression) {
  const text = characters.join("");
  // Where text has characters of two units, a match's place is not its step.
  const steps = characters.flatMap((character, step) => Array(character.length).fill(step));
  /** @type {Marking} */
  const marking = characters.map(() => 0);
  for (const { index, 0: match } of text.matchAll(expression)) {
    for (let at = index; at < index + match.length; at += 1) {
      marking[steps[at]] = 1;
    }
  }
  return marking;
}
