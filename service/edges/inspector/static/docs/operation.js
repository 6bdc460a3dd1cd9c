/** One operation of the API: what it takes and gives, and a form to try it. */

import { element } from "../elements.js";
import { paragraphs } from "./schema-fields.js";
import { say } from "../texts.js";

/** @import {Schema, Schemas} from "./schema-fields.js" */

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {"path" | "query" | "header"} in
 * @property {boolean} [required]
 * @property {string} [description]
 * @property {Schema} schema
 */

/** @typedef {{schema?: Schema, example?: unknown}} Content */

/**
 * @typedef {object} Operation as OpenAPI describes it
 * @property {string[]} [tags]
 * @property {string} [summary]
 * @property {string} [description]
 * @property {Parameter[]} [parameters]
 * @property {{content: Record<string, Content>}} [requestBody]
 * @property {Record<string, {description: string, content?: Record<string, Content>}>} responses
 */

/** @typedef {{summary: string, description: string, messages: Schema[]}} Socket */

/**
 * @param {string} method
 * @param {string} path
 * @param {Operation} operation
 * @param {Schemas} schemas
 */
export function operationNode(method, path, operation, schemas) {
  const { description = "", parameters = [], requestBody, responses } = operation;
  // The first sentence says more than the name, which the framework makes of the function's.
  const brief = /^[^\n]+?[.;:](?=\s|$)/.exec(description)?.[0] ?? operation.summary ?? "";
  return folded(method, path, brief.replaceAll("`", "").replace(/[;:]$/, "."), () => [
    ...paragraphs(description),
    ...parametersOf(parameters, schemas),
    ...Object.entries(requestBody?.content ?? {}).flatMap(([type, body]) => [
      ...titled(say("docs.body"), element("span", { className: "hint" }, type)),
      ...schemas.fields(body.schema ?? {}),
    ]),
    ...titled(say("docs.answers"), answersOf(responses, schemas)),
    ...titled(say("docs.try"), tryForm(method, path, operation)),
  ]);
}

/** @param {string} path @param {Socket} socket @param {Schemas} schemas */
export function socketNode(path, { summary, description, messages }, schemas) {
  return folded("ws", path, summary, () => [
    ...paragraphs(description),
    ...messages.flatMap((message) => {
      const { description: about = "", properties } = schemas.resolve(message);
      const name = String(properties?.type?.const ?? schemas.typeOf(message));
      return [...titled(name), ...paragraphs(about), ...schemas.fields(message)];
    }),
  ]);
}

/**
 * What is inside is made when it is opened: there is a lot of it.
 *
 * @param {string} method
 * @param {string} path
 * @param {string} summary
 * @param {() => Node[]} content
 */
function folded(method, path, summary, content) {
  const node = element(
    "details",
    { className: "panel operation", id: `${method}-${path}` },
    element(
      "summary",
      {},
      element("span", { className: `method method-${method}` }, method),
      element("span", { className: "path" }, path),
      element("span", { className: "brief" }, summary),
    ),
  );
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) {
      node.append(element("div", { className: "about" }, ...content()));
    }
  });
  return node;
}

/** The title is ours, among the service's own words. @param {string} title @param {...Node} nodes @returns {Node[]} */
function titled(title, ...nodes) {
  return [element("h3", { lang: document.documentElement.lang }, title), ...nodes];
}

/** @param {Parameter[]} parameters @param {Schemas} schemas @returns {Node[]} */
function parametersOf(parameters, schemas) {
  if (parameters.length === 0) {
    return [];
  }
  const items = parameters.map(({ name, in: part, required, description, schema }) => {
    const said = [
      element("span", { className: "name" }, name),
      element("span", { className: "type" }, `${part}, ${schemas.typeOf(schema)}`),
    ];
    if (required) {
      said.push(element("span", { className: "required" }, say("docs.required")));
    }
    return element("li", {}, ...said, ...(description ? paragraphs(description) : []));
  });
  return titled(say("docs.parameters"), element("ul", { className: "fields" }, ...items));
}

