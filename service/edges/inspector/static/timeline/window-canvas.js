/** A canvas as wide as what can be seen of the track, whatever the length of the sequence. */

import { contextOf, element } from "../elements.js";

/** @import {View} from "./view.js" */

export class WindowCanvas {
  canvas = element("canvas", { className: "window", role: "img" });

  /**
   * @param {View} view
   * @param {number} height in CSS pixels
   * @param {(context: CanvasRenderingContext2D, ink: Ink) => void} paint in CSS pixels of the track
   */
  draw(view, height, paint) {
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(view.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${view.width}px`;
    this.canvas.style.height = `${height}px`;
    const context = contextOf(this.canvas);
    context.setTransform(ratio, 0, 0, ratio, -view.left * ratio, 0);
    paint(context, inkOf(this.canvas));
  }
}

/**
 * @typedef {{text: string, muted: string, line: string, accent: string, mark: string, panel: string,
 *   mono: string}} Ink
 */

/** The style sheet's colours, so that there is one palette. @param {Element} node @returns {Ink} */
export function inkOf(node) {
  const style = getComputedStyle(node);
  const value = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    text: value("--ink"),
    muted: value("--muted"),
    line: value("--line"),
    accent: value("--accent"),
    mark: value("--mark"),
    panel: value("--panel"),
    mono: value("--mono"),
  };
}
