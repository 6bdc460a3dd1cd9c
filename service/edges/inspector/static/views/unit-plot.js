/** Units as points in a plane. The cursor's is marked; any can be chosen with the pointer, or by keys. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { directionOf, Drawing } from "./drawing.js";
import { short, shortTick } from "./figures.js";
import { Scale } from "./scale.js";

/** @import {Palette} from "./drawing.js" */

/** @typedef {{unit: number, x: number, y: number, open?: boolean}} Point `open` ones are drawn as rings */
/** @typedef {{name: string, scale: Scale}} Axis */

/**
 * @typedef {object} Plane
 * @property {string} label what the whole is
 * @property {Axis} x
 * @property {Axis} y
 * @property {Point[]} points
 * @property {boolean} [triangle] whether x + y is at most 1
 */

const HEIGHT = 240;
const MARGIN = { left: 40, right: 12, top: 10, bottom: 22 };
const RADIUS = 3.5;
const NEAR = 24;
const TICK_ROOM = { x: 60, y: 40 };

export class UnitPlot {
  #choose;
  /** @type {Plane | null} */
  #plane = null;
  #unit = -1;
  #drawing = new Drawing(
    HEIGHT,
    (...room) => this.#paint(...room),
    (...room) => this.#markOn(...room),
  );
  #y = element("p", { className: "axis-name" });
  #x = element("p", { className: "axis-name end" });
  node = element("div", { className: "unit-plot" }, this.#y, this.#drawing.node, this.#x);

  /** @param {(unit: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    const { node } = this.#drawing;
    node.addEventListener("click", (event) => {
      const found = this.#nearest(event);
      if (found !== null) {
        choose(found.unit);
      }
    });
    node.addEventListener("pointermove", (event) => this.#name(this.#nearest(event)));
    node.addEventListener("keydown", (event) => this.#press(event));
  }

  /** @param {Plane} plane */
  show(plane) {
    this.#plane = plane;
    this.#y.textContent = `↑ ${plane.y.name}`;
    this.#x.textContent = `${plane.x.name} →`;
    this.#drawing.node.ariaLabel = say("plot.label", {
      label: plane.label,
      ...{ x: plane.x.name, y: plane.y.name, units: plane.points.length },
    });
    this.#drawing.node.ariaRoleDescription = say("plot.role");
    this.#drawing.redraw();
  }

  /** @param {number} unit */
  mark(unit) {
    if (this.#unit !== unit) {
      this.#unit = unit;
      this.#drawing.mark();
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const direction = this.#plane === null ? null : directionOf(event);
    if (direction === null || this.#plane === null || this.#plane.points.length === 0) {
      return;
    }
    const isUpright = direction === "ArrowUp" || direction === "ArrowDown";
    const sorted = [...this.#plane.points].sort((one, other) =>
      isUpright ? one.y - other.y || one.unit - other.unit : one.x - other.x || one.unit - other.unit,
    );
    const place = sorted.findIndex(({ unit }) => unit === this.#unit);
    const last = sorted.length - 1;
    const forward = direction === "ArrowRight" || direction === "ArrowUp";
    const next = place < 0 ? 0 : Math.max(0, Math.min(last, place + (forward ? 1 : -1)));
    this.#choose(sorted[direction === "Home" ? 0 : direction === "End" ? last : next].unit);
  }

  /** @param {Point | null} point */
  #name(point) {
    const { node } = this.#drawing;
    node.title = point === null ? "" : say("plot.point", { unit: point.unit, x: short(point.x), y: short(point.y) });
  }

  /** @param {MouseEvent} event */
  #nearest({ offsetX, offsetY }) {
    /** @type {Point | null} */
    let nearest = null;
    let least = NEAR;
    for (const point of this.#plane?.points ?? []) {
      const [x, y] = this.#at(point, this.#drawing.width);
      const distance = Math.hypot(x - offsetX, y - offsetY);
      if (distance < least) {
        [nearest, least] = [point, distance];
      }
    }
    return nearest;
  }

  /** @param {{x: number, y: number}} point @param {number} width @returns {[number, number]} */
  #at({ x, y }, width) {
    const plane = /** @type {Plane} */ (this.#plane);
    const [left, bottom] = [MARGIN.left, HEIGHT - MARGIN.bottom];
    return [
      left + plane.x.scale.place(x) * (width - MARGIN.right - left),
      bottom - plane.y.scale.place(y) * (bottom - MARGIN.top),
    ];
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette */
  #paint(context, width, palette) {
    if (this.#plane === null) {
      return;
    }
    const { points, triangle = false } = this.#plane;
    this.#frame(context, width, palette, this.#plane);
    if (triangle) {
      const line = [this.#at({ x: 0, y: 1 }, width), this.#at({ x: 1, y: 0 }, width)];
      context.strokeStyle = palette.muted;
      context.setLineDash([4, 4]);
      stroke(context, line[0], line[1]);
      context.setLineDash([]);
    }
    for (const point of points) {
      dot(context, this.#at(point, width), RADIUS, palette.accent, point.open ?? false);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette */
  #markOn(context, width, palette) {
    const marked = this.#plane?.points.find(({ unit }) => unit === this.#unit);
    if (marked !== undefined) {
      dot(context, this.#at(marked, width), RADIUS + 1, palette.mark, false);
      dot(context, this.#at(marked, width), RADIUS + 5, palette.mark, true);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette @param {Plane} plane */
  #frame(context, width, palette, { x, y }) {
    const bottom = HEIGHT - MARGIN.bottom;
    context.lineWidth = 1;
    context.strokeStyle = palette.line;
    context.fillStyle = palette.muted;
    context.textAlign = "right";
    for (const tick of y.scale.ticks((bottom - MARGIN.top) / TICK_ROOM.y)) {
      const [, top] = this.#at({ x: x.scale.low, y: tick }, width);
      stroke(context, [MARGIN.left, top], [width - MARGIN.right, top]);
      context.fillText(shortTick(tick), MARGIN.left - 6, top + 4);
    }
    context.textAlign = "center";
    for (const tick of x.scale.ticks((width - MARGIN.left) / TICK_ROOM.x)) {
      const [left] = this.#at({ x: tick, y: y.scale.low }, width);
      stroke(context, [left, MARGIN.top], [left, bottom]);
      context.fillText(shortTick(tick), left, HEIGHT - 6);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {[number, number]} from @param {[number, number]} to */
function stroke(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} at
 * @param {number} radius
 * @param {string} colour
 * @param {boolean} open
 */
function dot(context, at, radius, colour, open) {
  context.beginPath();
  context.arc(...at, radius, 0, 2 * Math.PI);
  context.lineWidth = 1.5;
  if (open) {
    context.strokeStyle = colour;
    context.stroke();
    return;
  }
  // Points that lie upon each other are darker.
  context.globalAlpha = 0.65;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
}
