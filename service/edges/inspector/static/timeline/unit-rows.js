/** Which units of a layer are drawn, in which order, and how high each of them is. */

const TARGET_HEIGHT = 144;
const TALLEST_CELL = 14;
const MOST_ROWS = 256;

export class UnitRows {
  #order;
  /** @type {Map<number, number>} */
  #places = new Map();
  #first = 0;

  /** @param {number} units */
  constructor(units) {
    this.units = units;
    /** How many units are drawn at once; there is a slider for the others. */
    this.count = Math.min(units, MOST_ROWS);
    /** In CSS pixels. */
    this.cellHeight = Math.max(1, Math.min(TALLEST_CELL, Math.floor(TARGET_HEIGHT / units)));
    this.#order = Array.from({ length: units }, (_, unit) => unit);
    this.reorder(this.#order);
  }

  /** The place of the first unit that is drawn. */
  get first() {
    return this.#first;
  }

  /** Units from top to bottom. */
  shown() {
    return this.#order.slice(this.#first, this.#first + this.count);
  }

  /** @param {number[]} order all units */
  reorder(order) {
    this.#order = order;
    this.#places = new Map(order.map((unit, place) => [unit, place]));
  }

  /** @param {number} first */
  scrollTo(first) {
    this.#first = Math.max(0, Math.min(this.units - this.count, first));
  }

  /** The row of a unit; it may lie outside of what is drawn. @param {number} unit */
  rowOf(unit) {
    return (this.#places.get(unit) ?? 0) - this.#first;
  }

  /** The unit of a row, or the nearest one. @param {number} row */
  unitAt(row) {
    return this.#order[this.#first + Math.max(0, Math.min(this.count - 1, row))];
  }

  /** The unit so many places below another one. @param {number} unit @param {number} places */
  beside(unit, places) {
    const place = (this.#places.get(unit) ?? 0) + places;
    return this.#order[Math.max(0, Math.min(this.units - 1, place))];
  }

  /** Whether anything had to move so that the unit is drawn. @param {number} unit */
  reveal(unit) {
    const before = this.#first;
    const row = this.rowOf(unit);
    if (row < 0 || row >= this.count) {
      this.scrollTo(this.#first + row - Math.floor(this.count / 2));
    }
    return this.#first !== before;
  }
}
