/** How often the gates of each unit are nearly closed, and nearly open. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { tensorInWords } from "../words.js";
import { FigureTable } from "./figure-table.js";
import { placeOfLargest, share, shortOrNone } from "./figures.js";
import { LayerView } from "./layer-view.js";
import { Scale } from "./scale.js";
import { UnitPlot } from "./unit-plot.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Point} from "./unit-plot.js" */

/** @typedef {"reset" | "update"} Gate */
/** @type {Gate[]} */
const GATES = ["reset", "update"];
const MOSTLY = 0.5;

export class SaturationView extends LayerView {
  #plots = GATES.map((gate) => new UnitPlot((unit) => this.stage.cursor.move({ unit, gate })));
  #titles = GATES.map(() => element("h3", {}));
  #table = new FigureTable();

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "saturation-view", title: "saturation.title", what: "saturation.what" });
    const plots = this.#plots.map(({ node }, index) => element("div", {}, this.#titles[index], node));
    this.add(element("div", { className: "view-pair" }, ...plots), this.#table.node);
  }

  /** @param {OpenTrace} _ @param {number} layer @param {Statistics} statistics */
  async draw(_, layer, statistics) {
    const found = GATES.map((gate) => pointsOf(statistics, gate));
    this.summary.textContent = GATES.map((gate, index) => inWords(gate, found[index])).join(say("list.space"));
    GATES.forEach((gate, index) => {
      this.#titles[index].textContent = tensorInWords(gate);
      this.#plots[index].show({
        label: say("saturation.plot", { tensor: tensorInWords(gate), layer }),
        x: { name: say("saturation.near-0"), scale: new Scale(0, 1) },
        y: { name: say("saturation.near-1"), scale: new Scale(0, 1) },
        points: found[index],
        triangle: true,
      });
    });
    this.#table.show(this.#tableOf(layer, statistics));
  }

  /** @param {Position} position */
  mark({ unit }) {
    for (const plot of this.#plots) {
      plot.mark(unit);
    }
  }

  /** @param {number} layer @param {Statistics} statistics */
  #tableOf(layer, { tensors }) {
    const ends = GATES.flatMap((gate) => [tensors[gate].near_0 ?? [], tensors[gate].near_1 ?? []]);
    const sides = GATES.map(tensorInWords).flatMap((tensor) => [
      say("saturation.column-0", { tensor }),
      say("saturation.column-1", { tensor }),
    ]);
    return {
      caption: say("saturation.table", { layer }),
      head: say("unit.head"),
      columns: sides,
      rows: ends[0].map((_, unit) => ({
        name: say("unit.name", { unit }),
        cells: ends.map((values) => shortOrNone(values[unit])),
        choose: () => this.stage.cursor.move({ unit }),
      })),
    };
  }
}

/** @param {Statistics} statistics @param {Gate} gate */
function pointsOf({ tensors }, gate) {
  const { near_0 = [], near_1 = [] } = tensors[gate];
  /** @type {Point[]} */
  const points = [];
  near_0.forEach((x, unit) => {
    const y = near_1[unit];
    // JSON has no NaN: where a window is never full, there is null.
    if (typeof x === "number" && typeof y === "number") {
      points.push({ unit, x, y });
    }
  });
  return points;
}

/** @param {string} word */
function sentenceStart(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** @param {Gate} gate @param {Point[]} points */
function inWords(gate, points) {
  const tensor = sentenceStart(tensorInWords(gate));
  if (points.length === 0) {
    return say("saturation.none", { tensor });
  }
  const [low, high] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const mostly = (/** @type {number[]} */ shares) => shares.filter((one) => one > MOSTLY).length;
  const [lowest, highest] = [placeOfLargest(low), placeOfLargest(high)];
  const most = (/** @type {number} */ unit, /** @type {number} */ part) => ({ unit, share: share(part) });
  return [
    say("saturation.counts", { tensor, units: points.length, low: mostly(low), high: mostly(high) }),
    low[lowest] > 0
      ? say("saturation.lowest", most(points[lowest].unit, low[lowest]))
      : say("saturation.never-low"),
    high[highest] > 0
      ? say("saturation.highest", most(points[highest].unit, high[highest]))
      : say("saturation.never-high"),
  ].join(say("list.space"));
}
