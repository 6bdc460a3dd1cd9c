/** Two kinds of units: those whose reset gate follows what is short, and those that hold for long. */

import { onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { decimal, markingInWords, percent, tensorInWords } from "../words.js";
import { followedInWords, sentences, stepsInWords } from "./kinds-words.js";
import { droppedPlace, oldest, oldestPlace } from "./places.js";
import { colourStrip, readsText, STRIP_COLUMNS, textStrip } from "./unit-strip.js";
import * as kinds from "./unit-kinds.js";
import { View } from "./view.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Place} from "./places.js" */

const MOST_SHOWN = 8;
/** Characters of the text that are shown, and how many of them before the cursor. */
const [TEXT, TEXT_BEFORE] = [64, 40];

/**
 * @typedef {object} Row
 * @property {number} unit
 * @property {string[]} figures
 */

/**
 * A table of units of one kind.
 *
 * @typedef {object} Ranking
 * @property {string} tensor that is shown of them
 * @property {Row[]} rows
 * @property {(unit: number) => Promise<Place | null>} place where it can be seen
 * @property {Map<number, HTMLElement>} strips
 */

export class KindsView extends View {
  #intro = element("p", { className: "hint" });
  #short = element("section", { className: "kind" });
  #long = element("section", { className: "kind" });
  /** @type {Ranking[]} */
  #rankings = [];
  #layer = -1;
  /** @type {OpenTrace | null} */
  #trace = null;
  /** The steps that strips show. @type {[number, number]} */
  #span = [0, 0];

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "kinds-view", title: "kinds.title", what: "kinds.what" });
    onSchemeChange(() => this.#repaint());
    this.body.addEventListener("click", ({ target }) => this.#point(target));
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async show(trace, { layer }) {
    if (layer !== this.#layer || trace !== this.#trace) {
      this.body.replaceChildren(element("p", { className: "hint" }, say("kinds.searching")));
    }
    const [statistics, following] = await Promise.all([trace.statistics(layer), kinds.followingOf(trace, layer)]);
    const isKnown = kinds.isSearched(trace);
    const short = kinds.shortUnits(statistics, following, isKnown);
    const long = kinds.longUnits(statistics, following);
    const shown = long.slice(0, MOST_SHOWN).map(({ unit }) => unit);
    const ages = await oldest(trace, layer, shown);
    [this.#trace, this.#layer, this.#span] = [trace, layer, [0, 0]];
    this.#intro.textContent = say(isKnown ? "kinds.known" : "kinds.unknown", { least: kinds.LEAST_CORRELATION });
    this.#rankings = [
      this.#tellShort(short, trace, layer, isKnown),
      this.#tellLong(long, ages.map(({ age }) => age), trace, layer),
    ];
    this.body.replaceChildren(this.#intro, this.#short, this.#long);
  }

  /** In the colours of the page as they are now. */
  async #repaint() {
    const trace = this.#trace;
    if (trace !== null && this.node.open) {
      await Promise.all(this.#rankings.map((ranking) => this.#draw(ranking, trace, this.#span)));
      this.#mark(this.stage.cursor.position);
    }
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    if (position.layer !== this.#layer || trace !== this.#trace) {
      await this.show(trace, position);
    }
    const span = spanAround(trace, position.step);
    if (span[0] !== this.#span[0] || span[1] !== this.#span[1]) {
      await Promise.all(this.#rankings.map((ranking) => this.#draw(ranking, trace, span)));
      this.#span = span;
    }
    this.#mark(position);
  }

  /**
   * @param {kinds.ShortUnit[]} units
   * @param {OpenTrace} trace
   * @param {number} layer
   * @param {boolean} isKnown
   * @returns {Ranking}
   */
  #tellShort(units, trace, layer, isKnown) {
    const bounds = { deviation: kinds.LEAST_DEVIATION, steps: kinds.SHORT_MEMORY };
    const heads = [
      say("kinds.unit"),
      say("kinds.impact"),
      say("kinds.reset-shut"),
      say("kinds.memory"),
      ...(isKnown ? [say("kinds.reset-follows")] : []),
    ];
    const rows = units.slice(0, MOST_SHOWN).map(({ unit, impact, nearZero, memory, followed }) => ({
      unit,
      figures: [
        decimal(impact, 2),
        percent(nearZero),
        stepsInWords(memory),
        ...(isKnown ? [followedInWords(followed)] : []),
      ],
    }));
    const total = trace.units(layer);
    const why = say(isKnown ? "kinds.short-known" : "kinds.short-unknown", { ...bounds, count: units.length, total });
    const first = units[0];
    const said = first === undefined ? [] : [this.#sayShort(first)];
    const ranking = { tensor: "reset", rows, place: (/** @type {number} */ unit) => droppedPlace(trace, layer, [unit]), strips: new Map() };
    this.#fill(this.#short, "kinds.short", [...said, why], heads, ranking);
    return ranking;
  }

  /** @param {kinds.ShortUnit} unit */
  #sayShort({ unit, impact, nearZero, memory, followed }) {
    const values = { unit, impact: decimal(impact, 2), share: percent(nearZero), memory: stepsInWords(memory) };
    if (!kinds.isNamed(followed)) {
      return say("kinds.short-first", values);
    }
    const { marking, found, confirmed } = followed;
    const figures = { marking: markingInWords(marking), found: decimal(found, 2), confirmed: decimal(confirmed, 2) };
    return say("kinds.short-first-follows", { ...values, ...figures });
  }

  /**
   * @param {kinds.LongUnit[]} units
   * @param {number[]} ages of the first of them; none: unknown
   * @param {OpenTrace} trace
   * @param {number} layer
   * @returns {Ranking}
   */
  #tellLong(units, ages, trace, layer) {
    const isSearched = kinds.isSearched(trace);
    const heads = [
      say("kinds.unit"),
      say("kinds.update-shut"),
      ...(ages.length > 0 ? [say("kinds.oldest")] : []),
      say("kinds.memory"),
      say("kinds.deviation"),
      ...(isSearched ? [say("kinds.hidden-follows")] : []),
    ];
    const rows = units.slice(0, MOST_SHOWN).map(({ unit, nearZero, deviation, memory, followed }, index) => ({
      unit,
      figures: [
        percent(nearZero),
        ...(ages.length > 0 ? [stepsInWords(ages[index])] : []),
        stepsInWords(memory),
        decimal(deviation, 2),
        ...(isSearched ? [followedInWords(followed)] : []),
      ],
    }));
    const bounds = { share: percent(kinds.LEAST_NEAR_0), deviation: kinds.LEAST_DEVIATION };
    const why = say(isSearched ? "kinds.long-known" : "kinds.long-unknown", { ...bounds, count: units.length, total: trace.units(layer) });
    const said = units.length === 0 ? [] : [this.#sayLong(units[0], ages[0])];
    const ranking = { tensor: "hidden", rows, place: (/** @type {number} */ unit) => oldestPlace(trace, layer, unit), strips: new Map() };
    this.#fill(this.#long, "kinds.long", [...said, why], heads, ranking);
    return ranking;
  }

  /** @param {kinds.LongUnit} unit @param {number | undefined} age */
  #sayLong({ unit, nearZero, followed }, age) {
    const values = { unit, share: percent(nearZero) };
    const said = [
      age === undefined ? say("kinds.long-first", values) : say("kinds.long-first-age", { ...values, age: stepsInWords(age) }),
    ];
    if (kinds.isNamed(followed)) {
      const { marking, found, confirmed } = followed;
      const figures = { found: decimal(found, 2), confirmed: decimal(confirmed, 2) };
      said.push(say("kinds.long-follows", { marking: markingInWords(marking), ...figures }));
    }
    return sentences(said);
  }

  /**
   * @param {HTMLElement} section
   * @param {"kinds.short" | "kinds.long"} title
   * @param {string[]} sentences
   * @param {string[]} heads
   * @param {Ranking} ranking
   */
  #fill(section, title, sentences, heads, { rows, strips, tensor }) {
    const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
    const body = rows.flatMap(({ unit, figures }) => {
      const button = element("button", { type: "button" }, say("kinds.unit-name", { unit }));
      button.dataset.unit = String(unit);
      button.dataset.kind = tensor;
      const strip = element("td", { colSpan: heads.length, className: "strip" });
      strips.set(unit, strip);
      const cells = figures.map((text) => element("td", {}, text));
      return [
        element("tr", { className: "unit" }, element("th", { scope: "row" }, button), ...cells),
        element("tr", { className: "strip-row" }, strip),
      ];
    });
    const table = element("table", { className: "kinds-table" }, element("thead", {}, head), element("tbody", {}, ...body));
    const wide = element("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: say(title) }, table);
    const texts = sentences.map((text, index) => element("p", { className: index < sentences.length - 1 ? "told" : "hint" }, text));
    section.replaceChildren(element("h3", {}, say(title)), ...texts, ...(rows.length > 0 ? [wide] : []));
  }

  /** @param {Ranking} ranking @param {OpenTrace} trace @param {[number, number]} span */
  async #draw({ tensor, rows, strips }, trace, [from, to]) {
    if (rows.length === 0) {
      return;
    }
    const units = rows.map(({ unit }) => unit);
    const isText = readsText(trace.model);
    const window = await trace.window(tensor, this.#layer, units, from, to, isText ? to - from : STRIP_COLUMNS);
    units.forEach((unit, index) => {
      const strip = isText
        ? textStrip(trace, tensor, window, index, units.length)
        : colourStrip(tensor, window, index, units.length);
      strip.role = "img";
      strip.ariaLabel = say("kinds.strip", { tensor: tensorInWords(tensor), unit, from, to: to - 1 });
      strip.dataset.unit = String(unit);
      strip.dataset.kind = tensor;
      strips.get(unit)?.replaceChildren(strip);
    });
  }

  /** @param {Position} position */
  #mark({ gate, unit, step }) {
    for (const button of this.body.querySelectorAll("button")) {
      const isHere = Number(button.dataset.unit) === unit && button.dataset.kind === gate;
      button.setAttribute("aria-pressed", String(isHere));
    }
    for (const mark of this.body.querySelectorAll(".unit-text span")) {
      mark.classList.toggle("marked", Number(/** @type {HTMLElement} */ (mark).dataset.step) === step);
    }
  }

  /** A unit's button leads to where its kind is seen, a strip to the step. @param {EventTarget | null} target */
  async #point(target) {
    if (!(target instanceof HTMLElement)) {
      return;
    }
    const step = target.dataset.step;
    const of = /** @type {HTMLElement | null} */ (target.closest("[data-unit]"));
    const ranking = this.#rankings.find(({ tensor }) => tensor === of?.dataset.kind);
    if (of === null || ranking === undefined) {
      return;
    }
    const place = { layer: this.#layer, gate: ranking.tensor, unit: Number(of.dataset.unit) };
    if (step !== undefined) {
      this.stage.cursor.move({ ...place, step: Number(step) });
    } else if (target instanceof HTMLButtonElement) {
      this.stage.cursor.move({ ...place, ...(await ranking.place(place.unit)) });
    }
  }
}

/**
 * The steps that strips show: of text some around the cursor, which stand still as long as it is among
 * them; else all.
 *
 * @param {OpenTrace} trace
 * @param {number} step
 * @returns {[number, number]}
 */
function spanAround({ model, steps }, step) {
  if (!readsText(model)) {
    return [0, steps];
  }
  // Pages overlap, so that what came just before the cursor is seen too.
  const page = TEXT / 2;
  const begin = Math.max(0, Math.min(Math.floor((step - TEXT_BEFORE) / page + 1) * page, steps - TEXT));
  return [begin, Math.min(begin + TEXT, steps)];
}
