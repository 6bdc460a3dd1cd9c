/** What units of the two kinds do, in words. */

import { say, sayIfKnown } from "../texts.js";
import { decimal } from "../words.js";
import { isNamed } from "./unit-kinds.js";

/** @import {Followed} from "./unit-kinds.js" */

const CHANGE = /^change of (.*)$/s;

/** What is known of the inputs, as one calls it. @param {string} marking */
export function markingInWords(marking) {
  const column = CHANGE.exec(marking)?.[1];
  return column === undefined ? sayIfKnown(`kinds.marking.${marking.replaceAll(" ", "-")}`, marking) : say("kinds.change-of", { column });
}

/** One sentence after the other. @param {string[]} sentences */
export function sentences(sentences) {
  return sentences.reduce((first, second) => say("sentences", { first, second }));
}

/** What a unit follows, with its correlations; that nothing is followed. @param {Followed | null} followed */
export function followedInWords(followed) {
  if (!isNamed(followed)) {
    return "—";
  }
  const { marking, found, confirmed } = followed;
  return say("kinds.followed", { marking: markingInWords(marking), found: decimal(found, 2), confirmed: decimal(confirmed, 2) });
}

/** A number of steps. @param {number | null} length null: for ever */
export function stepsInWords(length) {
  return length === null ? "∞" : decimal(length, length < 9.95 ? 1 : 0);
}
