/** What the service refuses is said where it was asked, beside the controls that ask otherwise. */

import { Problem } from "../api.js";
import { element } from "../elements.js";

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
  try {
    const result = await action();
    line.textContent = "";
    return result;
  } catch (problem) {
    if (!(problem instanceof Problem)) {
      throw problem;
    }
    line.lang = "en";
    line.textContent = problem.message || problem.title;
    return null;
  }
}
