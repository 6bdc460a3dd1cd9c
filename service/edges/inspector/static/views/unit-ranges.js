/** Units as people write them: `0-7, 12`. */

import { Problem } from "../api.js";
import { say } from "../texts.js";

const RANGE = /^(\d{1,6})(?:-(\d{1,6}))?$/;

/** @param {string} text @param {number} count of the layer's units */
export function unitsOf(text, count) {
  /** @type {Set<number>} */
  const units = new Set();
  for (const word of text.split(/[,\s]+/).filter((one) => one !== "")) {
    const found = RANGE.exec(word);
    const [first, last] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (found === null || last < first || last >= count) {
      throw new Problem({ title: say("intervene.units"), detail: say("intervene.bad-units", { word, last: count - 1 }) });
    }
    for (let unit = first; unit <= last; unit += 1) {
      units.add(unit);
    }
  }
  if (units.size === 0) {
    throw new Problem({ title: say("intervene.units"), detail: say("intervene.no-units") });
  }
  return [...units].sort((one, other) => one - other);
}

/** The same, short. @param {number[]} units in order */
export function unitsInWords(units) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const unit of units) {
    const last = runs[runs.length - 1];
    if (last !== undefined && unit === last[1] + 1) {
      last[1] = unit;
    } else {
      runs.push([unit, unit]);
    }
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(", ");
}
