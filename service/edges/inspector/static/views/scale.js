/** Where numbers lie along an axis. */

const FACTORS = [1, 2, 5];

export class Scale {
  #from;
  #span;
  #isLog;

  /** @param {number} low @param {number} high @param {boolean} [isLog] then both are above 0 */
  constructor(low, high, isLog = false) {
    this.low = low;
    this.high = high > low ? high : low + 1;
    this.#isLog = isLog;
    this.#from = this.#along(low);
    this.#span = this.#along(this.high) - this.#from;
  }

  /** 0 at the low end, 1 at the high one; what lies outside is put at the ends. @param {number} value */
  place(value) {
    return Math.max(0, Math.min(1, (this.#along(value) - this.#from) / this.#span));
  }

  /** Round numbers. @param {number} most how many there is room for */
  ticks(most) {
    return this.#isLog ? this.#powers() : this.#steps(most);
  }

  /** @param {number} value */
  #along(value) {
    return this.#isLog ? Math.log10(Math.max(value, Number.MIN_VALUE)) : value;
  }

  #powers() {
    const ticks = [];
    for (let power = Math.ceil(Math.log10(this.low) - 1e-9); 10 ** power <= this.high; power += 1) {
      ticks.push(Number(`1e${power}`));
    }
    return ticks;
  }

  /** @param {number} most */
  #steps(most) {
    const least = (this.high - this.low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = power * ([...FACTORS, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10);
    const [first, last] = [Math.ceil(this.low / step - 1e-9), Math.floor(this.high / step + 1e-9)];
    // Divided where that is exact: 3 × 0.1 is not 0.3.
    return Array.from({ length: last - first + 1 }, (_, index) => {
      const count = first + index;
      return step < 1 ? count / Math.round(1 / step) : count * step;
    });
  }
}
