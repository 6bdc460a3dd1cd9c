/** Everything that lies along the time axis: charts and heat maps, one scroll, one cursor. */

import { chartsOf } from "./charts.js";
import { onSchemeChange } from "../colours.js";
import { byId, byIdOf } from "../elements.js";
import { LayerMaps } from "./layer-maps.js";
import { onLanguageChange, say } from "../texts.js";
import { TraceSource } from "./tensor-source.js";
import { Tiles } from "./tiles.js";
import { TimeAxis } from "./time-axis.js";
import { fitting, narrower, viewOf, wider } from "./view.js";

/** @import {Cursor} from "../cursor.js" */
/** @import {LineChart} from "./line-chart.js" */
/** @import {Model} from "../model.js" */
/** @import {Ordering} from "./tensor-source.js" */
/** @import {Trace} from "../trace.js" */

const PAGE = 10;
/** Maps this near to what can be seen of the page are drawn already. */
const NEAR = "800px";

/** Fires "failed" with a problem as its detail. */
export class Timeline extends EventTarget {
  #cursor;
  /** @type {Trace | null} */
  #trace = null;
  /** @type {TraceSource | null} */
  #source = null;
  /** @type {Tiles | null} */
  #tiles = null;
  /** @type {number | null} null: as wide as it fits, but a pixel at least */
  #cell = null;
  #axis = new TimeAxis();
  /** @type {LineChart[]} */
  #charts = [];
  /** @type {LayerMaps[]} */
  #layers = [];
  #scroller = byId("scroller");
  #track = byId("track");
  #reduced = byId("reduced");
  #order = byIdOf("order", HTMLSelectElement);
  #standard = byIdOf("standard", HTMLInputElement);
  #frame = 0;
  #near = new IntersectionObserver((entries) => this.#notice(entries), { rootMargin: NEAR });

