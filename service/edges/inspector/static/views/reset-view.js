/** Whether the reset gate does anything in this layer. */

import { say } from "../texts.js";
import { FigureTable } from "./figure-table.js";
import { placeOfLargest, share, short } from "./figures.js";
import { LayerView } from "./layer-view.js";
import { Scale } from "./scale.js";
import { UnitPlot } from "./unit-plot.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

/** @typedef {{unit: number, history: number, impact: number, relative: number}} Use of a reset gate */

/** Of a unit's standard deviation: what resetting changes by more than that is not lost in it. */
const MATTERS = 0.1;

export class ResetView extends LayerView {
  #plot = new UnitPlot((unit) => this.stage.cursor.move({ unit, gate: "reset" }));
  #table = new FigureTable();

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "reset-view", title: "reset-use.title", what: "reset-use.what" });
    this.add(this.#plot.node, this.#table.node);
  }

  /** @param {OpenTrace} _ @param {number} layer @param {Statistics} statistics */
  async draw(_, layer, statistics) {
    const uses = usesOf(statistics);
    const most = Math.max(0, ...uses.map(({ impact }) => impact));
    this.summary.textContent = inWords(uses, layer);
    this.#plot.show({
      label: say("reset-use.plot", { layer }),
      x: { name: say("reset-use.history"), scale: new Scale(0, 1) },
      y: { name: say("reset-use.impact"), scale: new Scale(0, most) },
      points: uses.map(({ unit, history, impact }) => ({ unit, x: history, y: impact })),
    });
    this.#table.show({
      caption: say("reset-use.table", { layer }),
      head: say("unit.head"),
      columns: [say("reset-use.impact"), say("reset-use.relative"), say("reset-use.history")],
      rows: [...uses]
        .sort((one, other) => other.impact - one.impact || one.unit - other.unit)
        .map(({ unit, history, impact, relative }) => ({
          name: say("unit.name", { unit }),
          cells: [short(impact), Number.isFinite(relative) ? short(relative) : "—", short(history)],
          choose: () => this.stage.cursor.move({ unit, gate: "reset" }),
        })),
    });
  }

  /** @param {Position} position */
  mark({ unit }) {
    this.#plot.mark(unit);
  }
}

/** Those of units that have any history. @param {Statistics} statistics */
function usesOf({ reset, tensors }) {
  /** @type {Use[]} */
  const uses = [];
  reset.impact.forEach((impact, unit) => {
    const history = reset.history_share[unit];
    if (impact !== null && history !== null) {
      const spread = tensors.hidden.std[unit];
      uses.push({ unit, history, impact, relative: spread > 0 ? impact / spread : impact > 0 ? Infinity : 0 });
    }
  });
  return uses;
}

/** @param {Use[]} uses @param {number} layer */
function inWords(uses, layer) {
  if (uses.length === 0) {
    return say("reset-use.none", { layer });
  }
  const impacts = uses.map(({ impact }) => impact);
  const units = uses.length;
  const count = uses.filter(({ relative }) => relative > MATTERS).length;
  const { unit, impact, history } = uses[placeOfLargest(impacts)];
  const verdict = count === 0 ? "reset-use.nothing" : count > units / 2 ? "reset-use.much" : "reset-use.some";
  const mean = impacts.reduce((sum, one) => sum + one, 0) / units;
  const figures = { count, units, layer, part: share(MATTERS) };
  const most = { mean: short(mean), unit, impact: short(impact), history: share(history) };
  return [say(verdict, figures), say("reset-use.sentence", most)].join(say("list.space"));
}
