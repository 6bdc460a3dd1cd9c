/** Which charts a model's inputs and outputs call for. */

import { Chart } from "./chart.js";

/** @returns {Chart[]} one a feature, or none for tokens in and probabilities out */
export function chartsOf({ input, output }) {
  if (predictsItsInputs({ input, output })) {
    return input.names.map(
      (name, index) => new Chart(name, input.units[index], [inputLine(index), forecastLine(index)]),
    );
  }
  return [...plain(input, inputLine), ...plain(output, outputLine)];
}

/** The output of a step then stands beside the input of the step after it. */
export function predictsItsInputs({ input, output }) {
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  return input.kind === "values" && output.kind === "values" && same(input.names, output.names);
}

function plain(signature, line) {
  if (signature.kind !== "values") {
    return [];
  }
  return signature.names.map((name, index) => new Chart(name, signature.units[index], [line(index)]));
}

function inputLine(index) {
  return { label: "input", ink: "text", at: (trace, step) => trace.inputs[step]?.[index] ?? undefined };
}

function outputLine(index) {
  return { label: "output", ink: "accent", at: (trace, step) => trace.outputs[step]?.[index] };
}

function forecastLine(index) {
  return {
    label: "predicted one step before",
    ink: "accent",
    at: (trace, step) => trace.outputs[step - 1]?.[index],
  };
}
