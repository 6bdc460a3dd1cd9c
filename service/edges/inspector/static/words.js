/** Numbers and positions in words. */

const SPACES = { " ": ["␣", "space"], "\n": ["↵", "newline"], "\t": ["⇥", "tab"] };

/** Always three decimals, so that columns of numbers stand still while the cursor moves. */
export function decimal(value, digits = 3) {
  return value.toFixed(digits).replace("-", "−");
}

/** A value in its unit with as many digits as tell neighbouring values apart. */
export function measure(value, unit) {
  const digits = Math.max(0, Math.min(4, 4 - Math.floor(Math.log10(Math.abs(value) + 1e-9))));
  return `${decimal(value, digits)}${unit && unit !== "1" ? ` ${unit}` : ""}`;
}

/** A quantity's name with its unit; pure numbers have the unit "1". */
export function withUnit(name, unit) {
  return unit === "1" || unit === "" ? name : `${name} [${unit}]`;
}

export function percent(probability) {
  return `${(100 * probability).toFixed(probability < 0.0995 ? 1 : 0)} %`;
}

/** A character that can be seen. */
export function glyph(character) {
  return SPACES[character]?.[0] ?? character;
}

/** A time step's input: “e”, “newline”, token 7, or nothing for rows of numbers. */
export function inputInWords(input) {
  if (Array.isArray(input)) {
    return "";
  }
  return typeof input === "string" ? quoted(input) : `token ${input}`;
}

export function quoted(character) {
  return `“${SPACES[character]?.[1] ?? character}”`;
}

/** From here on, the smaller of two amounts is called “only”. */
const CLEARLY = 2;

/**
 * What an update does to its unit: writing moves it by update × |candidate − before|, and
 * (1 − update) × |before| of it stays. The gate alone does not tell: a third of a large candidate
 * outweighs two thirds of a past near zero.
 */
export function updateInWords(update, candidate, before) {
  const amounts = [update * Math.abs(candidate - before), (1 - update) * Math.abs(before)];
  const [changed, kept] = amounts.map((amount) => decimal(amount));
  if (Math.max(...amounts) < CLEARLY * Math.min(...amounts) || changed === kept) {
    return changed === kept && changed === decimal(0)
      ? "changes and keeps almost nothing"
      : `changes ${changed} and keeps ${kept}`;
  }
  return amounts[0] > amounts[1]
    ? `changes ${changed}, keeps only ${kept}`
    : `keeps ${kept}, changes only ${changed}`;
}

const MEANINGS = {
  reset: "how much of the history the candidate sees",
  candidate: "what the unit would write",
  hidden: "what the unit holds now",
};

/**
 * @param {import("./trace.js").Trace} trace
 * @param {import("./cursor.js").Position} position
 */
export function sentence(trace, { layer, gate, unit, step }) {
  const value = trace.layers[layer][gate].at(step, unit);
  const input = inputInWords(trace.inputs[step]);
  const place = `layer ${layer}, unit ${unit}, step ${step}${input ? ` (${input})` : ""}`;
  if (Number.isNaN(value)) {
    return `${place}: nothing yet, the model has not seen enough steps`;
  }
  return `${place}: ${gate} ${decimal(value)} — ${MEANINGS[gate] ?? writing(trace, layer, unit, step)}`;
}

function writing(trace, layer, unit, step) {
  const { update, candidate } = trace.layers[layer];
  const before = trace.hiddenBefore(layer, step, unit);
  return updateInWords(update.at(step, unit), candidate.at(step, unit), before);
}

/** The last line of the GRU equations, with the numbers of one unit at one step. */
export function equation(trace, { layer, unit, step }) {
  const [reset, update, candidate, hidden] = ["reset", "update", "candidate", "hidden"].map((gate) =>
    trace.layers[layer][gate].at(step, unit),
  );
  if (Number.isNaN(hidden)) {
    return "";
  }
  const before = trace.hiddenBefore(layer, step, unit);
  // A name and its number stay on one line.
  const term = (name, value) => `${name}\u00a0${decimal(value)}`;
  return (
    `${term("hidden", hidden)} = ${term("keep", 1 - update)} × ${term("before", before)} + ` +
    `${term("update", update)} × ${term("candidate", candidate)}   ·   ${term("reset", reset)}`
  );
}
