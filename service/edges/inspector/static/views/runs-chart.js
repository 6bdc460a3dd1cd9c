/** Lines or bars over steps, with the page's cursor among them. */

import { onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { inkOf } from "../timeline/window-canvas.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { say } from "../texts.js";

const HEIGHT = 170;
const GUTTER = 62;
const LEAST_DRAG = 6;
const NARROW = 12;
const MOST_POWERS = 6;

/** @typedef {"text" | "accent" | "muted" | "rise" | "fall"} Tint */

/**
 * @typedef {object} Drawn
 * @property {string} label
 * @property {Tint} ink
 * @property {boolean} [bars]
 * @property {boolean} [dashed]
 * @property {(number | null)[]} values one a step
 */

/** Drag to zoom in, double click to see all again; arrow keys move the cursor. */
export class RunsChart {
  #title = element("h3", {});
  #keys = element("span", { className: "keys" });
  #room = element("div", { className: "chart-room" });
  #figure = element("div", { className: "steps-chart", tabIndex: 0, role: "application" }, this.#room);
  node = element(
    "div",
    { className: "map", hidden: true },
    element("div", { className: "chart-head" }, this.#title, this.#keys),
    this.#figure,
  );
  /** @type {uPlot | null} */
  #chart = null;
  #first = 0;
  #count = 0;
  #step = 0;
  #point;

  /** @param {(step: number) => void} point */
  constructor(point) {
    this.#point = point;
    this.#figure.addEventListener("keydown", (event) => this.#press(event));
    new ResizeObserver(() => this.#resize()).observe(this.#room);
    onSchemeChange(() => this.#chart?.redraw(false));
  }

  hide() {
    this.node.hidden = true;
  }

  /**
   * @param {string} title
   * @param {number} first step
   * @param {Drawn[]} drawn
   * @param {{isLog?: boolean}} [options]
   */
  draw(title, first, drawn, { isLog = false } = {}) {
    this.node.hidden = false;
    this.#title.textContent = title;
    this.#keys.replaceChildren(
      ...(drawn.length < 2 ? [] : drawn).map(({ label, ink }) => element("span", { className: `key ink-${ink}` }, label)),
    );
    this.#figure.ariaLabel = say("chart.label", { name: title, lines: drawn.map(({ label }) => label).join(", ") });
    this.#figure.ariaRoleDescription = say("chart.role");
    this.#figure.title = say("chart.drag");
    [this.#first, this.#count] = [first, drawn[0].values.length];
    this.#chart?.destroy();
    const steps = Array.from({ length: this.#count }, (_, index) => first + index);
    const data = /** @type {uPlot.AlignedData} */ ([steps, ...drawn.map(({ values }) => values)]);
    const chart = new uPlot(this.#options(drawn, isLog), data, this.#room);
    this.#chart = chart;
    chart.over.addEventListener("click", (event) => this.#click(event));
  }

  /** @param {number} step */
  mark(step) {
    if (this.#step !== step) {
      this.#step = step;
      this.#chart?.redraw(false);
    }
  }

  /** @param {Drawn[]} drawn @param {boolean} isLog @returns {uPlot.Options} */
  #options(drawn, isLog) {
    const colour = (/** @type {Tint | "line"} */ name) => () => this.#ink(name);
    const axis = {
      font: "11px sans-serif",
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: Math.max(120, this.#room.clientWidth),
      height: HEIGHT,
      padding: [NARROW, NARROW, 0, 0],
      legend: { show: false },
      scales: { x: { time: false, range: (_, least, most) => [least - 0.5, most + 0.5] }, y: isLog ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: 26, gap: 4, space: 60, values: (_, marks) => marks.map((mark) => (Number.isInteger(mark) ? String(mark) : "")) },
        {
          ...axis,
          size: GUTTER,
          gap: 6,
          space: 26,
          values: (_, marks) => marks.map(tick),
          ...(isLog ? { splits: powersOfTen, filter: (_, marks) => marks } : {}),
        },
      ],
      series: [
        {},
        ...drawn.map(({ ink, bars = false, dashed = false }) => ({
          stroke: colour(ink),
          width: bars ? 0 : 1.6,
          ...(bars ? { fill: colour(ink), paths: uPlot.paths.bars?.({ size: [0.8, 40] }) } : {}),
          ...(dashed ? { dash: [5, 4] } : {}),
          points: { show: false },
        })),
      ],
      cursor: { y: false, drag: { x: true, y: false, dist: LEAST_DRAG }, points: { show: false } },
      hooks: { draw: [(chart) => this.#drawMark(chart)] },
    };
  }

  /** @param {Tint | "line"} name */
  #ink(name) {
    if (name === "rise" || name === "fall") {
      return getComputedStyle(this.#room).getPropertyValue(`--${name}`).trim();
    }
    return inkOf(this.#room)[name];
  }

  /** @param {uPlot} chart */
  #drawMark(chart) {
    const { min = 0, max = 0 } = chart.scales.x;
    if (this.#step < min || this.#step > max) {
      return;
    }
    const left = chart.valToPos(this.#step, "x", true);
    const { top, height } = chart.bbox;
    chart.ctx.save();
    chart.ctx.strokeStyle = getComputedStyle(this.#room).getPropertyValue("--mark").trim();
    chart.ctx.lineWidth = devicePixelRatio * 1.4;
    chart.ctx.setLineDash([]);
    chart.ctx.beginPath();
    chart.ctx.moveTo(left, top);
    chart.ctx.lineTo(left, top + height);
    chart.ctx.stroke();
    chart.ctx.restore();
  }

  #resize() {
    const width = this.#room.clientWidth;
    if (this.#chart !== null && width > 0 && Math.abs(this.#chart.width - width) > 1) {
      this.#chart.setSize({ width, height: HEIGHT });
    }
  }

  /** @param {MouseEvent} event */
  #click({ offsetX }) {
    if (this.#chart !== null) {
      this.#go(Math.round(this.#chart.posToVal(offsetX, "x")));
    }
  }

  /** @param {number} step */
  #go(step) {
    this.#point(Math.max(this.#first, Math.min(this.#first + this.#count - 1, step)));
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.#first + this.#count - 1;
    const ends = { ArrowLeft: this.#step - 1, ArrowRight: this.#step + 1, Home: this.#first, End: last };
    if (event.key in ends && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.#go(ends[/** @type {keyof typeof ends} */ (event.key)]);
    }
  }
}

/** As many as there is room for. @param {uPlot} _ @param {number} _axis @param {number} low @param {number} high */
function powersOfTen(_, _axis, low, high) {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first) / MOST_POWERS));
  return Array.from({ length: Math.max(0, Math.floor((last - first) / every) + 1) }, (_, index) => 10 ** (last - index * every)).reverse();
}

/** @param {number | null} value */
function tick(value) {
  if (value === null) {
    return "";
  }
  const size = Math.abs(value);
  const text = value !== 0 && (size < 0.001 || size >= 100_000) ? value.toExponential(0) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
