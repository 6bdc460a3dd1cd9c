/** Which charts a model's inputs and outputs call for. */

import { LineChart } from "./line-chart.js";
import { say } from "../texts.js";

/** @import {Gestures, Line} from "./line-chart.js" */
/** @import {Model, Signature} from "../model.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @typedef {{input: Signature, output: Signature}} Signatures */

/**
 * @param {Model} model
 * @param {Gestures} gestures
 * @returns {LineChart[]} one a feature, or none for tokens in and probabilities out
 */
export function chartsOf({ input, output }, gestures) {
  if (predictsItsInputs({ input, output })) {
    return input.names.map((name, index) => {
      const lines = [inputLine(index), forecastLine(index)];
      return new LineChart(name, input.units[index], lines, gestures);
    });
  }
  if (input.kind === "values" && output.kind === "quantiles") {
    return input.names.map((name, index) => {
      const lines = [inputLine(index), ...quantileLines(output, output.names.indexOf(name))];
      return new LineChart(name, input.units[index], lines, gestures);
    });
  }
  return [...plain(input, inputLine, gestures), ...plain(output, outputLine, gestures)];
}

/** The output of a step then stands beside the input of the step after it. @param {Signatures} model */
export function predictsItsInputs({ input, output }) {
  const same = JSON.stringify(input.names) === JSON.stringify(output.names);
  return input.kind === "values" && output.kind === "values" && same;
}

/**
 * @param {Signature} signature
 * @param {(index: number) => Line} line
 * @param {Gestures} gestures
 */
function plain({ kind, names, units }, line, gestures) {
  if (kind !== "values") {
    return [];
  }
  return names.map((name, index) => new LineChart(name, units[index], [line(index)], gestures));
}

/** @param {number} index @returns {Line} */
function inputLine(index) {
  const at = (/** @type {OpenTrace} */ trace, /** @type {number} */ step) => {
    const row = trace.inputs[step];
    return Array.isArray(row) ? row[index] : undefined;
  };
  return { label: () => say("chart.input"), ink: "text", at };
}

/** @param {number} index @returns {Line} */
function outputLine(index) {
  const label = () => say("chart.output");
  return { label, ink: "accent", at: (_, step, outputs) => outputs.at(step)?.[index] };
}

/** @param {number} index @returns {Line} */
function forecastLine(index) {
  const label = () => say("chart.predicted");
  return { label, ink: "accent", at: (_, step, outputs) => outputs.at(step - 1)?.[index] };
}

/**
 * One for each level, and none for an input that the model does not predict.
 *
 * @param {Signature} output
 * @param {number} target
 * @returns {Line[]}
 */
function quantileLines({ levels }, target) {
  if (target < 0) {
    return [];
  }
  const names = { low: levels[0], high: levels[levels.length - 1] };
  const middle = Math.floor(levels.length / 2);
  return levels.map((_, level) => ({
    ...forecastLine(target * levels.length + level),
    label: () => (level === middle ? say("chart.quantiles", names) : null),
    thin: level !== middle,
  }));
}
