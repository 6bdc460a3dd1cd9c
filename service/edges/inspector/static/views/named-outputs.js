/** The outputs of a model, one by one and by name. */

import { say } from "../texts.js";
import { amount, share } from "./amounts.js";
import { glyph, inputInWords, percent, withUnit } from "../words.js";

/** @import {Model} from "../model.js" */

/** @param {Model} model */
export function isLikelihood({ output: { kind } }) {
  return kind === "probabilities" || kind === "labels" || kind === "classes";
}

/** Whether the outputs are those of the next token. @param {Model} model */
export function isNextToken({ output: { kind } }) {
  return kind === "probabilities";
}

/** How many outputs a model has, as far as its signature says. @param {Model} model */
export function outputCount({ input, output: { kind, names, levels } }) {
  if (kind === "probabilities") {
    return input.vocabulary?.length ?? 0;
  }
  return kind === "quantiles" ? names.length * levels.length : names.length;
}

/** Short: a character, a label, a column. @param {Model} model @param {number} index */
export function outputName({ input, output: { kind, names, units, levels } }, index) {
  if (kind === "probabilities") {
    const name = input.vocabulary?.[index];
    return name === undefined ? String(index) : glyph(name);
  }
  if (kind === "quantiles") {
    const target = Math.floor(index / levels.length);
    const quantile = say("outputs.column.quantile", { level: levels[index % levels.length] });
    return `${withUnit(names[target], units[target])}, ${quantile}`;
  }
  return kind === "values" ? withUnit(names[index], units[index]) : names[index];
}

/** In a sentence: “the probability of “e””, “temperature”. @param {Model} model @param {number} index */
export function outputInWords(model, index) {
  const { input } = model;
  if (isNextToken(model)) {
    return say("output.probability", { name: inputInWords(input.vocabulary?.[index] ?? index) });
  }
  const name = outputName(model, index);
  return isLikelihood(model) ? say("output.probability", { name }) : say("output.value", { name });
}

/** The output that is looked at first: the likeliest, or of quantiles the middle one. @param {Model} model @param {(number | null)[]} row */
export function firstOutput(model, row) {
  if (isLikelihood(model)) {
    return row.reduce((/** @type {number} */ best, value, index) => ((value ?? 0) > (row[best] ?? 0) ? index : best), 0);
  }
  return model.output.kind === "quantiles" ? Math.floor(model.output.levels.length / 2) : 0;
}

/** @param {Model} model @param {number} value */
export function outputFigure(model, value) {
  if (!isLikelihood(model)) {
    return amount(value);
  }
  if (value > 0.999 && value < 1) {
    return "> 99.9 %";
  }
  if (value > 0.9945 && value < 1) {
    return `${(100 * value).toFixed(1)} %`;
  }
  return value < 0.001 ? share(value) : percent(value);
}
