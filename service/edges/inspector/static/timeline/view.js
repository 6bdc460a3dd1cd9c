/** What can be seen of the time line, and how wide a time step is. */

const WIDEST_FIT = 28;
/** Pixels of a column that stands for several steps: one for the least value, one for the greatest. */
const REDUCED_COLUMN = 2;
/** CSS pixels a step. Below 1 a column stands for several steps. */
const WIDTHS = [
  ...Array.from({ length: 12 }, (_, power) => REDUCED_COLUMN / 2 ** (13 - power)),
  ...[1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32],
];

/**
 * @typedef {object} View
 * @property {number} steps of the trace
 * @property {number} left pixels of the track that are scrolled out
 * @property {number} width pixels that can be seen
 * @property {number} cell width of a time step in CSS pixels
 * @property {number} first first time step that can be seen
 * @property {number} last last one, which may lie behind the end of the sequence
 * @property {number} stepsPerColumn
 * @property {number} columnWidth in CSS pixels
 * @property {number} firstColumn
 * @property {number} lastColumn the one behind the last that can be seen
 */

/**
 * @param {number} steps
 * @param {number} left
 * @param {number} width
 * @param {number} cell
 * @returns {View}
 */
export function viewOf(steps, left, width, cell) {
  const stepsPerColumn = cell >= 1 ? 1 : Math.round(REDUCED_COLUMN / cell);
  const columnWidth = cell >= 1 ? cell : REDUCED_COLUMN;
  const columns = Math.ceil(steps / stepsPerColumn);
  return {
    ...{ steps, left, width, cell, stepsPerColumn, columnWidth },
    first: Math.floor(left / cell),
    last: Math.ceil((left + width) / cell),
    firstColumn: Math.min(columns, Math.floor(left / columnWidth)),
    lastColumn: Math.min(columns, Math.ceil((left + width) / columnWidth)),
  };
}

/**
 * The widest step at which so many of them can be seen at once.
 *
 * @param {number} steps
 * @param {number} width
 */
export function fitting(steps, width) {
  const room = width / steps;
  if (room >= 1) {
    return Math.min(WIDEST_FIT, Math.floor(room));
  }
  return REDUCED_COLUMN / Math.ceil((REDUCED_COLUMN * steps) / width);
}

/** @param {number} cell */
export function wider(cell) {
  return WIDTHS.find((width) => width > cell) ?? cell;
}

/** @param {number} cell */
export function narrower(cell) {
  return WIDTHS.findLast((width) => width < cell) ?? cell;
}
