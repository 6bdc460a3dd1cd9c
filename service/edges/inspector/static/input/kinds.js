/** The kinds of input that a model may take: how to write, read, send and find each. */

import { cellPlaces, characterPlaces, linePlaces } from "./places.js";
import { say } from "../texts.js";
import { withUnit } from "../words.js";

/** @import {Place} from "./places.js" */
/** @import {Example, Model, Signature, Step} from "../model.js" */
/** @import {Key} from "../texts.js" */

const SENTENCE =
  "Every gate decides, character by character, what to keep and what to write: " +
  'see "update" (near 1 it writes) and "reset" (near 0 it forgets).\n\n' +
  "   >>> print(hidden[0], update[0])\n";

const CELL_SEPARATOR = /\s*[,;]\s*|\s+/g;
const WORD = /[^\s,;]+/g;

/** @typedef {{place: Place, message: string}} Plain */

/**
 * @typedef {object} InputKind
 * @property {Key} label
 * @property {() => string} hint
 * @property {Key} place how a place is called
 * @property {(source: string) => Step[]} parse what was typed, as time steps
 * @property {(example: Example) => string} write an example, as it would be typed
 * @property {(steps: Step[]) => Example} stepsBody fields of a request for steps
 * @property {(steps: Step[]) => Example} sequenceBody fields of a request for a sequence
 * @property {number} depth how many indices of a sequence's path come before the step's
 * @property {(source: string) => Plain[]} [check] what is plainly wrong; the service, which says
 *   what is right, ends at the first number that is none
 * @property {(source: string, step: number, part?: number) => Place | null} locate a step, or a
 *   number of it
 */

/** @param {Model} model @returns {InputKind} */
export function inputKindOf(model) {
  if (model.input.kind === "values") {
    return valuesKind(model.input);
  }
  const { vocabulary, token } = model.input;
  if (!vocabulary) {
    return IDS;
  }
  return token === "item" ? itemsKind(vocabulary) : charactersKind(vocabulary);
}

/** Bodies of steps that are sent as they are. */
const ROWS = {
  depth: 1,
  stepsBody: (/** @type {Step[]} */ steps) => ({ inputs: steps }),
  sequenceBody: (/** @type {Step[]} */ steps) => ({ inputs: [steps] }),
};

/** @param {string[]} vocabulary @returns {InputKind} */
function charactersKind(vocabulary) {
  const known = new Set(vocabulary);
  const body = (/** @type {Step[]} */ steps) => ({ text: steps.join("") });
  const isKnown = Array.from(SENTENCE).every((character) => known.has(character));
  return {
    label: "input.text",
    hint: () => say("input.text-hint", { count: vocabulary.length }),
    place: "place.character",
    parse: (source) => Array.from(source),
    write: (example) => (isKnown ? SENTENCE : (example.text ?? "")),
    stepsBody: body,
    sequenceBody: body,
    depth: 0,
    locate: (source, step) => characterPlaces(source)[step] ?? null,
  };
}

/** @type {InputKind} */
const IDS = {
  ...ROWS,
  label: "input.ids",
  hint: () => say("input.ids-hint"),
  place: "place.id",
  parse: (source) => (source.match(WORD) ?? []).map(numberOr),
  write: ({ inputs = [] }) => inputs.join(" "),
  locate: (source, step) => wordPlaces(source)[step] ?? null,
};

/** Names may have blanks and commas in them. @param {string[]} vocabulary @returns {InputKind} */
function itemsKind(vocabulary) {
  const known = new Set(vocabulary);
  return {
    ...ROWS,
    label: "input.items",
    hint: () => say("input.items-hint", { count: vocabulary.length }),
    place: "place.line",
    parse: (source) => linePlaces(source).map(({ text }) => (known.has(text) ? text : numberOr(text))),
    write: ({ inputs = [] }) => inputs.map((id) => vocabulary[id]).join("\n"),
    locate: (source, step) => linePlaces(source)[step] ?? null,
  };
}

/** @param {Signature} signature @returns {InputKind} */
function valuesKind({ names, units, missing }) {
  const columns = names.map((name, index) => withUnit(name, units[index])).join(", ");
  return {
    ...ROWS,
    label: "input.numbers",
    hint: () => {
      const hint = say("input.numbers-hint", { columns });
      return missing ? `${hint} ${say("input.missing-hint")}` : hint;
    },
    place: "place.number",
    parse: (source) =>
      linePlaces(source).map((line) => /** @type {Step} */ (cellsOf(line).map(({ text }) => cell(text)))),
    check: (source) => linePlaces(source).flatMap((line) => plainFaults(line, names.length)),
    write: ({ inputs = [] }) =>
      inputs.map((/** @type {(number | null)[]} */ row) => row.map(rounded).join(", ")).join("\n"),
    locate: (source, step, part) => {
      const line = linePlaces(source)[step];
      if (line === undefined || part === undefined) {
        return line ?? null;
      }
      return cellsOf(line)[part] ?? line;
    },
  };
}

/** @param {Place & {text: string}} line @param {number} expected numbers @returns {Plain[]} */
function plainFaults(line, expected) {
  const cells = cellsOf(line);
  const words = cells.filter(({ text }) => typeof cell(text) === "string");
  const faults = words.map((place) => ({ place, message: say("fault.word", { word: place.text }) }));
  if (cells.length !== expected) {
    const message = say("fault.count", { count: cells.length, expected });
    return [{ place: line, message }, ...faults];
  }
  return faults;
}

/** @param {Place & {text: string}} line */
function cellsOf(line) {
  return cellPlaces(line.text, CELL_SEPARATOR, line);
}

/** @param {string} source @returns {Place[]} */
function wordPlaces(source) {
  return linePlaces(source).flatMap(({ text, start, line }) =>
    [...text.matchAll(WORD)].map((found, index) => ({
      start: start + found.index,
      end: start + found.index + found[0].length,
      line,
      column: index + 1,
    })),
  );
}

/** "null" is a missing value, and so is nothing between two commas. @param {string} word */
function cell(word) {
  return word === "" || word === "null" ? null : numberOr(word);
}

/** A number where it is one; the service says what is wrong with anything else. @param {string} word */
function numberOr(word) {
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
}

/** @param {number | null} value */
function rounded(value) {
  return value === null ? "null" : Number(value.toPrecision(6));
}