  /** @param {Cursor} cursor */
  constructor(cursor) {
    super();
    this.#cursor = cursor;
    cursor.addEventListener("move", () => this.#mark());
    this.#scroller.addEventListener("scroll", () => this.#outdate());
    new ResizeObserver(() => this.#outdate()).observe(this.#scroller);
    onSchemeChange(() => this.#outdate());
    onLanguageChange(() => this.#outdate());
    byId("zoom-in").addEventListener("click", () => this.#zoomTo(wider(this.#cellWidth())));
    byId("zoom-out").addEventListener("click", () => this.#zoomTo(narrower(this.#cellWidth())));
    byId("zoom-fit").addEventListener("click", () => this.#fit());
    this.#order.addEventListener("change", () => this.#arrange());
    this.#standard.addEventListener("change", () => this.#arrange());
  }

  /** What is shown, for others that look at it. */
  get source() {
    return this.#source;
  }

  /** Make room for another model. @param {Model} model */
  build(model) {
    this.#trace = null;
    this.#cell = null;
    this.#near.disconnect();
    this.#charts = chartsOf(model, {
      point: (step) => this.#cursor.move({ step: this.#inside(step) }),
      zoom: (from, to) => this.#zoomInto(from, to),
      fit: () => this.#fit(),
    });
    this.#layers = model.layers.map((layer) => this.#buildLayer(new LayerMaps(layer)));
    const rows = [...this.#charts, this.#axis, ...this.#layers].map(({ node }) => node);
    this.#track.replaceChildren(...rows);
    this.#charts.forEach(({ node }) => node.addEventListener("keydown", (event) => this.#press(event)));
  }

  /** @param {Trace} trace */
  show(trace) {
    if (this.#trace !== trace) {
      this.#trace = trace;
      this.#source = new TraceSource(trace);
      this.#tiles?.close();
      this.#tiles = new Tiles(this.#source);
      this.#tiles.addEventListener("arrived", () => this.#schedule());
      this.#tiles.addEventListener("failed", (event) => {
        const { detail } = /** @type {CustomEvent} */ (event);
        this.dispatchEvent(new CustomEvent("failed", { detail }));
      });
    }
    this.#arrange();
    this.#mark();
  }

  /** The steps and units of a layer that can be seen. @param {number} layer */
  shown(layer) {
    const { first, last, steps } = this.#view();
    const units = this.#layers[layer]?.rows.shown() ?? [];
    return { from: Math.min(first, steps), to: Math.min(last, steps), units };
  }

  /** @param {LayerMaps} layer */
  #buildLayer(layer) {
    layer.addEventListener("change", () => this.#outdate());
    for (const map of layer.maps) {
      this.#near.observe(map.canvas);
      const { canvas, gate } = map;
      canvas.addEventListener("focus", () => {
        const unit = Math.min(this.#cursor.position.unit, layer.rows.units - 1);
        this.#cursor.move({ layer: layer.number, gate, unit });
      });
      for (const name of /** @type {const} */ (["pointermove", "pointerdown"])) {
        canvas.addEventListener(name, ({ clientX, clientY }) => {
          const box = canvas.getBoundingClientRect();
          const x = clientX - box.left + Number.parseFloat(canvas.style.left);
          const unit = layer.rows.unitAt(Math.floor((clientY - box.top) / layer.rows.cellHeight));
          const step = this.#inside(Math.floor(x / this.#cellWidth()));
          this.#cursor.move({ layer: layer.number, gate, unit, step });
        });
      }
      canvas.addEventListener("keydown", (event) => this.#press(event, layer));
    }
    return layer;
  }

  /** @param {KeyboardEvent} event @param {LayerMaps} [layer] */
  #press(event, layer) {
    const move = this.#moveOf(event.key, layer);
    if (move === null || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    this.#cursor.move(move);
    this.reveal();
  }

  /**
   * @param {string} key
   * @param {LayerMaps} [layer]
   * @returns {Partial<import("../cursor.js").Position> | null}
   */
  #moveOf(key, layer) {
    const { step, unit } = this.#cursor.position;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -PAGE, PageDown: PAGE, Home: -Infinity, End: Infinity };
    const units = { ArrowUp: -1, ArrowDown: 1 };
    if (key in steps) {
      return { step: this.#inside(step + steps[/** @type {keyof typeof steps} */ (key)]) };
    }
    if (key in units && layer !== undefined) {
      return { unit: layer.rows.beside(unit, units[/** @type {keyof typeof units} */ (key)]) };
    }
    return null;
  }

  /** @param {number} step */
  #inside(step) {
    return Math.max(0, Math.min((this.#trace?.steps ?? 1) - 1, step));
  }

  /** One step more than there are: a forecast reaches beyond the end. */
  #room() {
    return Math.max(this.#trace?.steps ?? 0, this.#trace?.planned ?? 0) + 1;
  }

  #cellWidth() {
    return this.#cell ?? Math.max(1, fitting(this.#room(), this.#plotWidth()));
  }

  #gutter() {
    return this.#axis.gutter.offsetWidth;
  }

  #plotWidth() {
    return Math.max(1, this.#scroller.clientWidth - this.#gutter());
  }

  #fit() {
    this.#zoomTo(fitting(this.#room(), this.#plotWidth()));
  }

  /** @param {number} from @param {number} to steps */
  #zoomInto(from, to) {
    this.#zoomTo(fitting(Math.max(1, to - from), this.#plotWidth()));
    this.#scroller.scrollLeft = from * this.#cellWidth();
  }

  /** @param {number} cell */
  #zoomTo(cell) {
    this.#cell = cell;
    this.#layOut();
    this.#outdate();
    this.reveal();
  }

  /** Put units into the order that was chosen, and see how they spread, if that is wanted. */
  async #arrange() {
    const source = this.#source;
    if (source === null) {
      return;
    }
    const by = /** @type {Ordering} */ (this.#order.value);
    const standard = this.#standard.checked;
    try {
      await Promise.all(this.#layers.map((layer) => layer.arrange(source, by, standard)));
    } catch (detail) {
      this.dispatchEvent(new CustomEvent("failed", { detail }));
    }
    this.#outdate();
    this.#mark();
  }

  #outdate() {
    this.#layers.forEach((layer) => layer.maps.forEach((map) => map.outdate()));
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #notice(entries) {
    const maps = this.#layers.flatMap((layer) => layer.maps);
    for (const { target, isIntersecting } of entries) {
      const map = maps.find(({ canvas }) => canvas === target);
      if (map !== undefined) {
        map.near = isIntersecting;
      }
    }
    this.#schedule();
  }

  #view() {
    const steps = this.#trace?.steps ?? 0;
    return viewOf(steps, this.#scroller.scrollLeft, this.#plotWidth(), this.#cellWidth());
  }

  #layOut() {
    const cell = this.#cellWidth();
    this.#track.style.setProperty("--cell", `${cell}px`);
    this.#track.style.setProperty("--plot", `${cell * ((this.#trace?.steps ?? 0) + 1)}px`);
  }

  #draw() {
    if (this.#trace === null || this.#tiles === null || this.#scroller.clientWidth === 0) {
      return;
    }
    this.#layOut();
    const view = this.#view();
    this.#reduced.textContent =
      view.stepsPerColumn > 1 ? say("gates.reduced", { steps: view.stepsPerColumn }) : "";
    this.#tiles.begin();
    this.#layers.forEach((layer) => layer.draw(/** @type {Tiles} */ (this.#tiles), view));
    this.#tiles.end();
    this.#axis.draw(this.#trace, view);
    for (const chart of this.#charts) {
      chart.draw(this.#trace, view, this.#gutter());
      chart.mark(this.#cursor.position.step);
    }
    this.dispatchEvent(new Event("drawn"));
  }

  #mark() {
    const { position } = this.#cursor;
    this.#track.style.setProperty("--step", String(position.step));
    if (this.#layers[position.layer]?.rows.reveal(position.unit)) {
      this.#outdate();
    }
    this.#layers.forEach((layer) => layer.mark(position));
    this.#charts.forEach((chart) => chart.mark(position.step));
  }

  /** Scroll sideways until the cursor can be seen. */
  reveal() {
    const [cell, width] = [this.#cellWidth(), this.#plotWidth()];
    const left = this.#cursor.position.step * cell;
    const { scrollLeft } = this.#scroller;
    if (left < scrollLeft || left + cell > scrollLeft + width) {
      this.#scroller.scrollLeft = left - width / 2;
    }
  }
}
