/** The ages of all units through time: the longest memory at the top. */

import { coloursOf, entryOf } from "../colours.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { directionOf, Drawing, FONT } from "./drawing.js";
import { short } from "./figures.js";
import { GUTTER } from "./step-chart.js";

/** @import {TensorWindow} from "../timeline/tensor-source.js" */
/** @import {Palette} from "./drawing.js" */

const HEIGHT = 160;
const LEGEND = 22;
const MOST_PIXELS = 320;

export class AgeMap {
  #choose;
  /** @type {TensorWindow | null} */
  #window = null;
  /** @type {number[]} */
  #order = [];
  /** @type {OffscreenCanvas | null} */
  #image = null;
  #most = 0;
  #unit = 0;
  #step = 0;
  #drawing = new Drawing(
    HEIGHT + LEGEND,
    (...room) => this.#paint(...room),
    (...room) => this.#markOn(...room),
  );
  #name = element("p", { className: "hint" });
  node = element("div", {}, this.#name, this.#drawing.node);

  /** @param {(unit: number, step: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.#drawing.node.addEventListener("click", (event) => this.#point(event));
    this.#drawing.node.addEventListener("keydown", (event) => this.#press(event));
  }

  /** @param {TensorWindow} window of all units @param {number[]} order from top to bottom @param {number} layer */
  show(window, order, layer) {
    [this.#window, this.#order] = [window, order];
    this.#most = window.high.reduce((most, age) => (age > most ? age : most), 0);
    this.#image = imageOf(window, order, this.#most);
    const steps = window.stepsPerColumn * columnsPerPixel(window);
    const columns = steps > 1 ? [say("age.columns", { steps })] : [];
    this.#name.textContent = [say("age.map", { units: order.length }), ...columns].join(say("list.space"));
    this.#drawing.node.ariaLabel = say("age.map-label", { layer, units: order.length, steps: window.to - window.from });
    this.#drawing.node.ariaRoleDescription = say("map.role");
    this.#drawing.redraw();
  }

  /** @param {number} unit @param {number} step */
  mark(unit, step) {
    [this.#unit, this.#step] = [unit, step];
    this.#drawing.mark();
  }

  /** @param {MouseEvent} event */
  #point({ offsetX, offsetY }) {
    if (this.#window !== null) {
      const { from, to } = this.#window;
      const along = (offsetX - GUTTER) / (this.#drawing.width - GUTTER);
      const place = Math.floor((offsetY / HEIGHT) * this.#order.length);
      const step = from + Math.floor(along * (to - from));
      this.#choose(this.#unitAt(place), Math.max(from, Math.min(to - 1, step)));
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const direction = this.#window === null ? null : directionOf(event);
    if (direction === null || this.#window === null) {
      return;
    }
    const { from, to } = this.#window;
    const place = this.#order.indexOf(this.#unit);
    const places = { ArrowUp: place - 1, ArrowDown: place + 1 };
    const steps = { ArrowLeft: this.#step - 1, ArrowRight: this.#step + 1, Home: from, End: to - 1 };
    const unit = places[/** @type {keyof typeof places} */ (direction)] ?? place;
    const step = steps[/** @type {keyof typeof steps} */ (direction)] ?? this.#step;
    this.#choose(this.#unitAt(unit), Math.max(from, Math.min(to - 1, step)));
  }

  /** @param {number} place */
  #unitAt(place) {
    return this.#order[Math.max(0, Math.min(this.#order.length - 1, place))];
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette */
  #paint(context, width, palette) {
    if (this.#image === null || this.#window === null) {
      return;
    }
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#image, GUTTER, 0, width - GUTTER, HEIGHT);
    context.fillStyle = palette.muted;
    context.textAlign = "right";
    context.fillText(`${this.#order[0]}`, GUTTER - 6, 10);
    context.fillText(`${this.#order[this.#order.length - 1]}`, GUTTER - 6, HEIGHT - 2);
    legend(context, palette, this.#most);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {Palette} palette */
  #markOn(context, width, palette) {
    if (this.#window === null) {
      return;
    }
    const { from, to } = this.#window;
    const room = width - GUTTER;
    const row = HEIGHT / this.#order.length;
    const y = (this.#order.indexOf(this.#unit) + 0.5) * row;
    const x = GUTTER + ((this.#step - from + 0.5) / (to - from)) * room;
    context.strokeStyle = palette.mark;
    context.lineWidth = 1;
    context.strokeRect(GUTTER, y - Math.max(row, 3) / 2, room, Math.max(row, 3));
    context.fillStyle = palette.mark;
    context.fillRect(x - 0.5, 0, 1, HEIGHT);
  }
}

/** So that none of them is lost between two pixels of the page. @param {TensorWindow} window */
function columnsPerPixel({ columns }) {
  return Math.ceil(columns / MOST_PIXELS);
}

/**
 * A row for each unit; a pixel shows the oldest of its steps.
 *
 * @param {TensorWindow} window
 * @param {number[]} order
 * @param {number} most the greatest age of all
 */
function imageOf(window, order, most) {
  const { columns, high } = window;
  const together = columnsPerPixel(window);
  const width = Math.ceil(columns / together);
  const image = new OffscreenCanvas(width, order.length);
  const context = /** @type {OffscreenCanvasRenderingContext2D | null} */ (image.getContext("2d"));
  if (context === null) {
    throw new Error("this browser draws no canvas");
  }
  const pixels = context.createImageData(width, order.length);
  const { table } = coloursOf("update");
  const units = order.length;
  order.forEach((unit, row) => {
    for (let pixel = 0; pixel < width; pixel += 1) {
      let oldest = -1;
      for (let column = pixel * together; column < Math.min(columns, (pixel + 1) * together); column += 1) {
        // NaN is not older than anything: there was no gate yet.
        oldest = high[column * units + unit] > oldest ? high[column * units + unit] : oldest;
      }
      if (oldest >= 0) {
        pixels.data.set([...table[entryOfAge(oldest, most)], 255], 4 * (row * width + pixel));
      }
    }
  });
  context.putImageData(pixels, 0, 0);
  return image;
}

/** Old and very old are told apart as well as new and not so new: log(1 + age). @param {number} age @param {number} most */
function entryOfAge(age, most) {
  return entryOf(Math.log1p(age), { table: [], low: 0, high: Math.log1p(most) || 1 });
}

/** @param {CanvasRenderingContext2D} context @param {Palette} palette @param {number} most */
function legend(context, palette, most) {
  const { table } = coloursOf("update");
  const [left, top, width] = [GUTTER + 12, HEIGHT + 8, 110];
  for (let x = 0; x < width; x += 1) {
    context.fillStyle = `rgb(${table[Math.floor((256 * x) / width)].join(" ")})`;
    context.fillRect(left + x, top, 1, 9);
  }
  context.font = FONT;
  context.fillStyle = palette.muted;
  context.textAlign = "left";
  context.fillText("0", GUTTER, top + 9);
  context.fillText(say("age.legend", { most: short(most) }), left + width + 6, top + 9);
}
