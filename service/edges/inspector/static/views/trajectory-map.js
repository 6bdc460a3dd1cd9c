/** A way in the plane: what lies behind the cursor fades with its age, what lies ahead is thin. */

import { onSchemeChange } from "../colours.js";
import { contextOf, element } from "../elements.js";
import { say } from "../texts.js";

/** @typedef {(number | null)[][]} Points [n, 2], null where there is no state yet */

const [LEAST_HEIGHT, MOST_HEIGHT, HEIGHT_SHARE] = [260, 460, 0.6];
const MARGIN = 26;
/** Segments of one age are drawn at once. */
const AGES = 24;
const FAINTEST = 0.1;
/** CSS pixels from a point within which a click means it. */
const REACH = 24;

export class TrajectoryMap {
  #canvas = element("canvas", { className: "trajectory", tabIndex: 0, role: "application" });
  node = element("div", { className: "trajectory-room" }, this.#canvas);
  /** @type {Points} */
  #points = [];
  #every = 1;
  /** @type {string[]} */
  #axes = ["", ""];
  #index = 0;
  #label = "";
  #isDue = false;
  #point;

  /** @param {(step: number) => void} point */
  constructor(point) {
    this.#point = point;
    this.#canvas.addEventListener("click", (event) => this.#click(event));
    this.#canvas.addEventListener("keydown", (event) => this.#press(event));
    new ResizeObserver(() => this.#wantDrawing()).observe(this.node);
    onSchemeChange(() => this.#wantDrawing());
  }

  /** @param {Points} points @param {number} every how many steps a point stands for @param {string[]} axes */
  show(points, every, axes) {
    [this.#points, this.#every, this.#axes] = [points, every, axes];
    this.#canvas.ariaRoleDescription = say("trajectory.role");
    this.#wantDrawing();
  }

  /** @param {number} index of a point @param {string} label */
  mark(index, label) {
    [this.#index, this.#label] = [index, label];
    this.#canvas.ariaLabel = `${this.#axes.join(", ")}: ${label}`;
    this.#wantDrawing();
  }

  /** Where the points are, in CSS pixels; null for those that have no place. @returns {([number, number] | null)[]} */
  places() {
    const [width, height] = this.#size();
    const known = this.#points.flatMap(([x, y]) => (x === null || y === null ? [] : [[x, y]]));
    const spans = [0, 1].map((axis) => {
      const [low, high] = known.reduce(
        ([least, most], point) => [Math.min(least, point[axis]), Math.max(most, point[axis])],
        [0, 0],
      );
      return { middle: (low + high) / 2, extent: high - low || 1 };
    });
    // One scale for both axes: distances are those of the state.
    const scale = Math.min(
      (width - 2 * MARGIN) / spans[0].extent,
      (height - 2 * MARGIN) / spans[1].extent,
    );
    return [[0, 0], ...this.#points].map(([x, y]) =>
      x === null || y === null
        ? null
        : [width / 2 + scale * (x - spans[0].middle), height / 2 - scale * (y - spans[1].middle)],
    );
  }

  /** @returns {[number, number]} CSS pixels */
  #size() {
    const width = Math.max(1, this.node.clientWidth);
    return [width, Math.max(LEAST_HEIGHT, Math.min(MOST_HEIGHT, Math.round(HEIGHT_SHARE * width)))];
  }

  #wantDrawing() {
    if (!this.#isDue) {
      this.#isDue = true;
      requestAnimationFrame(() => {
        this.#isDue = false;
        this.#draw();
      });
    }
  }

  #draw() {
    const [width, height] = this.#size();
    const ratio = devicePixelRatio;
    Object.assign(this.#canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this.#canvas.style.height = `${height}px`;
    const context = contextOf(this.#canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.node);
    const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const [origin, ...places] = this.places();
    this.#drawAxes(context, origin ?? [0, 0], [width, height], ink);
    context.lineJoin = "round";
    Object.assign(context, { strokeStyle: ink("--muted"), lineWidth: 0.7, globalAlpha: 0.35 });
    this.#line(context, places, this.#index, places.length - 1);
    Object.assign(context, { strokeStyle: ink("--accent"), lineWidth: 1.4 });
    for (let age = AGES; age > 0; age -= 1) {
      const [from, to] = [age, age - 1].map((at) => Math.round(this.#index * (1 - at / AGES)));
      context.globalAlpha = FAINTEST + (1 - FAINTEST) * (1 - (age - 1) / AGES) ** 2;
      this.#line(context, places, from, to);
    }
    context.globalAlpha = 1;
    const here = places[this.#index];
    if (here) {
      this.#drawMark(context, here, width, ink);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {([number, number] | null)[]} places
   * @param {number} from
   * @param {number} to the last one, included
   */
  #line(context, places, from, to) {
    context.beginPath();
    let isDown = false;
    for (let index = from; index <= to; index += 1) {
      const place = places[index];
      if (!place) {
        isDown = false;
      } else if (isDown) {
        context.lineTo(...place);
      } else {
        context.moveTo(...place);
        isDown = true;
      }
    }
    context.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {[number, number]} origin
   * @param {[number, number]} size
   * @param {(name: string) => string} ink
   */
  #drawAxes(context, [x, y], [width, height], ink) {
    Object.assign(context, { strokeStyle: ink("--line"), lineWidth: 1 });
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    Object.assign(context, { fillStyle: ink("--muted"), font: "12px sans-serif", textAlign: "right" });
    context.fillText(this.#axes[0], width - 6, height - 6);
    context.textAlign = "left";
    context.fillText(this.#axes[1], 6, 14);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {[number, number]} place
   * @param {number} width
   * @param {(name: string) => string} ink
   */
  #drawMark(context, [x, y], width, ink) {
    Object.assign(context, { fillStyle: ink("--mark"), strokeStyle: ink("--panel"), lineWidth: 2 });
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    const isRight = x > width / 2;
    Object.assign(context, { font: "600 12px sans-serif", textAlign: isRight ? "right" : "left", lineWidth: 4 });
    const left = isRight ? x - 11 : x + 11;
    context.strokeText(this.#label, left, y + 4);
    context.fillStyle = ink("--ink");
    context.fillText(this.#label, left, y + 4);
  }

  /** @param {MouseEvent} event */
  #click({ offsetX, offsetY }) {
    let [found, least] = [-1, REACH];
    for (const [index, place] of this.places().slice(1).entries()) {
      const distance = place === null ? Infinity : Math.hypot(place[0] - offsetX, place[1] - offsetY);
      if (distance < least) {
        [found, least] = [index, distance];
      }
    }
    if (found >= 0) {
      this.#point(found * this.#every);
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.#points.length - 1;
    const ends = { ArrowLeft: this.#index - 1, ArrowRight: this.#index + 1, Home: 0, End: last };
    if (event.key in ends && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      const wanted = ends[/** @type {keyof typeof ends} */ (event.key)];
      this.#point(this.#every * Math.max(0, Math.min(last, wanted)));
    }
  }
}
