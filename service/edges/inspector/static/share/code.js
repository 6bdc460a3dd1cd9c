/** The requests that show what the page shows, for a shell and for Python. */

/** @import {TraceBody} from "../traces-api.js" */

/**
 * @typedef {object} Requests
 * @property {string} base of all addresses, without a slash at its end
 * @property {TraceBody | null} made what the trace is made from; null: it is there
 * @property {string} id of the trace
 * @property {Record<string, string | number>} query of the window
 */

/** @param {Requests} requests */
export function curlOf({ base, made, id, query }) {
  const address = `${base}/v1/traces`;
  const lines =
    made === null
      ? [`ID=${quoted(id)}`]
      : [
          `ID=$(curl -sSf ${quoted(address)} -H 'content-type: application/json' \\`,
          `  -d ${quoted(JSON.stringify(made))} | sed -E 's/.*"trace_id": *"([^"]+)".*/\\1/')`,
        ];
  const words = Object.entries(query).map(([name, value]) => ` \\\n  -d ${quoted(`${name}=${value}`)}`);
  return [...lines, `curl -sSfG ${quoted(`${address}/`)}"$ID/window"${words.join("")}`].join("\n");
}

/** For httpx. @param {Requests} requests */
export function pythonOf({ base, made, id, query }) {
  const trace =
    made === null
      ? `    trace_id = ${literal(id)}`
      : `    made = client.post("/v1/traces", json=${literal(made)})\n` +
        `    trace_id = made.raise_for_status().json()["trace_id"]`;
  return [
    "import httpx",
    "",
    `with httpx.Client(base_url=${literal(base)}, timeout=60) as client:`,
    trace,
    `    query = ${literal(query)}`,
    '    answer = client.get(f"/v1/traces/{trace_id}/window", params=query)',
    "    window = answer.raise_for_status().json()",
    'print(window["units"], window["from"], window["to"])',
  ].join("\n");
}

/** For a POSIX shell. @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** As Python writes it. @param {unknown} value @returns {string} */
function literal(value) {
  if (value === null || value === undefined) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (Array.isArray(value)) {
    return `[${value.map(literal).join(", ")}]`;
  }
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, one]) => `${literal(name)}: ${literal(one)}`).join(", ")}}`;
  }
  // The escapes of JSON are Python's, too.
  return JSON.stringify(value);
}
