/** How long each unit holds what it wrote. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { short, shortTick } from "./figures.js";
import { LayerView } from "./layer-view.js";
import { Scale } from "./scale.js";
import { UnitList } from "./unit-list.js";
import { UnitPlot } from "./unit-plot.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

/** @typedef {{unit: number, length: number, halfLife: number, outlasts: boolean}} Memory Infinity: for ever */

/** Steps below which a memory is no longer told apart. */
const SHORTEST = 0.1;
const MOST_TICKS = 4;

export class MemoryView extends LayerView {
  #choose = (/** @type {number} */ unit) => this.stage.cursor.move({ unit, gate: "update" });
  #list = new UnitList(this.#choose);
  #plot = new UnitPlot(this.#choose);
  #axis = element("div", { className: "unit-axis", ariaHidden: "true" });

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "memory-view", title: "memory.title", what: "memory.what" });
    const bars = element("div", {}, this.#axis, this.#list.node);
    this.add(element("div", { className: "view-pair" }, bars, this.#plot.node));
  }

  /** @param {OpenTrace} trace @param {number} layer @param {Statistics} statistics */
  async draw(trace, layer, statistics) {
    const memories = longestFirst(statistics);
    const { steps } = statistics;
    const scale = new Scale(SHORTEST, Math.max(10, steps), true);
    this.summary.textContent = inWords(memories, layer, trace.units(layer), steps);
    this.#showAxis(scale);
    const bars = memories.map((memory) => ({
      unit: memory.unit,
      name: say("unit.name", { unit: memory.unit }),
      share: scale.place(memory.length),
      figure: figureOf(memory, steps),
      open: memory.outlasts,
    }));
    this.#list.show(say("memory.list", { layer }), bars);
    this.#plot.show({
      label: say("memory.list", { layer }),
      x: { name: say("memory.rank"), scale: new Scale(1, Math.max(2, memories.length)) },
      y: { name: say("memory.steps"), scale },
      points: memories.map(({ unit, length, outlasts }, place) => ({
        unit,
        x: place + 1,
        y: Math.min(length, scale.high),
        open: outlasts,
      })),
    });
  }

  /** @param {Position} position */
  mark({ unit }) {
    this.#list.mark(unit);
    this.#plot.mark(unit);
  }

  /** @param {Scale} scale */
  #showAxis(scale) {
    const powers = scale.ticks(MOST_TICKS);
    const stride = Math.ceil(powers.length / MOST_TICKS);
    const ticks = powers.filter((_, index) => (powers.length - 1 - index) % stride === 0).map((tick) => {
      const mark = element("span", {}, shortTick(tick));
      mark.style.setProperty("--share", String(scale.place(tick)));
      return mark;
    });
    this.#axis.replaceChildren(element("span", { className: "unit-axis-ticks" }, ...ticks));
  }
}

/** Those that have one: where a window is never full, nothing can be said. @param {Statistics} statistics */
function longestFirst({ memory }) {
  /** @type {Memory[]} */
  const memories = [];
  memory.length.forEach((length, unit) => {
    const outlasts = memory.outlasts[unit];
    if (length !== null || outlasts) {
      memories.push({ unit, length: length ?? Infinity, halfLife: memory.half_life[unit] ?? Infinity, outlasts });
    }
  });
  return memories.sort((one, other) => (one.length === other.length ? one.unit - other.unit : other.length - one.length));
}

/** @param {Memory} memory @param {number} steps */
function figureOf({ length, halfLife, outlasts }, steps) {
  return outlasts
    ? say("memory.outlasts", { steps })
    : say("memory.figure", { length: short(length), half: short(halfLife) });
}

/** @param {Memory[]} memories @param {number} layer @param {number} units @param {number} steps */
function inWords(memories, layer, units, steps) {
  if (memories.length === 0) {
    return say("memory.none", { layer });
  }
  const longer = (/** @type {number} */ than) => memories.filter(({ length }) => length > than).length;
  const lasting = memories.filter(({ outlasts }) => outlasts).length;
  const [{ unit, length, halfLife }] = memories;
  const counted = say("memory.counts", { layer, units, ten: longer(10), hundred: longer(100) });
  const longest =
    lasting > 0
      ? say("memory.lasting", { count: lasting, steps, unit })
      : say("memory.longest", { unit, length: short(length), half: short(halfLife) });
  return [counted, longest].join(say("list.space"));
}
