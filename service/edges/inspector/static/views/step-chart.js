/** Lines over the steps of a trace, with the cursor's step marked. */

import { onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { inkOf } from "../timeline/window-canvas.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { directionOf } from "./drawing.js";
import { tickLabel } from "./figures.js";

const HEIGHT = 140;
/** Left of the first step. */
export const GUTTER = 48;

export class StepChart {
  #choose;
  #keys = element("p", { className: "hint" });
  #room = element("div", { className: "chart-room" });
  #figure = element("div", { className: "step-chart", tabIndex: 0, role: "application" }, this.#room);
  node = element("div", {}, this.#figure, this.#keys);
  /** @type {uPlot | null} */
  #chart = null;
  #lines = 0;
  #step = 0;
  #last = 0;

  /** @param {(step: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    new ResizeObserver(() => this.#resize()).observe(this.#figure);
    onSchemeChange(() => this.#chart?.redraw(false));
    this.#figure.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * @param {string} label
   * @param {string} keys what the lines are
   * @param {number[]} steps
   * @param {(number | null)[][]} lines one, or the lower and the upper edge of a band
   */
  show(label, keys, steps, lines) {
    this.#figure.ariaLabel = label;
    this.#keys.textContent = keys;
    this.#last = steps[steps.length - 1] ?? 0;
    if (this.#chart === null || this.#lines !== lines.length) {
      this.#chart?.destroy();
      this.#lines = lines.length;
      this.#chart = new uPlot(this.#options(lines.length), [[0]], this.#room);
      this.#chart.over.addEventListener("click", ({ offsetX }) => this.#point(offsetX));
    }
    this.#chart.setData(/** @type {uPlot.AlignedData} */ ([steps, ...lines]));
    this.#resize();
  }

  /** @param {number} step */
  mark(step) {
    this.#step = step;
    if (this.#chart !== null && this.#chart.width > 0) {
      this.#chart.setCursor({ left: this.#chart.valToPos(step, "x"), top: HEIGHT / 2 }, false);
    }
  }

  #resize() {
    const width = this.#figure.clientWidth;
    if (this.#chart !== null && width > 0) {
      this.#chart.setSize({ width, height: HEIGHT });
      this.mark(this.#step);
    }
  }

  /** @param {number} x */
  #point(x) {
    if (this.#chart !== null) {
      this.#choose(Math.max(0, Math.min(this.#last, Math.round(this.#chart.posToVal(x, "x")))));
    }
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const direction = directionOf(event);
    const steps = { ArrowLeft: this.#step - 1, ArrowRight: this.#step + 1, Home: 0, End: this.#last };
    if (direction !== null && direction in steps) {
      const wanted = steps[/** @type {keyof typeof steps} */ (direction)];
      this.#choose(Math.max(0, Math.min(this.#last, wanted)));
    }
  }

  /** @param {number} lines @returns {uPlot.Options} */
  #options(lines) {
    const colour = (/** @type {"accent" | "muted" | "line"} */ name) => () => inkOf(this.#room)[name];
    const axis = { font: "11px sans-serif", stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 } };
    const labels = (/** @type {uPlot} */ _, /** @type {number[]} */ ticks) => ticks.map(tickLabel);
    const fill = () => `color-mix(in srgb, ${inkOf(this.#room).accent} 30%, transparent)`;
    return {
      width: Math.max(1, this.#figure.clientWidth),
      height: HEIGHT,
      padding: [8, 0, 0, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [
        { ...axis, size: 24, ticks: { show: false }, values: labels },
        { ...axis, size: GUTTER, gap: 6, space: 28, ticks: { show: false }, values: labels },
      ],
      series: [{}, ...Array.from({ length: lines }, () => ({ stroke: colour("accent"), width: 1.3, points: { show: false } }))],
      bands: lines > 1 ? [{ series: [2, 1], fill }] : [],
      cursor: {
        ...{ y: false, drag: { x: true, y: false, dist: 6 } },
        bind: { mouseleave: () => () => null, mousemove: (_, __, move) => (event) => (event.buttons > 0 ? move(event) : null) },
      },
    };
  }
}
