/** A canvas as wide as what can be seen of the track, whatever the length of the sequence. */

import { element } from "./elements.js";

/**
 * @typedef {object} Window what can be seen of the track
 * @property {number} left pixels of the track that are scrolled out
 * @property {number} width
 * @property {number} cell width of a time step in CSS pixels
 * @property {number} first first time step that can be seen
 * @property {number} last last one, which may lie behind the end of the sequence
 */

export class WindowCanvas {
  constructor(label) {
    this.canvas = element("canvas", { className: "window", role: "img", ariaLabel: label });
  }

  /**
   * @param {Window} window
   * @param {number} height in CSS pixels
   * @param {(context: CanvasRenderingContext2D, ink: Ink) => void} paint in CSS pixels of the track
   */
  draw(window, height, paint) {
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(window.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${window.width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, -window.left * ratio, 0);
    paint(context, inkOf(this.canvas));
  }
}

/** @typedef {{text: string, muted: string, line: string, accent: string, mono: string}} Ink */

/** The style sheet's colours, so that there is one palette. */
function inkOf(node) {
  const style = getComputedStyle(node);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    text: value("--ink"),
    muted: value("--muted"),
    line: value("--line"),
    accent: value("--accent"),
    mono: value("--mono"),
  };
}
