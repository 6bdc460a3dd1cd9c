/** Windows of a source cut into tiles: kept, asked for once, and only while somebody looks. */

/** @import {TensorSource, TensorWindow} from "./tensor-source.js" */

const TILE_COLUMNS = 256;
const MOST_AT_A_TIME = 4;
const MOST_BYTES = 96 * 1024 * 1024;

/** Fires "arrived" when there is more to draw, and "failed" with the problem as its detail. */
export class Tiles extends EventTarget {
  #source;
  /** @type {Map<string, TensorWindow>} the one used longest ago first */
  #kept = new Map();
  #bytes = 0;
  /** @type {Map<string, () => Promise<TensorWindow>>} what is still to be asked for */
  #wanted = new Map();
  /** @type {Set<string>} what is being asked for */
  #asked = new Set();
  #closed = false;

  /** @param {TensorSource} source */
  constructor(source) {
    super();
    this.#source = source;
  }

  /** What was wanted before and not yet asked for is not looked at any more. */
  begin() {
    this.#wanted.clear();
  }

  /** Ask for what is wanted now, in the order in which it was. */
  end() {
    for (const [key, ask] of this.#wanted) {
      if (this.#asked.size >= MOST_AT_A_TIME) {
        return;
      }
      this.#wanted.delete(key);
      this.#ask(key, ask);
    }
  }

  /** Nothing more is to come of this source. */
  close() {
    this.#closed = true;
    this.#wanted.clear();
    this.#kept.clear();
  }

  /**
   * The tiles that cover some columns, as far as they are here; the others are wanted from now on.
   *
   * @param {string} tensor
   * @param {number} layer
   * @param {number} stepsPerColumn
   * @param {number} first column
   * @param {number} last column, which is not needed any more
   * @returns {{tiles: TensorWindow[], complete: boolean}}
   */
  covering(tensor, layer, stepsPerColumn, first, last) {
    const tiles = [];
    let complete = true;
    const span = TILE_COLUMNS * stepsPerColumn;
    const { steps } = this.#source;
    for (let index = Math.floor(first / TILE_COLUMNS); index * TILE_COLUMNS < last; index += 1) {
      const [from, to] = [index * span, Math.min((index + 1) * span, steps)];
      const key = `${tensor} ${layer} ${stepsPerColumn} ${index}`;
      const tile = this.#kept.get(key);
      if (tile !== undefined) {
        this.#kept.delete(key);
        this.#kept.set(key, tile);
        tiles.push(tile);
      }
      // A tile at the end grows as steps come in; until it comes anew, the old one is shown.
      if (tile === undefined || tile.to < to) {
        complete = false;
        const columns = Math.ceil((to - from) / stepsPerColumn);
        this.#want(key, () => this.#source.window(tensor, layer, null, from, to, columns));
      }
    }
    return { tiles, complete };
  }

  /** @param {string} key @param {() => Promise<TensorWindow>} ask */
  #want(key, ask) {
    if (!this.#asked.has(key)) {
      this.#wanted.set(key, ask);
    }
  }

  /** @param {string} key @param {() => Promise<TensorWindow>} ask */
  async #ask(key, ask) {
    this.#asked.add(key);
    try {
      const tile = await ask();
      if (!this.#closed) {
        this.#keep(key, tile);
      }
    } catch (problem) {
      this.dispatchEvent(new CustomEvent("failed", { detail: problem }));
      return;
    } finally {
      this.#asked.delete(key);
    }
    this.dispatchEvent(new Event("arrived"));
  }

  /** @param {string} key @param {TensorWindow} tile */
  #keep(key, tile) {
    const before = this.#kept.get(key);
    this.#bytes += bytesOf(tile) - (before === undefined ? 0 : bytesOf(before));
    this.#kept.delete(key);
    this.#kept.set(key, tile);
    for (const [oldest, left] of this.#kept) {
      if (this.#bytes <= MOST_BYTES || oldest === key) {
        return;
      }
      this.#kept.delete(oldest);
      this.#bytes -= bytesOf(left);
    }
  }
}

/** @param {TensorWindow} tile */
function bytesOf({ low, high }) {
  return low === high ? low.byteLength : low.byteLength + high.byteLength;
}
