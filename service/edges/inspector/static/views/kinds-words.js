/** What units of the two kinds do, in words. */

import { say } from "../texts.js";
import { decimal, markingInWords } from "../words.js";
import { isNamed } from "./unit-kinds.js";

/** @import {Followed} from "./unit-kinds.js" */

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
