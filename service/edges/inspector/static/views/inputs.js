/** What a step was given, as it is read. */

/** @import {Model, Step} from "../model.js" */

/** A character, or an item by its name where that is known. @param {Model} model @param {Step} input */
export function wordOf({ input: { vocabulary } }, input) {
  return typeof input === "number" ? (vocabulary?.[input] ?? String(input)) : String(input);
}
