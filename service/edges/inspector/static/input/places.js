/** Where in the text field a time step, or a number of it, was typed. */

/**
 * @typedef {object} Place
 * @property {number} start first character of the field
 * @property {number} end the one behind its last
 * @property {number} line from 1
 * @property {number} column from 1: a character, or a number, of its line
 * @property {boolean} [whole] whether it is all of its line
 */

/**
 * Each code point of a text: a time step of a character model.
 *
 * @param {string} source
 * @returns {Place[]}
 */
export function characterPlaces(source) {
  const places = [];
  let [start, line, column] = [0, 1, 1];
  for (const character of source) {
    const end = start + character.length;
    places.push({ start, end, line, column });
    [line, column] = character === "\n" ? [line + 1, 1] : [line, column + 1];
    start = end;
  }
  return places;
}

/**
 * Lines that are not blank: a time step each.
 *
 * @param {string} source
 * @returns {(Place & {text: string})[]} without the blanks around them
 */
export function linePlaces(source) {
  const places = [];
  let begin = 0;
  for (const [index, line] of source.split("\n").entries()) {
    const text = line.trim();
    if (text !== "") {
      const start = begin + line.indexOf(text);
      places.push({ text, start, end: start + text.length, line: index + 1, column: 1, whole: true });
    }
    begin += line.length + 1;
  }
  return places;
}

/**
 * What stands between separators, within one part of a text.
 *
 * @param {string} text
 * @param {RegExp} separator global
 * @param {{start: number, line: number}} origin of the text
 * @returns {(Place & {text: string})[]}
 */
export function cellPlaces(text, separator, { start, line }) {
  /** @type {(Place & {text: string})[]} */
  const places = [];
  let from = 0;
  for (const found of [...text.matchAll(separator), null]) {
    const to = found === null ? text.length : found.index;
    const column = places.length + 1;
    places.push({ text: text.slice(from, to), start: start + from, end: start + to, line, column });
    from = to + (found === null ? 0 : found[0].length);
  }
  return places;
}

/**
 * The places in a JSON path: `$.inputs[0][3]` → [0, 3].
 *
 * @param {string} path
 * @returns {number[] | null} null if it speaks of something other than what was typed
 */
export function indicesOf(path) {
  const found = /^\$\.(?:inputs|text)((?:\[\d+\])*)$/.exec(path);
  return found === null ? null : [...found[1].matchAll(/\d+/g)].map(([digits]) => Number(digits));
}
