/** What the service refuses is said where it was asked, beside the controls that ask otherwise. */

import { Problem } from "../api.js";
import { element } from "../elements.js";
import { say } from "../texts.js";

/** A wait that is longer is said. */
const LONG_MS = 400;

export function problemLine() {
  return element("p", { className: "problem", role: "alert" });
}

/**
 * @template Result
 * @param {HTMLElement} line where a problem is shown
 * @param {() => Promise<Result>} action
 * @returns {Promise<Result | null>} null after a problem
 */
export async function attempt(line, action) {
  const told = setTimeout(() => tell(line, "hint", say("state.computing")), LONG_MS);
  try {
    const result = await action();
    tell(line, "problem", "");
    return result;
  } catch (problem) {
    if (!(problem instanceof Problem)) {
      throw problem;
    }
    tell(line, "problem", problem.message || problem.title);
    return null;
  } finally {
    clearTimeout(told);
  }
}

/** @param {HTMLElement} line @param {"problem" | "hint"} kind @param {string} text */
function tell(line, kind, text) {
  line.className = kind;
  line.textContent = text;
}
