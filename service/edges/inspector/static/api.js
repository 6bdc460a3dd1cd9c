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

/** @param {string} name @param {number} version @returns {Promise<Model>} */
export function getVersion(name, version) {
  return request("GET", `v1/models/${encodeURIComponent(name)}/versions/${version}`);
}

/**
 * @param {Model} model
 * @param {Example} input `{text}` or `{inputs: [sequence]}`
 * @returns {Promise<SequenceAnswer>}
 */
export async function runSequence({ name }, input) {
  const path = `v1/models/${encodeURIComponent(name)}/sequences`;
  return (await request("POST", path, input)).sequences[0];
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
  return request("POST", `v1/sessions/${encodeURIComponent(session)}/steps`, input);
}

/**
 * Nobody waits for this: a session that is not deleted here ends by its time to live.
 *
 * @param {string} session
 */
export function deleteSession(session) {
  fetch(`v1/sessions/${encodeURIComponent(session)}`, { method: "DELETE", keepalive: true }).catch(() => {});
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

/**
 * @typedef {object} SessionLife
 * @property {string} session_id
 * @property {string} model
 * @property {number} version
 * @property {number} step
 * @property {string} created_at
 * @property {string} expires_at
 * @property {number} ttl_seconds
 */

/**
 * @typedef {object} Receipts
 * @property {{key: string, step: number, version: number, answer: string}[]} receipts newest first
 * @property {{writer: string, highest: number}[]} writers
 */

/**
 * @typedef {object} RolledOut
 * @property {number} step of the session now
 * @property {number[][]} [outputs]
 * @property {string[][]} [labels]
 * @property {number[]} [tokens]
 * @property {string} [text]
 * @property {string[]} [items]
 */

/** @param {string} session @returns {Promise<SessionLife>} */
export function getSession(session) {
  return request("GET", `v1/sessions/${encodeURIComponent(session)}`);
}

/** @param {number} limit @returns {Promise<SessionLife[]>} */
export async function listSessions(limit) {
  return (await request("GET", `v1/sessions?limit=${limit}`)).sessions;
}

/** @param {string} session @returns {Promise<SessionLife>} */
export function forkSession(session) {
  return request("POST", `v1/sessions/${encodeURIComponent(session)}/fork`, {});
}

/** @param {string} session @param {number} steps @returns {Promise<RolledOut>} */
export function rollOut(session, steps) {
  return request("POST", `v1/sessions/${encodeURIComponent(session)}/rollout`, { steps });
}

/** @param {string} session @returns {Promise<Receipts>} */
export function receiptsOf(session) {
  return request("GET", `v1/sessions/${encodeURIComponent(session)}/receipts`);
}
