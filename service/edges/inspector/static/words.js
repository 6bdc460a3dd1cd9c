/** Numbers and positions in words. */

import { say, sayIfKnown } from "./texts.js";

/** @import {Position} from "./cursor.js" */
/** @import {Step} from "./model.js" */
/** @import {Key} from "./texts.js" */

/** @type {Record<string, {glyph: string, name: Key}>} */
const SPACES = {
  " ": { glyph: "␣", name: "word.space" },
  "\n": { glyph: "↵", name: "word.newline" },
  "\t": { glyph: "⇥", name: "word.tab" },
};

/**
 * Always three decimals, so that columns of numbers stand still while the cursor moves.
 *
 * @param {number} value
 */
export function decimal(value, digits = 3) {
  return value.toFixed(digits).replace("-", "−");
}

/**
 * A value in its unit with as many digits as tell neighbouring values apart.
 *
 * @param {number} value
 * @param {string} unit
 */
export function measure(value, unit) {
  const digits = Math.max(0, Math.min(4, 4 - Math.floor(Math.log10(Math.abs(value) + 1e-9))));
  return `${decimal(value, digits)}${unit && unit !== "1" ? ` ${unit}` : ""}`;
}

/**
 * A quantity's name with its unit; pure numbers have the unit "1".
 *
 * @param {string} name
 * @param {string} unit
 */
export function withUnit(name, unit) {
  return unit === "1" || unit === "" ? name : `${name} [${unit}]`;
}

/** @param {number} probability */
export function percent(probability) {
  return `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)} %`;
}

/** A gate's name, or "hidden", in the language of the page. @param {string} tensor */
export function tensorInWords(tensor) {
  return sayIfKnown(`tensor.${tensor}`, tensor);
}

const CHANGE_OF = "change of ";

/** What units may follow, as the service names it: “open quotes”, a column, its change. @param {string} marking */
export function markingInWords(marking) {
  return marking.startsWith(CHANGE_OF)
    ? say("marking.change", { name: marking.slice(CHANGE_OF.length) })
    : sayIfKnown(`marking.${marking.replaceAll(" ", "-")}`, marking);
}

/** A character that can be seen. @param {string} character */
export function glyph(character) {
  return SPACES[character]?.glyph ?? character;
}

/** A time step's input: “e”, “newline”, token 7, or nothing for rows of numbers. @param {Step} input */
export function inputInWords(input) {
  if (Array.isArray(input)) {
    return "";
  }
  return typeof input === "string" ? quoted(input) : say("word.token", { token: input });
}

/** @param {string} character */
function quoted(character) {
  const space = SPACES[character];
  return say("word.quoted", { text: space === undefined ? character : say(space.name) });
}

/** From here on, the smaller of two amounts is called “only”. */
const CLEARLY = 2;

/**
 * What an update does to its unit: writing moves it by update × |candidate − before|, and
 * (1 − update) × |before| of it stays. The gate alone does not tell: a third of a large candidate
 * outweighs two thirds of a past near zero.
 *
 * @param {number} update
 * @param {number} candidate
 * @param {number} before
 */
export function updateInWords(update, candidate, before) {
  const amounts = [update * Math.abs(candidate - before), (1 - update) * Math.abs(before)];
  const [changed, kept] = amounts.map((amount) => decimal(amount));
  if (Math.max(...amounts) < CLEARLY * Math.min(...amounts) || changed === kept) {
    const nothing = changed === kept && changed === decimal(0);
    return nothing ? say("update.nothing") : say("update.both", { changed, kept });
  }
  return say(amounts[0] > amounts[1] ? "update.changes" : "update.keeps", { changed, kept });
}

/** @typedef {Record<string, number | null>} Cell every number of a unit at a step, by name */

/**
 * @param {Step} given input of the step
 * @param {Position} position
 * @param {Cell} cell
 */
export function sentence(given, { layer, gate, unit, step }, cell) {
  const value = cell[gate] ?? null;
  const input = inputInWords(given);
  const place = input
    ? say("cursor.place-input", { layer, unit, step, input })
    : say("cursor.place", { layer, unit, step });
  if (value === null) {
    return say("cursor.nothing-yet", { place });
  }
  const { update, candidate, before } = cell;
  const isUpdate = gate === "update" && update !== null && candidate !== null && before !== null;
  const meaning = isUpdate ? updateInWords(update, candidate, before) : sayIfKnown(`meaning.${gate}`, "");
  return say("cursor.sentence", { place, tensor: tensorInWords(gate), value: decimal(value), meaning });
}

/**
 * The last line of the GRU equations, with the numbers of one unit at one step.
 *
 * @param {Cell} cell
 */
export function equation({ reset, update, candidate, hidden, keep, before }) {
  if (hidden === null) {
    return "";
  }
  // A name and its number stay on one line.
  const term = (/** @type {Key} */ name, /** @type {number | null} */ value) =>
    `${say(name)}\u00a0${value === null ? "—" : decimal(value)}`;
  const kept = `${term("tensor.keep", keep)} × ${term("tensor.before", before)}`;
  const written = `${term("tensor.update", update)} × ${term("tensor.candidate", candidate)}`;
  return `${term("tensor.hidden", hidden)} = ${kept} + ${written}   ·   ${term("tensor.reset", reset)}`;
}
