/**
 * Two kinds of units that a trained GRU is said to have: some whose reset gate follows what is short,
 * and some whose update gate stays near 0, so that they hold something for long.
 */

import { unitsThatFollow } from "../traces-api.js";

/** @import {OpenTrace, Statistics} from "../open-trace.js" */

/** A gate that varies by less follows nothing, and a unit that does holds nothing worth speaking of. */
export const LEAST_DEVIATION = 0.1;
/** In steps: a memory that is shorter is short. */
export const SHORT_MEMORY = 10;
/** Of all steps: how many must have an update near 0. */
export const LEAST_NEAR_0 = 0.5;
/** Of a correlation, on either half of the steps, for it to be named. */
export const LEAST_CORRELATION = 0.5;
/** Steps × units up to which it is searched what units follow. */
const MOST_SEARCHED = 4_000_000;
const MOST_FOUND = 60;
/** Markings of text that change within a word or so; a unit that follows them remembers nothing old. */
const SHORT_MARKINGS = new Set(["line begins", "position in the word", "capital letters", "digits", "spaces"]);
/** Markings of text that take longer to change. */
const LONG_MARKINGS = new Set(["open quotes", "open brackets", "indentation", "position in the line"]);

/**
 * @typedef {object} Followed what a tensor of a unit follows
 * @property {string} marking
 * @property {number} found Pearson's correlation on the first half of the steps
 * @property {number} confirmed and on the second
 * @property {number} strength the smaller one, by size; 0 where their signs differ
 */

/** @typedef {Map<string, Followed[]>} Following by `following key`, the strongest first; empty where nothing is known */

/**
 * @typedef {object} ShortUnit
 * @property {number} unit
 * @property {number} impact
 * @property {number} nearZero of its reset gate
 * @property {number | null} memory
 * @property {Followed | null} followed
 * @property {number} score
 */

/**
 * @typedef {object} LongUnit
 * @property {number} unit
 * @property {number} nearZero of its update gate
 * @property {number} deviation of its hidden value
 * @property {number | null} memory null: for ever
 * @property {Followed | null} followed by its hidden value
 */

/** @type {WeakMap<OpenTrace, {steps: number, found: Promise<{layer: number, key: string, followed: Followed}[]>}>} */
const searches = new WeakMap();

/** @param {string} tensor @param {number} unit */
function keyOf(tensor, unit) {
  return `${tensor} ${unit}`;
}

/** Whether it can be searched what units follow. @param {OpenTrace} trace */
export function isSearched({ described, steps }) {
  const units = described.layers.reduce((sum, layer) => sum + layer.units, 0);
  return described.markings.length > 0 && steps * units <= MOST_SEARCHED;
}

/**
 * What the units of a layer follow, among all that is known of the inputs.
 *
 * @param {OpenTrace} trace
 * @param {number} layer
 */
export async function followingOf(trace, layer) {
  let kept = searches.get(trace);
  if (kept?.steps !== trace.steps) {
    kept = { steps: trace.steps, found: isSearched(trace) ? search(trace) : Promise.resolve([]) };
    searches.set(trace, kept);
    kept.found.catch(() => searches.delete(trace));
  }
  /** @type {Following} */
  const following = new Map();
  for (const one of await kept.found) {
    if (one.layer === layer) {
      following.set(one.key, [...(following.get(one.key) ?? []), one.followed]);
    }
  }
  for (const list of following.values()) {
    list.sort((one, other) => other.strength - one.strength);
  }
  return following;
}

/** One marking after the other: each goes through all steps. @param {OpenTrace} trace */
async function search({ id, described }) {
  const all = [];
  for (const marking of described.markings) {
    const { units } = await unitsThatFollow(id, marking, MOST_FOUND);
    for (const { tensor, layer, unit, found, confirmed } of units) {
      const strength = found * confirmed > 0 ? Math.min(Math.abs(found), Math.abs(confirmed)) : 0;
      all.push({ layer, key: keyOf(tensor, unit), followed: { marking, found, confirmed, strength } });
    }
  }
  return all;
}

/** What is short, and a unit's reset gate follows best. @param {Following} following @param {number} unit */
export function shortTerm(following, unit) {
  const list = following.get(keyOf("reset", unit)) ?? [];
  return list.find(({ marking }) => !LONG_MARKINGS.has(marking)) ?? null;
}

/** What is not short, and a unit's hidden value follows best. @param {Following} following @param {number} unit */
export function heldLong(following, unit) {
  const list = following.get(keyOf("hidden", unit)) ?? [];
  return list.find(({ marking }) => !SHORT_MARKINGS.has(marking)) ?? null;
}

/**
 * Units whose reset gate varies and whose memory is short, those first whose resetting changes most and
 * follows most: impact × correlation, or impact alone where nothing is known of the inputs.
 *
 * @param {Statistics} statistics
 * @param {Following} following
 * @param {boolean} isKnown whether anything is known of the inputs
 * @returns {ShortUnit[]}
 */
export function shortUnits({ tensors, memory, reset }, following, isKnown) {
  const units = tensors.reset.std.flatMap((deviation, unit) => {
    const length = memory.length[unit];
    const impact = reset.impact[unit];
    if (deviation < LEAST_DEVIATION || length === null || length >= SHORT_MEMORY || impact === null) {
      return [];
    }
    const followed = shortTerm(following, unit);
    const score = isKnown ? impact * (followed?.strength ?? 0) : impact;
    return [{ unit, impact, nearZero: tensors.reset.near_0?.[unit] ?? 0, memory: length, followed, score }];
  });
  return units.sort((one, other) => other.score - one.score || other.impact - one.impact);
}

/**
 * Units that move and whose update gate is near 0 at most steps: first those that follow something,
 * then by how many steps that is.
 *
 * @param {Statistics} statistics
 * @param {Following} following
 * @returns {LongUnit[]}
 */
export function longUnits({ tensors, memory }, following) {
  const shares = tensors.update.near_0 ?? [];
  const units = shares.flatMap((nearZero, unit) => {
    const deviation = tensors.hidden.std[unit];
    if (!(nearZero >= LEAST_NEAR_0) || !(deviation >= LEAST_DEVIATION)) {
      return [];
    }
    const followed = heldLong(following, unit);
    return [{ unit, nearZero, deviation, memory: memory.length[unit], followed }];
  });
  const named = (/** @type {LongUnit} */ { followed }) => Number(isNamed(followed));
  return units.sort((one, other) => named(other) - named(one) || other.nearZero - one.nearZero);
}

/** Whether what a unit follows is worth naming. @param {Followed | null} followed @returns {followed is Followed} */
export function isNamed(followed) {
  return followed !== null && followed.strength >= LEAST_CORRELATION;
}