/** Of all problems, which look alike, only the statuses. @param {Operation["responses"]} responses @param {Schemas} schemas */
function answersOf(responses, schemas) {
  const [good, problems] = [/** @type {Node[]} */ ([]), /** @type {string[]} */ ([])];
  for (const [status, { description, content = {} }] of Object.entries(responses)) {
    const types = Object.keys(content);
    if (types.includes("application/problem+json")) {
      problems.push(status);
      continue;
    }
    const fields = schemas.fields(content["application/json"]?.schema ?? {});
    const said = [description, ...types].filter(Boolean).join(", ");
    good.push(element("div", {}, element("span", { className: "status" }, status), ` ${said}`, ...fields));
  }
  if (problems.length > 0) {
    const statuses = element("span", { className: "status" }, problems.join(" "));
    good.push(element("div", {}, statuses, " application/problem+json"));
  }
  return element("div", { className: "answers" }, ...good);
}

/** @param {string} method @param {string} path @param {Operation} operation */
function tryForm(method, path, { parameters = [], requestBody }) {
  const inputs = parameters.map(({ name, in: part, required = false }) => ({
    ...{ name, part },
    input: element("input", { required, autocomplete: "off", spellcheck: false }),
  }));
  const example = requestBody?.content["application/json"]?.example;
  const body =
    requestBody === undefined
      ? null
      : element("textarea", { rows: 4, spellcheck: false, value: JSON.stringify(example ?? {}, null, 1) });
  const answer = element("pre", { hidden: true, tabIndex: 0 });
  const { lang } = document.documentElement;
  const progress = element("p", { className: "hint", role: "status", lang });
  const curl = element("pre", { tabIndex: 0 });
  const send = element("button", { className: "primary", type: "submit", lang }, say("docs.send"));
  const form = element(
    "form",
    { className: "try" },
    ...inputs.map(({ name, input }) => element("label", {}, name, input)),
    ...(body === null ? [] : [element("label", {}, say("docs.body"), body)]),
    curl,
    element("div", { className: "buttons" }, send),
    progress,
    answer,
  );
  const request = () => requestOf(method, path, inputs, body);
  const tell = () => (curl.textContent = curlOf(request()));
  form.addEventListener("input", tell);
  tell();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    progress.textContent = say("docs.sending");
    const said = await answerTo(request());
    progress.textContent = said.summary;
    answer.textContent = said.body;
    answer.hidden = said.body === "";
  });
  return form;
}

/** @typedef {{method: string, address: string, headers: Record<string, string>, body?: string}} Sent */

/**
 * @param {string} method
 * @param {string} path
 * @param {{name: string, part: string, input: HTMLInputElement}[]} inputs what is empty is left out
 * @param {HTMLTextAreaElement | null} body
 * @returns {Sent}
 */
function requestOf(method, path, inputs, body) {
  let address = path.slice(1);
  const query = new URLSearchParams();
  /** @type {Record<string, string>} */
  const headers = body === null ? {} : { "content-type": "application/json" };
  for (const { name, part, input: { value } } of inputs) {
    if (value !== "" && part === "path") {
      address = address.replace(`{${name}}`, encodeURIComponent(value));
    } else if (value !== "" && part === "query") {
      query.set(name, value);
    } else if (value !== "") {
      headers[name] = value;
    }
  }
  const asked = query.size > 0 ? `?${query}` : "";
  return { method: method.toUpperCase(), address: address + asked, headers, body: body?.value };
}

/** @param {Sent} request */
function curlOf({ method, address, headers, body }) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl", ...(method === "GET" ? [] : ["-X", method]), quoted(new URL(address, document.baseURI).href)];
  for (const [name, value] of Object.entries(headers)) {
    words.push("-H", quoted(`${name}: ${value}`));
  }
  return [...words, ...(body === undefined ? [] : ["-d", quoted(body)])].join(" ");
}

/** @param {Sent} request @returns {Promise<{summary: string, body: string}>} */
async function answerTo({ method, address, headers, body }) {
  const begun = performance.now();
  try {
    const answer = await fetch(address, { method, headers, body });
    const text = await answer.text();
    const milliseconds = Math.round(performance.now() - begun);
    return { summary: say("docs.answered", { status: answer.status, milliseconds }), body: indented(text) };
  } catch (problem) {
    return { summary: String(problem), body: "" };
  }
}

/** JSON on lines of its own, and anything else as it is. @param {string} text */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}
