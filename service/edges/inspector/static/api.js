/** The service's HTTP interface, as far as this page uses it. Addresses are relative to the page. */

/** An answer that is an error: RFC 9457 problem details, or the lack of any answer. */
export class Problem extends Error {
  /** @param {{title: string, detail: string, errors?: {path: string, message: string}[]}} details */
  constructor(details) {
    super(details.detail);
    this.title = details.title;
    this.faults = details.errors ?? [];
  }
}

/** The models that have a default version: what is shown of a model is that one's. */
export async function listModels() {
  const { models } = await request("GET", "v1/models");
  return models.filter((model) => model.default !== null);
}

/** @param {object} input `{text}` or `{inputs: [sequence]}` */
export async function runSequence({ name, layers }, input) {
  const path = `v1/models/${encodeURIComponent(name)}/sequences`;
  const body = layers.length > 0 ? { ...input, gates: true } : input;
  return (await request("POST", path, body)).sequences[0];
}

/** All steps in a session of their own. @param {object} input `{text}` or `{inputs: steps}` */
export async function runSession({ name }, input) {
  const session = await createSession(name);
  try {
    return await stepSession(session, input);
  } finally {
    deleteSession(session);
  }
}

export async function createSession(model) {
  return (await request("POST", "v1/sessions", { model })).session_id;
}

/** @param {object} input `{text}` or `{inputs: steps}` */
export async function stepSession(session, input) {
  return request("POST", `v1/sessions/${session}/steps`, { ...input, gates: true });
}

/** Nobody waits for this: a session that is not deleted here ends by its time to live. */
export function deleteSession(session) {
  fetch(`v1/sessions/${session}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

async function request(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem({ title: "No answer", detail: "the service cannot be reached" });
  }
  if (response.ok) {
    return response.json();
  }
  throw new Problem(await problemOf(response));
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    // A proxy in between may answer with a page of its own.
    return { title: `HTTP ${response.status}`, detail: response.statusText };
  }
}
