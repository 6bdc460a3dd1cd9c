/** `/v1/traces` as this page uses it: see the API's reference for what each view answers. */

import { Problem, request } from "./api.js";

/** @import {TensorWindow} from "./timeline/tensor-source.js" */

/** @typedef {Record<string, string | number | boolean>} Query */

/**
 * @typedef {object} InterventionBody a gate of some units, set or scaled for some steps
 * @property {number} layer
 * @property {string} gate
 * @property {number[] | null} [units] null: all
 * @property {number} [from] the session's own count, as all steps here
 * @property {number} [to]
 * @property {"set" | "scale"} [action]
 * @property {number} value
 */

/**
 * @typedef {object} TraceDescription
 * @property {string} trace_id
 * @property {"given" | "recorded" | "fork" | "intervention"} kind
 * @property {string} model
 * @property {number} version
 * @property {string | null} session_id
 * @property {string | null} source
 * @property {number | null} at
 * @property {InterventionBody[]} interventions
 * @property {number | null} from
 * @property {number | null} to
 * @property {number | null} dropped_before
 * @property {number} bytes
 * @property {number} max_bytes
 * @property {number} created_at seconds since the epoch
 * @property {number} expires_at
 * @property {{layer: number, units: number, tensors: string[]}[]} layers
 * @property {string[]} markings
 */

/**
 * @typedef {object} TraceBody inputs for a model; a session to record; another trace, forked or intervened
 * @property {string} [model]
 * @property {number} [version]
 * @property {any[]} [inputs]
 * @property {string} [text]
 * @property {boolean} [sample]
 * @property {string} [session_id]
 * @property {string} [trace_id]
 * @property {number} [at]
 * @property {InterventionBody[]} [interventions]
 * @property {number} [ttl_seconds]
 */

/** @param {TraceBody} body @returns {Promise<TraceDescription>} */
export function makeTrace(body) {
  return request("POST", "v1/traces", body);
}

/** @param {string} id @returns {Promise<TraceDescription>} */
export function describeTrace(id) {
  return request("GET", `v1/traces/${encodeURIComponent(id)}`);
}

/** @param {string} id @param {string} view @param {Query} query @returns {Promise<any>} */
export function askTrace(id, view, query) {
  return request("GET", addressOf(id, view, query));
}

/** Which units follow a marking: one of the trace's, or a number for each of its steps.
 *
 * @param {string} id
 * @param {string | (number | null)[]} marking
 * @param {number} count
 */
export function unitsThatFollow(id, marking, count) {
  const body = { marking, count };
  return request("POST", `v1/traces/${encodeURIComponent(id)}/following`, body);
}

/** Nobody waits for this: a trace that is not deleted here expires. @param {string} id */
export function dropTrace(id) {
  fetch(`v1/traces/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/** @param {string} id @param {string} view @param {Query} query relative to the page */
export function addressOf(id, view, query = {}) {
  const words = Object.entries(query).map(([name, value]) => [name, String(value)]);
  const text = new URLSearchParams(words).toString();
  return `v1/traces/${encodeURIComponent(id)}/${view}${text && `?${text}`}`;
}

/**
 * A part of a tensor, in full precision.
 *
 * @param {string} id
 * @param {Query} query
 * @returns {Promise<TensorWindow>}
 */
export async function readWindow(id, query) {
  const path = addressOf(id, "window", { ...query, encoding: "float32" });
  const response = await request("GET", path, undefined, async (answer) => answer);
  const shape = header(response, "gatewise-shape").split(",").map(Number);
  const numbers = new Float32Array(await response.arrayBuffer());
  const columns = shape[shape.length - 2];
  const isReduced = shape.length === 3;
  const half = numbers.length / 2;
  return {
    from: Number(header(response, "gatewise-from")),
    to: Number(header(response, "gatewise-to")),
    stepsPerColumn: Number(header(response, "gatewise-steps-per-column")),
    columns,
    low: isReduced ? numbers.subarray(0, half) : numbers,
    high: isReduced ? numbers.subarray(half) : numbers,
  };
}

/** @param {Response} response @param {string} name */
function header(response, name) {
  const value = response.headers.get(name);
  if (value === null) {
    throw new Problem({ title: name, detail: "" });
  }
  return value;
}
