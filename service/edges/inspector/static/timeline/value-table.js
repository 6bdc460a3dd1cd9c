/** The heat map under the cursor as a table: of what can be seen of it, a page at a time. */

import { byId, byIdOf, element } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import { Latest } from "../latest.js";
import { decimal, tensorInWords } from "../words.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Timeline} from "./timeline.js" */

const PAGE_STEPS = 16;
const PAGE_UNITS = 8;

export class ValueTable {
  #stage;
  #timeline;
  #panel = byIdOf("table-panel", HTMLDetailsElement);
  #table = byId("value-table");
  #latest = new Latest(reportError, this.#table);
  #step = 0;
  #unit = 0;
  #key = "";

  /** @param {Stage} stage @param {Timeline} timeline */
  constructor(stage, timeline) {
    this.#stage = stage;
    this.#timeline = timeline;
    const turn = (/** @type {string} */ id, /** @type {number} */ steps, /** @type {number} */ units) =>
      byId(id).addEventListener("click", () => {
        this.#step += steps * PAGE_STEPS;
        this.#unit += units * PAGE_UNITS;
        this.#show();
      });
    turn("table-earlier", -1, 0);
    turn("table-later", 1, 0);
    turn("table-lower", 0, -1);
    turn("table-higher", 0, 1);
    this.#panel.addEventListener("toggle", () => this.#show());
    stage.cursor.addEventListener("move", () => this.#show());
    timeline.addEventListener("drawn", () => this.#show());
    onLanguageChange(() => this.#show());
  }

  #show() {
    const { trace } = this.#stage;
    if (this.#panel.open && trace !== null && trace.described.layers.length > 0) {
      this.#latest.want(() => this.#fill(trace));
    }
  }

  /** @param {OpenTrace} trace */
  async #fill(trace) {
    const { layer, gate } = this.#stage.cursor.position;
    const { from, to, units } = this.#timeline.shown(layer);
    this.#step = Math.max(0, Math.min(this.#step, to - from - 1));
    this.#unit = Math.max(0, Math.min(this.#unit, units.length - 1));
    const first = from + PAGE_STEPS * Math.floor(this.#step / PAGE_STEPS);
    const last = Math.min(first + PAGE_STEPS, to);
    const begin = PAGE_UNITS * Math.floor(this.#unit / PAGE_UNITS);
    const page = units.slice(begin, begin + PAGE_UNITS);
    this.#enable(first > from, last < to, begin > 0, begin + page.length < units.length);
    if (page.length === 0 || last <= first) {
      return;
    }
    const key = [trace.id, layer, gate, first, last, trace.steps, ...page, say("table.step")].join(" ");
    if (this.#key === key) {
      return;
    }
    const { low } = await trace.window(gate, layer, page, first, last, last - first);
    this.#key = key;
    const caption = say("table.caption", {
      tensor: tensorInWords(gate),
      ...{ layer, from: first, to: last - 1, steps: trace.steps },
      ...{ first: page[0], last: page[page.length - 1], units: trace.units(layer) },
    });
    this.#table.replaceChildren(...tableOf(caption, first, page, low));
  }

  /** @param {...boolean} possible */
  #enable(...possible) {
    const ids = ["table-earlier", "table-later", "table-lower", "table-higher"];
    ids.forEach((id, index) => (byIdOf(id, HTMLButtonElement).disabled = !possible[index]));
  }
}

/**
 * @param {string} caption
 * @param {number} first step
 * @param {number[]} units
 * @param {Float32Array} values [steps, units]
 */
function tableOf(caption, first, units, values) {
  const heads = units.map((unit) => element("th", { scope: "col" }, say("table.unit", { unit })));
  const rows = Array.from({ length: values.length / units.length }, (_, row) => {
    const cells = Array.from(values.subarray(row * units.length, (row + 1) * units.length));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, String(first + row)),
      ...cells.map((value) => element("td", {}, Number.isNaN(value) ? "—" : decimal(value))),
    );
  });
  return [
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, say("table.step")), ...heads)),
    element("tbody", {}, ...rows),
  ];
}
