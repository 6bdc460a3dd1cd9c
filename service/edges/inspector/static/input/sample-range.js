/** Whether numbers lie far outside of what a model has seen, as far as its own sample tells. */

/** @import {Model, Step} from "../model.js" */

/**
 * @typedef {object} FarValue
 * @property {number} step
 * @property {number} part which number of the step
 * @property {number} value
 * @property {number} low
 * @property {number} high
 */

/**
 * Numbers that are outside of the sample's range by more than its width. The service does not tell
 * what it was trained on, so this is a hint: the sample is short.
 *
 * @param {Model} model
 * @param {Step[]} steps
 * @returns {FarValue[]} in the order in which they were typed
 */
export function farValues({ input, example }, steps) {
  if (input.kind !== "values" || !example.inputs) {
    return [];
  }
  const ranges = input.names.map((_, part) => rangeOf(example.inputs ?? [], part));
  return steps.flatMap((step, index) =>
    ranges.flatMap(([low, high], part) => {
      const value = Array.isArray(step) ? step[part] : null;
      const width = high - low;
      const isFar = typeof value === "number" && width > 0 && (value < low - width || value > high + width);
      return isFar ? [{ step: index, part, value, low, high }] : [];
    }),
  );
}

/** @param {(number | null)[][]} rows @param {number} part @returns {[number, number]} */
function rangeOf(rows, part) {
  const values = rows.map((row) => row[part]).filter((value) => value !== null);
  return [Math.min(...values), Math.max(...values)];
}
