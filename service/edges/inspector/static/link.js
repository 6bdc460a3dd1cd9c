/** The page's address holds what is shown, so that a link shows it again. */

import { readAddress, writeAddress } from "./address.js";

/** @import {Stage} from "./stage.js" */
/** @import {Timeline} from "./timeline/timeline.js" */
/** @import {View} from "./views/view.js" */

/**
 * What a link asks for; null where it leaves the choice to the page.
 *
 * @typedef {object} Wish
 * @property {string | null} model
 * @property {string | null} trace
 * @property {string | null} session
 * @property {Partial<import("./cursor.js").Position>} position
 * @property {{order: string | null, standardised: boolean, cell: number | null}} settings
 * @property {string[]} open views
 */

const PAUSE_MS = 250;

/** @returns {Wish} */
export function readWish() {
  const gate = readAddress("gate");
  const places = Object.entries({
    layer: wholeNumber("layer"),
    unit: wholeNumber("unit"),
    step: wholeNumber("step"),
  }).filter(([, place]) => place !== null);
  return {
    model: readAddress("model"),
    trace: readAddress("trace"),
    session: readAddress("session"),
    position: { ...Object.fromEntries(places), ...(gate === null ? {} : { gate }) },
    settings: {
      order: readAddress("order"),
      standardised: readAddress("z") === "1",
      cell: positive(readAddress("zoom")),
    },
    open: (readAddress("open") ?? "").split(",").filter(Boolean),
  };
}

export class Link {
  #stage;
  #timeline;
  #views;
  #timer = 0;

  /** @param {Stage} stage @param {Timeline} timeline @param {View[]} views */
  constructor(stage, timeline, views) {
    this.#stage = stage;
    this.#timeline = timeline;
    this.#views = views;
    stage.addEventListener("trace", () => this.#want());
    stage.cursor.addEventListener("move", () => this.#want());
    timeline.addEventListener("settings", () => this.#want());
    views.forEach(({ node }) => node.addEventListener("toggle", () => this.#want()));
  }

  /** Browsers refuse to change the address many times a second. */
  #want() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), PAUSE_MS);
  }

  write() {
    clearTimeout(this.#timer);
    const { trace, cursor } = this.#stage;
    if (trace === null) {
      return;
    }
    const { order, standardised, cell } = this.#timeline.settings;
    const { layer, gate, unit, step } = cursor.position;
    const open = this.#views.filter(({ node }) => node.open).map(({ node }) => node.id);
    const { session_id: session } = trace.described;
    // A sample can be run again; whatever else is kept by the service has an id.
    const isKept = trace.id !== "" && !trace.made?.sample;
    writeAddress({
      model: trace.model.name,
      trace: isKept ? trace.id : null,
      session,
      ...{ layer: String(layer), gate, unit: String(unit), step: String(step) },
      order: order === "number" ? null : order,
      z: standardised ? "1" : null,
      zoom: cell === null ? null : String(cell),
      open: open.length > 0 ? open.join(",") : null,
    });
  }
}

/** @param {string} name */
function wholeNumber(name) {
  const text = readAddress(name);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** @param {string | null} text */
function positive(text) {
  const number = Number(text);
  return text !== null && number > 0 && number <= 64 ? number : null;
}
