/** The kinds of input that a model may take: how to write, read and send each. */

import { withUnit } from "./words.js";

const SENTENCE =
  "Every gate decides, character by character, what to keep and what to write: " +
  'see "update" (near 1 it writes) and "reset" (near 0 it forgets).\n\n' +
  "   >>> print(hidden[0], update[0])\n";

/**
 * @typedef {object} InputKind
 * @property {string} label
 * @property {string} hint
 * @property {(source: string) => any[]} parse what was typed, as time steps
 * @property {(example: {text?: string, inputs?: any[]}) => string} write an example, as it would be typed
 * @property {(steps: any[]) => object} stepsBody fields of a request for steps
 * @property {(steps: any[]) => object} sequenceBody fields of a request for a sequence
 */

/** @returns {InputKind} */
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

function charactersKind(vocabulary) {
  const known = new Set(vocabulary);
  const body = (steps) => ({ text: steps.join("") });
  return {
    label: "Text",
    hint: `One time step a character; the model knows ${vocabulary.length} of them.`,
    parse: (source) => Array.from(source),
    write: (example) =>
      Array.from(SENTENCE).every((character) => known.has(character))
        ? SENTENCE
        : example.text,
    stepsBody: body,
    sequenceBody: body,
  };
}

/** @type {InputKind} */
const IDS = {
  label: "Token ids",
  hint: "One time step a token id, separated by spaces, commas or lines.",
  parse: words,
  write: ({ inputs }) => inputs.join(" "),
  stepsBody: (steps) => ({ inputs: steps }),
  sequenceBody: (steps) => ({ inputs: [steps] }),
};

/** Names may have blanks and commas in them. */
function itemsKind(vocabulary) {
  const known = new Set(vocabulary);
  const idOf = (line) => (known.has(line) ? line : numberOr(line));
  return {
    label: "Items",
    hint: `One time step a line: an item's name, or its id below ${vocabulary.length}.`,
    parse: (source) => lines(source).map((line) => idOf(line.trim())),
    write: ({ inputs }) => inputs.map((id) => vocabulary[id]).join("\n"),
    stepsBody: (steps) => ({ inputs: steps }),
    sequenceBody: (steps) => ({ inputs: [steps] }),
  };
}

function valuesKind({ names, units, missing }) {
  const columns = names.map((name, index) => withUnit(name, units[index]));
  return {
    label: "Numbers",
    hint: `One time step a line: ${columns.join(", ")}.${missing ? ` "null" is a missing value.` : ""}`,
    parse: (source) => lines(source).map(cells),
    write: ({ inputs }) => inputs.map((row) => row.map(rounded).join(", ")).join("\n"),
    stepsBody: (steps) => ({ inputs: steps }),
    sequenceBody: (steps) => ({ inputs: [steps] }),
  };
}

/** Numbers where they are numbers; the service says what is wrong with anything else. */
function words(line) {
  const found = line.split(/[\s,;]+/).filter((word) => word !== "");
  return found.map(numberOr);
}

/** Of one line; "null" is a missing value, and so is nothing between two commas. */
function cells(line) {
  const found = line.trim().split(/\s*[,;]\s*|\s+/);
  return found.map((word) => (word === "" || word === "null" ? null : numberOr(word)));
}

function lines(source) {
  return source.split("\n").filter((line) => line.trim() !== "");
}

function numberOr(word) {
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
}

function rounded(value) {
  return value === null ? "null" : Number(value.toPrecision(6));
}
