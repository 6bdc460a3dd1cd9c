/** Everything that lies along the time axis: charts and heat maps, one scroll, one cursor. */

import { Problem } from "../api.js";
import { outputsOf } from "../blocks.js";
import { chartsOf } from "./charts.js";
import { onSchemeChange } from "../colours.js";
import { byId, byIdOf, element } from "../elements.js";
import { LayerMaps } from "./layer-maps.js";
import { onLanguageChange, say } from "../texts.js";
import { FOLLOWING } from "../open-trace.js";
import { Tiles } from "./tiles.js";
import { TimeAxis } from "./time-axis.js";
import { markingInWords } from "../words.js";
import { fitting, narrower, viewOf, wider } from "./view.js";

/** @import {LineChart, Outputs} from "./line-chart.js" */
/** @import {Model} from "../model.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Ordering} from "./tensor-source.js" */

const PAGE = 10;
/** Maps this near to what can be seen of the page are drawn already. */
const NEAR = "800px";

/** Fires "drawn", and "settings" when somebody has changed one. */
export class Timeline extends EventTarget {
  #stage;
  #cursor;
  /** @type {OpenTrace | null} */
  #trace = null;
  /** @type {Model | null} */
  #model = null;
  /** @type {Outputs | null} */
  #outputs = null;
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
  #panel = byId("timeline-panel");
  #problem = byId("gates-problem");
  #order = byIdOf("order", HTMLSelectElement);
  #standard = byIdOf("standard", HTMLInputElement);
  #frame = 0;
  /** Known without asking the page, which would lay itself out anew for every move of the cursor. */
  #left = 0;
  /** @type {{width: number, gutter: number} | null} likewise */
  #size = null;
  #near = new IntersectionObserver((entries) => this.#notice(entries), { rootMargin: NEAR });

  /** @param {Stage} stage */
  constructor(stage) {
    super();
    this.#stage = stage;
    this.#cursor = stage.cursor;
    stage.addEventListener("trace", () => this.#show());
    stage.addEventListener("more", () => this.#extend());
    stage.cursor.addEventListener("move", () => this.#mark());
    this.#scroller.addEventListener("scroll", () => {
      this.#left = this.#scroller.scrollLeft;
      this.#outdate();
    });
    new ResizeObserver(() => {
      this.#size = null;
      this.#outdate();
    }).observe(this.#scroller);
    onSchemeChange(() => this.#outdate());
    onLanguageChange(() => {
      this.#offerMarkings();
      this.#outdate();
    });
    byId("zoom-in").addEventListener("click", () => this.#zoomTo(wider(this.#cellWidth())));
    byId("zoom-out").addEventListener("click", () => this.#zoomTo(narrower(this.#cellWidth())));
    byId("zoom-fit").addEventListener("click", () => this.#fit());
    for (const setting of [this.#order, this.#standard]) {
      setting.addEventListener("change", () => {
        this.#arrange();
        this.dispatchEvent(new Event("settings"));
      });
    }
  }

  /** What somebody has chosen of how it is drawn; `cell` is null where it is as it fits. */
  get settings() {
    return { order: this.#order.value, standardised: this.#standard.checked, cell: this.#cell };
  }

  /** @param {{order: string | null, standardised: boolean, cell: number | null}} settings */
  set settings({ order, standardised, cell }) {
    if (order !== null) {
      this.#orderOption(order);
      this.#order.value = order;
    }
    this.#standard.checked = standardised;
    this.#cell = cell;
    this.#arrange();
    this.reveal();
  }

  /** The map that draws a gate of a layer. @param {number} layer @param {string} gate */
  map(layer, gate) {
    return this.#layers[layer]?.maps.find((map) => map.gate === gate) ?? null;
  }

  /** Make room for another model. @param {Model} model */
  #build(model) {
    this.#model = model;
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

  #show() {
    const { trace } = this.#stage;
    this.#trace = trace;
    this.#panel.hidden = trace === null || trace.steps === 0;
    this.#tiles?.close();
    this.#tiles = this.#outputs = null;
    this.#size = null;
    if (trace === null || trace.steps === 0) {
      return;
    }
    if (trace.model !== this.#model) {
      this.#build(trace.model);
    }
    this.#outputs = outputsOf(trace);
    this.#tiles = new Tiles(trace);
    for (const numbers of [this.#outputs, this.#tiles]) {
      numbers.addEventListener("failed", (event) => this.#fail(/** @type {CustomEvent} */ (event).detail));
    }
    this.#outputs.addEventListener("arrived", () => this.#redrawCharts());
    this.#tiles.addEventListener("arrived", () => this.#schedule());
    this.#offerMarkings();
    this.#redrawCharts();
    this.#arrange();
    this.#mark();
  }

  /** There are more steps. */
  #extend() {
    this.#redrawCharts();
    this.#outdate();
    this.#mark();
  }

  #redrawCharts() {
    this.#charts.forEach((chart) => chart.outdate());
    this.#schedule();
  }

  /** @param {unknown} problem */
  #fail(problem) {
    if (!(problem instanceof Problem)) {
      reportError(problem);
      return;
    }
    this.#problem.replaceChildren(element("strong", {}, problem.title), " ", element("span", { lang: "en" }, problem.message));
  }

  /** Units can be put into the order in which they follow one of the trace's markings. */
  #offerMarkings() {
    const chosen = this.#order.value;
    this.#order.querySelectorAll("[data-marking]").forEach((option) => option.remove());
    for (const marking of this.#trace?.described.markings ?? []) {
      this.#orderOption(`${FOLLOWING}${marking}`);
    }
    this.#order.value = chosen;
    // What the trace before had, this one may lack.
    if (this.#order.selectedIndex < 0) {
      this.#order.value = "number";
    }
  }

  /** @param {string} order */
  #orderOption(order) {
    const isThere = [...this.#order.options].some((option) => option.value === order);
    if (isThere || !order.startsWith(FOLLOWING)) {
      return;
    }
    const marking = order.slice(FOLLOWING.length);
    const option = new Option(say("order.following", { marking: markingInWords(marking) }), order);
    option.dataset.marking = marking;
    this.#order.append(option);
  }

  /** The steps and units of a layer that can be seen. @param {number} layer */
  shown(layer) {
    const { first, last, steps, stepsPerColumn } = this.#view();
    const units = this.#layers[layer]?.rows.shown() ?? [];
    return { from: Math.min(first, steps), to: Math.min(last, steps), units, stepsPerColumn };
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

  #measured() {
    if (this.#size === null || this.#size.width === 0) {
      this.#size = { width: this.#scroller.clientWidth, gutter: this.#axis.gutter.offsetWidth };
    }
    return this.#size;
  }

  #gutter() {
    return this.#measured().gutter;
  }

  #plotWidth() {
    return Math.max(1, this.#measured().width - this.#gutter());
  }

  /** @param {number} left */
  #scrollTo(left) {
    this.#scroller.scrollLeft = left;
    this.#left = this.#scroller.scrollLeft;
  }

  #fit() {
    this.#zoomTo(fitting(this.#room(), this.#plotWidth()));
  }

  /** @param {number} from @param {number} to steps */
  #zoomInto(from, to) {
    this.#zoomTo(fitting(Math.max(1, to - from), this.#plotWidth()));
    this.#scrollTo(from * this.#cellWidth());
  }

  /** @param {number} cell */
  #zoomTo(cell) {
    this.#cell = cell;
    this.#layOut();
    this.#outdate();
    this.reveal();
    this.dispatchEvent(new Event("settings"));
  }

