/** The one place that every view looks at: a gate of a unit at a time step. */

/** @typedef {{layer: number, gate: string, unit: number, step: number}} Position */

/** Fires "move" when the position has changed. */
export class Cursor extends EventTarget {
  /** @type {Position} */
  position = { layer: 0, gate: "update", unit: 0, step: 0 };

  /** @param {Partial<Position>} change */
  move(change) {
    const moved = Object.entries(change).some(([key, value]) => this.position[key] !== value);
    if (moved) {
      this.position = { ...this.position, ...change };
      this.dispatchEvent(new Event("move"));
    }
  }
}
