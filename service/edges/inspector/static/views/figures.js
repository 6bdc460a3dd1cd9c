/** Figures of units as short as they can be without losing what tells them apart. */

import { decimal } from "../words.js";

/** Three digits that count: 0.0214, 1.23, 45.6, 789. @param {number} value */
export function short(value) {
  const size = Math.abs(value);
  const digits = size === 0 ? 0 : Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(size))));
  return decimal(value, digits);
}

/** Of an axis: round already. @param {number} value */
export function tickLabel(value) {
  return String(value).replace("-", "−");
}

/** The same where there is little room: 100k. @param {number} value */
export function shortTick(value) {
  return value >= 10_000 && value % 1000 === 0 ? `${value / 1000}k` : tickLabel(value);
}

/** null, NaN: there is none. @param {number | null | undefined} value */
export function shortOrNone(value) {
  return value === null || value === undefined || Number.isNaN(value) ? "—" : short(value);
}

/** A share of one in one word; what is not quite nothing, or not quite all, is not called so. @param {number} share */
export function share(share) {
  const hundredths = 100 * share;
  if (share > 0 && hundredths < 0.05) {
    return "<\u00a00.1\u00a0%";
  }
  if (share < 1 && hundredths >= 99.95) {
    return ">\u00a099.9\u00a0%";
  }
  return `${decimal(hundredths, Math.abs(hundredths) < 9.95 ? 1 : 0)}\u00a0%`;
}

/** The place of the largest of some numbers, of which there is one at least. @param {number[]} values */
export function placeOfLargest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}
