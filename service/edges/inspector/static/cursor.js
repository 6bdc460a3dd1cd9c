/** The one place that every view looks at: a gate of a unit at a time step. */

/** @typedef {{layer: number, gate: string, unit: number, step: number}} Position */

/** Fires "move" when the position has changed. */
export class Cursor extends EventTarget {
  /** @type {Position} */
  position = { layer: 0, gate: "update", unit: 0, step: 0 };

  /** @param {Partial<Position>} change */
  move(change) {
    const moved = { ...this.position, ...change };
    const { layer, gate, unit, step } = this.position;
    if (moved.layer !== layer || moved.gate !== gate || moved.unit !== unit || moved.step !== step) {
      this.position = moved;
      this.dispatchEvent(new Event("move"));
    }
  }
}
