/** Where something can be seen: the unit and the step of a layer with the largest of some number. */

/** @import {OpenTrace} from "../open-trace.js" */

/** @typedef {{unit: number, step: number}} Place */

/** Steps that are looked through one by one, from the first. */
const MOST_LOOKED = 4000;
const COLUMNS = 2000;
const MOST_UNITS = 8;
/** Below it a gate counts as shut. */
export const SHUT = 0.1;

/**
 * The numbers of one unit at one step: those of the tensors that were asked for, and `before`, the hidden
 * value of the step before, where hidden is among them.
 *
 * @typedef {Record<string, number>} Values
 */

/**
 * The place with the largest score among some units; null where none has any.
 *
 * @param {OpenTrace} trace
 * @param {number} layer
 * @param {number[]} units the first of them are looked at
 * @param {string[]} tensors
 * @param {(values: Values) => number} score NaN: not this one
 * @returns {Promise<Place | null>}
 */
export async function bestPlace(trace, layer, units, tensors, score) {
  const chosen = units.slice(0, MOST_UNITS);
  const steps = Math.min(trace.steps, MOST_LOOKED);
  const windows = await Promise.all(
    tensors.map((tensor) => trace.window(tensor, layer, chosen, 0, steps, MOST_LOOKED)),
  );
  const hidden = tensors.indexOf("hidden");
  let [best, most] = [/** @type {Place | null} */ (null), -Infinity];
  // The first step has no step before it to compare with.
  for (let step = 1; step < steps; step++) {
    chosen.forEach((unit, column) => {
      const at = step * chosen.length + column;
      const values = Object.fromEntries(tensors.map((tensor, index) => [tensor, windows[index].low[at]]));
      values.before = hidden < 0 ? NaN : windows[hidden].low[at - chosen.length];
      const found = score(values);
      if (found > most) {
        [best, most] = [{ unit, step }, found];
      }
    });
  }
  return best;
}

/**
 * How old what some units hold is at most, in steps, and the columns of steps where that is.
 *
 * @param {OpenTrace} trace
 * @param {number} layer
 * @param {number[]} units
 * @returns {Promise<{age: number, from: number, to: number}[]>} none where the layer tells no age
 */
export async function oldest(trace, layer, units) {
  if (units.length === 0 || !trace.tensors(layer).includes("age")) {
    return [];
  }
  const { high, columns, stepsPerColumn, from } = await trace.window("age", layer, units, 0, trace.steps, COLUMNS);
  return units.map((_, index) => {
    let [age, column] = [-Infinity, 0];
    for (let at = 0; at < columns; at++) {
      const value = high[at * units.length + index];
      if (value > age) {
        [age, column] = [value, at];
      }
    }
    const begin = from + column * stepsPerColumn;
    return { age, from: begin, to: Math.min(begin + stepsPerColumn, trace.steps) };
  });
}

/** The step at which what a unit holds is oldest. @param {OpenTrace} trace @param {number} layer @param {number} unit @returns {Promise<Place | null>} */
export async function oldestPlace(trace, layer, unit) {
  const [found] = await oldest(trace, layer, [unit]);
  if (found === undefined) {
    return null;
  }
  const { low } = await trace.window("age", layer, [unit], found.from, found.to, found.to - found.from);
  return { unit, step: found.from + low.indexOf(Math.max(...low)) };
}

/**
 * Where a reset gate drops most: of what its unit holds, or of the history where it acts on that. A gate
 * that is nearly shut comes before all others.
 *
 * @param {OpenTrace} trace
 * @param {number} layer
 * @param {number[]} units
 */
export function droppedPlace(trace, layer, units) {
  const isAfter = trace.model.layers[layer].reset === "after";
  return bestPlace(trace, layer, units, ["reset", "hidden", "candidate_history"], (values) => {
    const { reset, before, candidate_history: history } = values;
    const dropped = isAfter ? ((1 - reset) / reset) * Math.abs(history) : (1 - reset) * Math.abs(before);
    return Math.tanh(dropped) + Number(reset < SHUT);
  });
}

/** Units, the largest number first. @param {(number | null)[]} values */
export function ranked(values) {
  const units = values.map((_, unit) => unit).filter((unit) => Number.isFinite(values[unit] ?? NaN));
  return units.sort((one, other) => Number(values[other]) - Number(values[one]));
}
