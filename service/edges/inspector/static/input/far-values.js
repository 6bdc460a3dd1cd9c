/** Whether numbers lie far outside of what a model has seen. */

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
 * Numbers that are outside of what the model was trained on by more than the width of that range. Of
 * a model that does not say, its sample stands for it, which is short: then this is a hint.
 *
 * @param {Model} model
 * @param {Step[]} steps
 * @returns {FarValue[]} in the order in which they were typed
 */
export function farValues({ input, input_ranges, example }, steps) {
  if (input.kind !== "values" || !example.inputs) {
    return [];
  }
  const ranges =
    input_ranges.length > 0 ? input_ranges : input.names.map((_, part) => rangeOf(example.inputs ?? [], part));
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
