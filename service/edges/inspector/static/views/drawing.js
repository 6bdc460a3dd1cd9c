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
  #height;
  #paint;
  #isDue = false;

  /**
   * The node takes the keyboard's focus; whoever has it gives it a name.
   *
   * @param {number} height
   * @param {Paint} paint
   */
  constructor(height, paint) {
    this.#height = height;
    this.#paint = paint;
    this.node = element("div", { className: "drawing", tabIndex: 0, role: "application" }, this.#canvas);
    new ResizeObserver(() => this.redraw()).observe(this.node);
    onSchemeChange(() => this.redraw());
  }

  /** In CSS pixels. @param {number} height */
  resize(height) {
    this.#height = height;
    this.redraw();
  }

  get width() {
    return this.node.clientWidth;
  }

  /** With the next frame, however often it is asked for. */
  redraw() {
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
    const ratio = devicePixelRatio;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${this.#height}px`;
    const context = contextOf(this.#canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = FONT;
    const style = getComputedStyle(this.node);
    const [mark, panel] = ["--mark", "--panel"].map((name) => style.getPropertyValue(name).trim());
    this.#paint(context, width, { ...inkOf(this.node), mark, panel });
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
