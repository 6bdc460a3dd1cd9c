/** The service's HTTP interface, as far as this page uses it. Addresses are relative to the page. */

import { say } from "./texts.js";

/** @import {Example, Model, SequenceAnswer} from "./model.js" */
/** @typedef {{path: string, message: string}} Fault */
/** @typedef {{title: string, detail: string, errors?: Fault[]}} Details */

/** An answer that is an error: RFC 9457 problem details, or the lack of any answer. */
export class Problem extends Error {
  /** @param {Details} details */
  constructor(details) {
    super(details.detail);
    this.title = details.title;
    this.faults = details.errors ?? [];
  }
}

/**
 * The models that have a default version: what is shown of a model is that one's.
 *
 * @returns {Promise<Model[]>}
 */
export async function listModels() {
  const { models } = await request("GET", "v1/models");
  return models.filter((/** @type {Model} */ model) => model.default !== null);
}

/**
 * @param {Model} model
 * @param {Example} input `{text}` or `{inputs: [sequence]}`
 * @returns {Promise<SequenceAnswer>}
 */
export async function runSequence({ name, layers }, input) {
  const path = `v1/models/${encodeURIComponent(name)}/sequences`;
  const body = layers.length > 0 ? { ...input, gates: true } : input;
  return (await request("POST", path, body)).sequences[0];
}

/**
 * All steps in a session of their own.
 *
 * @param {Model} model
 * @param {Example} input `{text}` or `{inputs: steps}`
 */
export async function runSession({ name }, input) {
  const session = await createSession(name);
  try {
    return await stepSession(session, input);
  } finally {
    deleteSession(session);
  }
}

/** @param {string} model @returns {Promise<string>} */
export async function createSession(model) {
  return (await request("POST", "v1/sessions", { model })).session_id;
}

/**
 * @param {string} session
 * @param {Example} input `{text}` or `{inputs: steps}`
 * @returns {Promise<SequenceAnswer>}
 */
export async function stepSession(session, input) {
  return request("POST", `v1/sessions/${session}/steps`, { ...input, gates: true });
}

/**
 * Nobody waits for this: a session that is not deleted here ends by its time to live.
 *
 * @param {string} session
 */
export function deleteSession(session) {
  fetch(`v1/sessions/${session}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {(response: Response) => Promise<any>} [read] the answer, which is JSON by default
 * @returns {Promise<any>}
 */
export async function request(method, path, body, read = (response) => response.json()) {
  const headers = body === undefined ? undefined : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem({ title: say("problem.no-answer"), detail: say("problem.no-answer-detail") });
  }
  if (response.ok) {
    return response.status === 204 ? undefined : read(response);
  }
  throw new Problem(await problemOf(response));
}

/** @param {Response} response @returns {Promise<Details>} */
async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    // A proxy in between may answer with a page of its own.
    return { title: `HTTP ${response.status}`, detail: response.statusText };
  }
}
