/** One feature over time: what went in, and what the model said would come next. */

import { onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { inkOf } from "./window-canvas.js";
import { measure, withUnit } from "../words.js";

/** @import {Blocks} from "../blocks.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {View} from "./view.js" */

const HEIGHT = 120;
const MARGIN = 10;
/** Dots show where the steps are, as long as they do not run into each other. */
const DOTTED_CELL = 8;
const LEAST_DRAG = 6;

/**
 * @typedef {object} Line
 * @property {() => string | null} label null: another line's label is this one's too
 * @property {"text"|"accent"} ink
 * @property {boolean} [thin] whether it is the edge of a band
 * @property {(trace: OpenTrace, step: number, outputs: Outputs) => number | null | undefined} at
 *   undefined where there is no value, null where it is missing
 */

/** @typedef {Blocks<(number | null)[] | null>} Outputs */

/**
 * @typedef {object} Gestures
 * @property {(step: number) => void} point
 * @property {(from: number, to: number) => void} zoom
 * @property {() => void} fit
 */

export class LineChart {
  #name;
  #lines;
  #gestures;
  #keys;
  #range = element("span", { className: "hint range" });
  #room = element("div", { className: "chart-room" });
  #figure = element("div", { className: "chart", tabIndex: 0, role: "application" }, this.#room);
  /** @type {uPlot | null} */
  #chart = null;
  #gutter = -1;
  /** Whether what is drawn is not what there is. */
  #isOutdated = true;
  /** @type {[number, number]} */
  #span = [0, 1];

  /**
   * @param {string} name
   * @param {string} unit
   * @param {Line[]} lines
   * @param {Gestures} gestures
   */
  constructor(name, unit, lines, gestures) {
    this.#name = name;
    this.#lines = lines;
    this.#gestures = gestures;
    this.#keys = lines.map(({ ink }) => element("span", { className: `key ink-${ink}` }));
    this.#figure.setAttribute("aria-describedby", "keys");
    const title = element("h3", {}, withUnit(name, unit));
    const head = element("div", { className: "row-head" }, title, ...this.#keys, this.#range);
    this.node = element("div", { className: "map" }, head, this.#figure);
    this.#relabel();
    onLanguageChange(() => this.#relabel());
    onSchemeChange(() => this.#chart?.redraw(false));
  }

  /** There are other values. */
  outdate() {
    this.#isOutdated = true;
    this.#figure.ariaBusy = "true";
  }

  /**
   * @param {OpenTrace} trace
   * @param {Outputs} outputs of it
   * @param {View} view
   * @param {number} gutter width that is left of the first step
   */
  draw(trace, outputs, view, gutter) {
    const chart = this.#chartFor(gutter, view.width);
    this.#figure.ariaBusy = String(!outputs.has(Math.max(0, view.first - 1), Math.min(view.last, trace.steps)));
    const isOutdated = this.#isOutdated;
    if (isOutdated) {
      this.#isOutdated = false;
      const data = this.#data(trace, outputs);
      this.#span = spanOf(data.slice(1));
      this.#tellRange();
      chart.setData(/** @type {uPlot.AlignedData} */ (data), false);
    }
    const width = gutter + view.width;
    if (chart.width !== width) {
      chart.setSize({ width, height: HEIGHT });
    }
    const min = view.left / view.cell - 0.5;
    chart.batch(() => {
      chart.setScale("y", { min: this.#span[0], max: this.#span[1] });
      chart.setScale("x", { min, max: min + view.width / view.cell });
      if (isOutdated) {
        // Where the scales stay as they are, other values alone are no reason for it to draw.
        chart.redraw();
      }
    });
  }

  /** @param {number} step */
  mark(step) {
    if (this.#chart === null) {
      return;
    }
    const { min = 0, max = 0 } = this.#chart.scales.x;
    const left = step < min || step > max ? -10 : this.#chart.valToPos(step, "x");
    this.#chart.setCursor({ left, top: HEIGHT / 2 }, false);
  }

  /** @param {number} gutter @param {number} width */
  #chartFor(gutter, width) {
    if (this.#chart !== null && this.#gutter === gutter) {
      return this.#chart;
    }
    this.#chart?.destroy();
    this.#gutter = gutter;
    this.#isOutdated = true;
    this.#chart = new uPlot(this.#options(gutter, width), [[0]], this.#room);
    this.#chart.over.addEventListener("pointermove", (event) => this.#point(event));
    this.#chart.over.addEventListener("pointerdown", (event) => this.#point(event));
    return this.#chart;
  }

  /** @param {number} gutter @param {number} width @returns {uPlot.Options} */
  #options(gutter, width) {
    const colour = (/** @type {"text"|"accent"|"muted"|"line"} */ name) => () => inkOf(this.#room)[name];
    const dots = (/** @type {uPlot} */ chart) => chart.valToPos(1, "x") - chart.valToPos(0, "x") >= DOTTED_CELL;
    return {
      width: gutter + width,
      height: HEIGHT,
      padding: [MARGIN, 0, MARGIN, 0],
      legend: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false } },
      axes: [
        { show: false },
        {
          show: gutter > 0,
          size: gutter,
          gap: 6,
          space: 26,
          font: "11px sans-serif",
          stroke: colour("muted"),
          grid: { stroke: colour("line"), width: 1 },
          ticks: { show: false },
        },
      ],
      series: [
        {},
        ...this.#lines.map(({ ink, thin = false }) => ({
          stroke: colour(ink),
          width: thin ? 0.8 : 1.6,
          points: { show: thin ? false : dots, size: 5, fill: colour(ink) },
        })),
      ],
      bands: this.#bands(),
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG },
        bind: { mouseleave: () => () => null, dblclick: () => () => this.#fit() },
      },
      hooks: { setSelect: [(chart) => this.#select(chart)] },
    };
  }

  /** What lies between the thin lines is filled. @returns {uPlot.Band[]} */
  #bands() {
    const edges = this.#lines.flatMap(({ thin }, index) => (thin ? [index + 1] : []));
    const fill = () => `color-mix(in srgb, ${inkOf(this.#room).accent} 18%, transparent)`;
    return edges.length < 2 ? [] : [{ series: [edges[edges.length - 1], edges[0]], fill }];
  }

  #fit() {
    this.#gestures.fit();
    return null;
  }

  /** @param {PointerEvent} event */
  #point({ offsetX }) {
    if (this.#chart !== null) {
      this.#gestures.point(Math.round(this.#chart.posToVal(offsetX, "x")));
    }
  }

  /** @param {uPlot} chart */
  #select(chart) {
    const { left, width } = chart.select;
    if (width >= LEAST_DRAG) {
      chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      this.#gestures.zoom(Math.floor(chart.posToVal(left, "x") + 0.5), chart.posToVal(left + width, "x") + 0.5);
    }
  }

  /**
   * Steps, and each line's values; one step more than there are: forecasts reach beyond the end.
   *
   * @param {OpenTrace} trace
   * @param {Outputs} outputs
   */
  #data(trace, outputs) {
    const steps = Array.from({ length: trace.steps + 1 }, (_, step) => step);
    return [steps, ...this.#lines.map(({ at }) => steps.map((step) => at(trace, step, outputs) ?? null))];
  }

  #tellRange() {
    const [low, high] = this.#span.map((value) => measure(value, ""));
    this.#range.textContent = say("chart.range", { low, high });
  }

  #relabel() {
    const labels = this.#lines.map(({ label }) => label());
    labels.forEach((label, index) => {
      this.#keys[index].textContent = label;
      this.#keys[index].hidden = label === null;
    });
    const lines = labels.filter((label) => label !== null).join(", ");
    this.#figure.ariaLabel = say("chart.label", { name: this.#name, lines });
    this.#figure.ariaRoleDescription = say("chart.role");
    this.#figure.title = say("chart.drag");
    this.#tellRange();
  }
}

/**
 * Over the whole sequence, so that scrolling does not rescale.
 *
 * @param {(number | null)[][]} lines
 * @returns {[number, number]}
 */
function spanOf(lines) {
  let [low, high] = [Infinity, -Infinity];
  for (const line of lines) {
    for (const value of line) {
      if (value !== null) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  if (low > high) {
    return [0, 1];
  }
  return high > low ? [low, high] : [low - 1, high + 1];
}
