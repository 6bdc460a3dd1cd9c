/** Everything that lies along the time axis: charts and heat maps, one scroll, one cursor. */

import { chartsOf } from "./charts.js";
import { onSchemeChange } from "./colours.js";
import { byId, element } from "./elements.js";
import { HeatMap } from "./heat-map.js";
import { TimeAxis } from "./time-axis.js";
import { shownOf } from "./trace.js";

const ZOOM_WIDTHS = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32];
const WIDEST_FIT = 28;
const PAGE = 10;

export class Timeline {
  #cursor;
  #trace = null;
  #cell = null;
  #axis = new TimeAxis();
  #charts = [];
  /** @type {HeatMap[]} */
  #maps = [];
  #layers = [];
  #scroller = byId("scroller");
  #track = byId("track");

  /** @param {import("./cursor.js").Cursor} cursor */
  constructor(cursor) {
    this.#cursor = cursor;
    cursor.addEventListener("move", () => this.#mark());
    this.#scroller.addEventListener("scroll", () => this.#drawWindows());
    new ResizeObserver(() => this.#draw()).observe(this.#scroller);
    onSchemeChange(() => this.#draw());
    byId("zoom-in").addEventListener("click", () => this.#zoom(1));
    byId("zoom-out").addEventListener("click", () => this.#zoom(-1));
    byId("zoom-fit").addEventListener("click", () => this.#zoomTo(null));
  }

  /** Make room for another model. */
  build(model) {
    this.#trace = null;
    this.#cell = null;
    this.#charts = chartsOf(model);
    this.#maps = [];
    this.#layers = model.layers.map((layer) => this.#buildLayer(layer));
    const plots = this.#charts.map((chart) => chart.node);
    this.#track.replaceChildren(...plots, this.#axis.node, ...this.#layers);
    for (const plot of this.#track.querySelectorAll(".plot")) {
      plot.addEventListener("pointermove", (event) => this.#point(event));
      plot.addEventListener("pointerdown", (event) => this.#point(event));
    }
  }

  /** @param {import("./trace.js").Trace} trace */
  show(trace) {
    this.#trace = trace;
    this.#draw();
    this.#mark();
  }

  #buildLayer(described) {
    const { layer } = described;
    const units = described.hidden_size * described.lanes;
    const maps = shownOf(described).map((gate) => new HeatMap(layer, gate, units));
    maps.forEach((map) => this.#listen(map));
    this.#maps.push(...maps);
    const name = element("summary", {}, element("h3", {}, `Layer ${layer}`), ` ${units} units`);
    return element("details", { className: "layer", open: true }, name, ...maps.map((map) => map.node));
  }

  #listen(map) {
    const { canvas, layer, gate, cellHeight, units } = map;
    canvas.addEventListener("focus", () =>
      this.#cursor.move({ layer, gate, unit: Math.min(this.#cursor.position.unit, units - 1) }),
    );
    canvas.addEventListener("pointermove", ({ offsetY }) => {
      const unit = Math.max(0, Math.min(units - 1, Math.floor(offsetY / cellHeight)));
      this.#cursor.move({ layer, gate, unit });
    });
    canvas.addEventListener("keydown", (event) => this.#press(event, units));
  }

  #point({ clientX, currentTarget }) {
    const x = clientX - currentTarget.getBoundingClientRect().left;
    this.#cursor.move({ step: this.#inside(Math.floor(x / this.#cellWidth())) });
  }

  #press(event, units) {
    const { step, unit } = this.#cursor.position;
    const moves = {
      ArrowLeft: { step: step - 1 },
      ArrowRight: { step: step + 1 },
      ArrowUp: { unit: Math.max(0, unit - 1) },
      ArrowDown: { unit: Math.min(units - 1, unit + 1) },
      PageUp: { step: step - PAGE },
      PageDown: { step: step + PAGE },
      Home: { step: 0 },
      End: { step: Infinity },
    };
    const move = moves[event.key];
    if (move === undefined || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    this.#cursor.move("step" in move ? { step: this.#inside(move.step) } : move);
    this.#reveal();
  }

  #inside(step) {
    return Math.max(0, Math.min(this.#trace.steps - 1, step));
  }

  #cellWidth() {
    if (this.#cell !== null) {
      return this.#cell;
    }
    // One step more than there are: a forecast reaches beyond the end.
    const steps = Math.max(this.#trace.steps, this.#trace.planned) + 1;
    const room = Math.floor(this.#plotWidth() / steps);
    return Math.max(1, Math.min(WIDEST_FIT, room));
  }

  #plotWidth() {
    const gutter = this.#axis.node.firstChild.offsetWidth;
    return Math.max(1, this.#scroller.clientWidth - gutter);
  }

  #zoom(direction) {
    const cell = this.#cellWidth();
    const wider = ZOOM_WIDTHS.find((width) => width > cell);
    const narrower = ZOOM_WIDTHS.findLast((width) => width < cell);
    this.#zoomTo((direction > 0 ? wider : narrower) ?? cell);
  }

  #zoomTo(cell) {
    this.#cell = cell;
    this.#draw();
    this.#reveal();
  }

  #draw() {
    if (this.#trace === null) {
      return;
    }
    const cell = this.#cellWidth();
    this.#track.style.setProperty("--cell", `${cell}px`);
    this.#track.style.setProperty("--plot", `${cell * (this.#trace.steps + 1)}px`);
    for (const map of this.#maps) {
      map.draw(this.#trace.layers[map.layer][map.gate], cell);
    }
    this.#drawWindows();
  }

  #drawWindows() {
    if (this.#trace === null) {
      return;
    }
    const [left, width, cell] = [this.#scroller.scrollLeft, this.#plotWidth(), this.#cellWidth()];
    const first = Math.floor(left / cell);
    const window = { left, width, cell, first, last: Math.ceil((left + width) / cell) };
    [this.#axis, ...this.#charts].forEach((row) => row.draw(this.#trace, window));
  }

  #mark() {
    const { layer, gate, unit, step } = this.#cursor.position;
    this.#track.style.setProperty("--step", step);
    this.#track.style.setProperty("--unit", unit);
    this.#layers.forEach((node, index) => node.classList.toggle("marked", index === layer));
    for (const map of this.#maps) {
      map.node.classList.toggle("marked", map.layer === layer && map.gate === gate);
    }
  }

  /** Scroll sideways until the cursor can be seen. */
  #reveal() {
    const [cell, width] = [this.#cellWidth(), this.#plotWidth()];
    const left = this.#cursor.position.step * cell;
    const { scrollLeft } = this.#scroller;
    if (left < scrollLeft || left + cell > scrollLeft + width) {
      this.#scroller.scrollLeft = left - width / 2;
    }
  }
}
