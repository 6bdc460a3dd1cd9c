/** Some answers take the service a while: they are asked for once the cursor rests. */

/** @import {Position} from "../cursor.js" */
/** @import {Stage} from "../stage.js" */

const REST_MS = 120;

/**
 * Whether the cursor has stayed; where it has not, `follow` is called again by itself.
 *
 * @param {Stage} stage
 * @param {Position} position
 */
export async function isAtRest(stage, position) {
  await new Promise((resume) => setTimeout(resume, REST_MS));
  return stage.cursor.position === position;
}
