/** The cell at a step in words: one sentence, its equations, and a table of all its numbers. */

import { element } from "../elements.js";
import { say, sayIfKnown } from "../texts.js";
import { inputInWords, percent } from "../words.js";
import { clipped, figure, functionName, inBrackets, isNumber, isSet, shareOf, wholeHistory } from "./cell-numbers.js";

/** @import {Layer, Step} from "../model.js" */
/** @import {CellAt} from "./cell-numbers.js" */

/** The order of the table: as the cell computes. */
const TABLE = [
  "before",
  "reset_pre",
  "reset",
  "candidate_input",
  "candidate_history",
  "candidate_pre",
  "candidate",
  "update_pre",
  "update",
  "keep",
  "kept",
  "written",
  "hidden",
  "change",
];

/** @param {CellAt} cell @param {Step} input that the model was given at this step */
export function placeInWords({ layer: { layer }, unit, step }, input) {
  const name = inputInWords(input);
  return name === "" ? say("cursor.place", { layer, unit, step }) : say("cursor.place-input", { layer, unit, step, input: name });
}

/** What was kept and what was written, and how much of the sum that is. @param {CellAt} cell @param {Step} input */
export function sumInWords(cell, input) {
  const { before, kept, written, hidden } = cell.numbers;
  const place = placeInWords(cell, input);
  const share = shareOf(Number(written), Number(kept));
  if (share === null) {
    return say("cell.sum-nothing", { place, hidden: figure(hidden) });
  }
  const values = { place, before: figure(before), kept: figure(kept), written: figure(written), hidden: figure(hidden) };
  return say("cell.sum", { ...values, share: percent(share) });
}

/**
 * The equations with their numbers; each has a name and what it says.
 *
 * @param {CellAt} cell
 * @returns {{name: string, text: string}[]}
 */
export function equations(cell) {
  const { numbers } = cell;
  const { before, candidate, update, keep, hidden, kept, written } = numbers;
  const sum = `${figure(keep)} × ${inBrackets(Number(before))} + ${figure(update)} × ${inBrackets(Number(candidate))}`;
  return [
    ...(cell.layer.gates.includes("reset") ? [gate(cell, "reset", "r")] : []),
    gate(cell, "update", "z"),
    ...history(cell),
    candidateOf(cell),
    {
      name: say("tensor.hidden"),
      text: `h = (1 − z) × h₋ + z × ñ = ${sum} = ${figure(kept)} + ${inBrackets(Number(written))} = ${figure(hidden)}`,
    },
  ];
}

/** @param {CellAt} cell @param {string} gate @param {string} letter */
function gate({ layer, numbers }, gate, letter) {
  const name = sayIfKnown(`tensor.${gate}`, gate);
  const [value, pre] = [figure(numbers[gate]), numbers[`${gate}_pre`]];
  if (isSet(numbers, gate)) {
    return { name, text: `${letter} = ${value} (${say("cell.set")})` };
  }
  const source = isNumber(pre) ? ` = ${applied(functionName(layer.gate_activation), layer, pre)}` : "";
  return { name, text: `${letter}${source} = ${value}` };
}

/** @param {CellAt} cell */
function history(cell) {
  const { reset, candidate_history: sum } = cell.numbers;
  const name = say("cell.history");
  if (!isNumber(sum)) {
    return [];
  }
  if (!cell.layer.gates.includes("reset")) {
    return [{ name, text: `U h₋ = ${figure(sum)}` }];
  }
  if (cell.layer.reset === "before") {
    return [{ name, text: `U (r ⊙ h₋) = ${figure(sum)}` }];
  }
  const whole = wholeHistory(cell);
  const product = whole === null ? "" : ` = ${figure(reset)} × ${inBrackets(whole)}`;
  return [{ name, text: `r × (U h₋ + c)${product} = ${figure(sum)}` }];
}

/** @param {CellAt} cell */
function candidateOf({ layer, numbers }) {
  const { candidate, candidate_input: input, candidate_history: history, candidate_pre: pre } = numbers;
  const name = say("tensor.candidate");
  const value = figure(candidate);
  if (isSet(numbers, "candidate")) {
    return { name, text: `ñ = ${value} (${say("cell.set")})` };
  }
  if (!isNumber(input) || !isNumber(history) || !isNumber(pre)) {
    return { name, text: `ñ = ${value}` };
  }
  const sum = `${figure(input)} + ${inBrackets(history)}`;
  const whole = applied(functionName(layer.candidate_activation), layer, pre);
  return { name, text: `ñ = ${functionName(layer.candidate_activation)}(${sum}) = ${whole} = ${value}` };
}

/** @param {string} name of a function @param {Layer} layer @param {number} pre */
function applied(name, layer, pre) {
  const bounded = clipped(layer, pre);
  return bounded === pre ? `${name}(${figure(pre)})` : `${name}(${figure(pre)} → ${figure(bounded)})`;
}

/** Every number, by its name and by that of the API. @param {CellAt} cell */
export function numbersTable(cell) {
  const rows = TABLE.filter((name) => name in cell.numbers).map((name) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, sayIfKnown(`number.${name.replace("_", "-")}`, name)),
      element("td", {}, element("code", {}, name)),
      element("td", { className: "value" }, figure(cell.numbers[name])),
    ),
  );
  const heads = [say("cell.table-what"), say("cell.table-name"), say("cell.table-value")];
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  return element(
    "table",
    { className: "figures cell-numbers" },
    element("thead", {}, head),
    element("tbody", {}, ...rows),
  );
}
