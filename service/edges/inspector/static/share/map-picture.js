/** A heat map as a picture of its own, with its name, its axes and its colours. */

import { coloursOf, pixelsOf } from "../colours.js";
import { contextOf, element } from "../elements.js";
import { say } from "../texts.js";
import { inkOf } from "../timeline/window-canvas.js";
import { decimal } from "../words.js";

/** @import {HeatMap} from "../timeline/heat-map.js" */

/** Pixels around the map. */
export const MARGIN = { left: 72, top: 48, right: 24, bottom: 44 };
const SMALLEST_CELL = 2;
const TICK_ROOM = 72;

/**
 * @param {HeatMap} map
 * @param {{title: string, units: number[], from: number, to: number, standardised: boolean}} shown
 *   steps as the session counts them
 * @returns {Promise<Blob>} PNG
 */
export function pictureOf(map, { title, units, from, to, standardised }) {
  const source = map.canvas;
  const [across, down] = [Math.max(SMALLEST_CELL, Math.floor(900 / source.width)), Math.max(SMALLEST_CELL, Math.floor(320 / source.height))];
  const [width, height] = [source.width * across, source.height * down];
  const canvas = element("canvas", {
    width: MARGIN.left + width + MARGIN.right,
    height: MARGIN.top + height + MARGIN.bottom,
  });
  const [context, ink] = [contextOf(canvas), inkOf(source)];
  context.fillStyle = ink.panel;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(source, MARGIN.left, MARGIN.top, width, height);
  context.fillStyle = ink.text;
  context.font = "bold 15px sans-serif";
  context.fillText(title, MARGIN.left, 20, width);
  drawLegend(context, map.gate, standardised, MARGIN.left, 28, ink.muted);
  context.font = "12px sans-serif";
  context.fillStyle = ink.muted;
  context.textAlign = "right";
  context.fillText(say("map.first-unit", { unit: units[0] }), MARGIN.left - 8, MARGIN.top + 11);
  context.fillText(String(units[units.length - 1]), MARGIN.left - 8, MARGIN.top + height);
  context.textAlign = "center";
  const ticks = Math.max(1, Math.min(to - from, Math.floor(width / TICK_ROOM)));
  for (let tick = 0; tick < ticks; tick += 1) {
    const step = Math.floor(from + (tick * (to - from)) / ticks);
    const x = MARGIN.left + ((step - from + 0.5) * width) / (to - from);
    context.fillRect(x - 0.5, MARGIN.top + height, 1, 5);
    context.fillText(String(step), x, MARGIN.top + height + 18);
  }
  context.fillText(say("axis.step"), MARGIN.left + width / 2, MARGIN.top + height + 36);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error("no picture")) : resolve(blob)), "image/png");
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} gate
 * @param {boolean} standardised
 * @param {number} x
 * @param {number} y
 * @param {string} ink
 */
function drawLegend(context, gate, standardised, x, y, ink) {
  const colours = coloursOf(gate, standardised);
  const image = new ImageData(256, 10);
  const row = pixelsOf(colours);
  const pixels = new Uint32Array(image.data.buffer);
  for (let line = 0; line < 10; line += 1) {
    pixels.set(row, 256 * line);
  }
  const [low, high] = [decimal(colours.low, 0), decimal(colours.high, 0)];
  context.font = "12px sans-serif";
  context.fillStyle = ink;
  context.fillText(low, x, y + 10);
  context.putImageData(image, x + 24, y);
  context.fillText(high, x + 24 + 256 + 8, y + 10);
}
