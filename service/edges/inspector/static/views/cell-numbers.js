/** The numbers of one unit at one step, and what they are called. */

import { say } from "../texts.js";
import { decimal } from "../words.js";

/** @import {Activation, Layer} from "../model.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Position} from "../cursor.js" */

/** @typedef {Record<string, number | null>} Numbers by the names of the tensors */

/** What the picture cannot be drawn without. */
const NEEDED = ["update", "candidate", "hidden", "before", "keep", "kept", "written"];

/**
 * One unit of a layer at one step.
 *
 * @typedef {object} CellAt
 * @property {Layer} layer
 * @property {number} unit
 * @property {number} step
 * @property {Numbers} numbers
 */

/**
 * @param {OpenTrace} trace
 * @param {Position} position
 * @returns {Promise<CellAt>}
 */
export async function cellAt(trace, { layer, unit, step }) {
  return { layer: trace.model.layers[layer], unit, step, numbers: await trace.cell(layer, unit, step) };
}

/** Why there is no picture; empty where there is one. @param {CellAt} cell */
export function whyNothing({ layer, numbers }) {
  const lacking = ["update", "candidate"].find((gate) => !layer.gates.includes(gate));
  if (lacking !== undefined) {
    return say("cell.no-gate", { layer: layer.layer, gate: say(lacking === "update" ? "tensor.update" : "tensor.candidate") });
  }
  if (!("before" in numbers)) {
    return say("cell.no-inspection");
  }
  return NEEDED.some((name) => !isNumber(numbers[name])) ? say("cell.nothing-yet") : "";
}

/** @param {number | null | undefined} value @returns {value is number} */
export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** With three decimals, and no sign of what is 0 with them. @param {number | null | undefined} value */
export function figure(value) {
  return isNumber(value) ? decimal(value).replace(/^−(?=0\.0*$)/, "") : "—";
}

/** A number that a sign stands before. @param {number} value */
export function inBrackets(value) {
  const text = figure(value);
  return text.startsWith("−") ? `(${text})` : text;
}

/** Whether a gate was set or scaled from outside. @param {Numbers} numbers @param {string} gate */
export function isSet(numbers, gate) {
  return (numbers[`${gate}_mask`] ?? 0) !== 0;
}

/** An activation as one writes it: σ, tanh, LeakyRelu(α = 0.01). @param {Activation} activation */
export function functionName({ name, alpha, beta }) {
  const short = { Sigmoid: "σ", Tanh: "tanh" }[name] ?? name;
  const given = [
    ["α", alpha],
    ["β", beta],
  ].filter(([, value]) => value !== null);
  return given.length === 0 ? short : `${short}[${given.map(([sign, value]) => `${sign} = ${value}`).join(", ")}]`;
}

/**
 * What an activation is applied to, as the layer bounds it.
 *
 * @param {Layer} layer
 * @param {number} value
 */
export function clipped({ clip }, value) {
  return clip === null ? value : Math.max(-clip, Math.min(clip, value));
}

/**
 * The history as it was before the reset gate took its part, with reset "after" alone: there the gate
 * multiplies it. null where it cannot be known.
 *
 * @param {CellAt} cell
 */
export function wholeHistory({ layer, numbers }) {
  const { reset, candidate_history: history } = numbers;
  if (layer.reset !== "after" || !isNumber(reset) || !isNumber(history) || reset === 0) {
    return null;
  }
  return history / reset;
}

/** The part of two that the first one has, by size; null where both are nothing. @param {number} one @param {number} other */
export function shareOf(one, other) {
  const whole = Math.abs(one) + Math.abs(other);
  return whole === 0 ? null : Math.abs(one) / whole;
}
