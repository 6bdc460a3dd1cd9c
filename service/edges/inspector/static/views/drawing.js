/** A canvas that is as wide as its place on the page, and is drawn anew where that or the scheme changes. */

import { onSchemeChange } from "../colours.js";
import { contextOf, element } from "../elements.js";
import { inkOf } from "../timeline/window-canvas.js";

/** @import {Ink} from "../timeline/window-canvas.js" */

/** @typedef {Ink & {mark: string, panel: string}} Palette */
/** @typedef {(context: CanvasRenderingContext2D, width: number, palette: Palette) => void} Paint in CSS pixels */

export const FONT = "11px sans-serif";

export class Drawing {
  #canvas = element("canvas", { ariaHidden: "true" });
  /** What stays while the cursor moves. */
  #ground = element("canvas", {});
  #height;
  #paint;
  #over;
  #isDue = false;
  #isStale = true;

  /**
   * The node takes the keyboard's focus; whoever has it gives it a name.
   *
   * @param {number} height
   * @param {Paint} paint
   * @param {Paint} [over] what moves with the cursor
   */
  constructor(height, paint, over = () => {}) {
    this.#height = height;
    this.#paint = paint;
    this.#over = over;
    this.node = element("div", { className: "drawing", tabIndex: 0, role: "application" }, this.#canvas);
    new ResizeObserver(() => this.redraw()).observe(this.node);
    onSchemeChange(() => this.redraw());
  }

  get width() {
    return this.node.clientWidth;
  }

  /** In CSS pixels. @param {number} height */
  resize(height) {
    this.#height = height;
    this.redraw();
  }

  /** All of it, with the next frame, however often it is asked for. */
  redraw() {
    this.#isStale = true;
    this.mark();
  }

  /** What moves with the cursor alone. */
  mark() {
    if (!this.#isDue) {
      this.#isDue = true;
      requestAnimationFrame(() => {
        this.#isDue = false;
        this.#draw();
      });
    }
  }

  #draw() {
    const { width } = this;
    if (width === 0) {
      return;
    }
    const style = getComputedStyle(this.node);
    const [mark, panel] = ["--mark", "--panel"].map((name) => style.getPropertyValue(name).trim());
    const palette = { ...inkOf(this.node), mark, panel };
    if (this.#isStale) {
      this.#isStale = false;
      this.#paint(this.#sized(this.#ground, width), width, palette);
    }
    const context = this.#sized(this.#canvas, width);
    context.drawImage(this.#ground, 0, 0, width, this.#ground.height / devicePixelRatio);
    this.#over(context, width, palette);
  }

  /** Empty, and measured in CSS pixels. @param {HTMLCanvasElement} canvas @param {number} width */
  #sized(canvas, width) {
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(this.#height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${this.#height}px`;
    const context = contextOf(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = FONT;
    return context;
  }
}

/** The arrow keys and the ends, or null where a key means something else. @param {KeyboardEvent} event */
export function directionOf(event) {
  const { key, ctrlKey, altKey, metaKey } = event;
  const known = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  if (ctrlKey || altKey || metaKey || !known.includes(key)) {
    return null;
  }
  event.preventDefault();
  return key;
}
