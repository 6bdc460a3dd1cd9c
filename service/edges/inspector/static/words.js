/** Numbers and positions in words. */

import { say, sayIfKnown } from "./texts.js";

/** @import {Position} from "./cursor.js" */
/** @import {Step} from "./model.js" */
/** @import {Key} from "./texts.js" */
/** @import {Trace} from "./trace.js" */

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

/** @param {Trace} trace @param {Position} position */
export function sentence(trace, { layer, gate, unit, step }) {
  const value = trace.layers[layer][gate].at(step, unit);
  const input = inputInWords(trace.inputs[step]);
  const place = input
    ? say("cursor.place-input", { layer, unit, step, input })
    : say("cursor.place", { layer, unit, step });
  if (Number.isNaN(value)) {
    return say("cursor.nothing-yet", { place });
  }
  const meaning = gate === "update" ? writing(trace, layer, unit, step) : sayIfKnown(`meaning.${gate}`, "");
  return say("cursor.sentence", { place, tensor: tensorInWords(gate), value: decimal(value), meaning });
}

/**
 * @param {Trace} trace
 * @param {number} layer
 * @param {number} unit
 * @param {number} step
 */
function writing(trace, layer, unit, step) {
  const { update, candidate } = trace.layers[layer];
  const before = trace.hiddenBefore(layer, step, unit);
  return updateInWords(update.at(step, unit), candidate.at(step, unit), before);
}

/**
 * The last line of the GRU equations, with the numbers of one unit at one step.
 *
 * @param {Trace} trace
 * @param {Position} position
 */
export function equation(trace, { layer, unit, step }) {
  const [reset, update, candidate, hidden] = ["reset", "update", "candidate", "hidden"].map((gate) =>
    trace.layers[layer][gate].at(step, unit),
  );
  if (Number.isNaN(hidden)) {
    return "";
  }
  const before = trace.hiddenBefore(layer, step, unit);
  // A name and its number stay on one line.
  const term = (/** @type {Key} */ name, /** @type {number} */ value) =>
    `${say(name)}\u00a0${decimal(value)}`;
  const kept = `${term("tensor.keep", 1 - update)} × ${term("tensor.before", before)}`;
  const written = `${term("tensor.update", update)} × ${term("tensor.candidate", candidate)}`;
  return `${term("tensor.hidden", hidden)} = ${kept} + ${written}   ·   ${term("tensor.reset", reset)}`;
}