  /** Put units into the order that was chosen, and see how they spread, if that is wanted. */
  async #arrange() {
    const trace = this.#trace;
    if (trace === null || trace.described.layers.length === 0) {
      this.#outdate();
      return;
    }
    const by = /** @type {Ordering} */ (this.#order.value);
    const { gate } = this.#cursor.position;
    this.#problem.replaceChildren();
    try {
      await Promise.all(
        this.#layers.map((layer) => layer.arrange(trace, by, gate, this.#standard.checked)),
      );
    } catch (problem) {
      this.#fail(problem);
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
    return viewOf(steps, this.#left, this.#plotWidth(), this.#cellWidth());
  }

  #layOut() {
    const cell = this.#cellWidth();
    this.#track.style.setProperty("--cell", `${cell}px`);
    this.#track.style.setProperty("--plot", `${cell * ((this.#trace?.steps ?? 0) + 1)}px`);
  }

  #draw() {
    const [trace, tiles, outputs] = [this.#trace, this.#tiles, this.#outputs];
    if (trace === null || tiles === null || outputs === null || this.#scroller.clientWidth === 0) {
      return;
    }
    this.#layOut();
    const view = this.#view();
    this.#reduced.textContent =
      view.stepsPerColumn > 1 ? say("gates.reduced", { steps: view.stepsPerColumn }) : "";
    tiles.begin();
    this.#layers.forEach((layer) => layer.draw(tiles, view));
    tiles.end();
    this.#axis.draw(trace, view);
    if (this.#charts.length > 0) {
      // A forecast stands beside the step after it.
      outputs.need(view.first - 1, view.last + 1);
    }
    for (const chart of this.#charts) {
      chart.draw(trace, outputs, view, this.#gutter());
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
    if (left < this.#left || left + cell > this.#left + width) {
      this.#scrollTo(left - width / 2);
    }
  }
}
