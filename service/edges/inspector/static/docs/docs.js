/** The reference of the API, from the service's own description of it. */

import { byId, byIdOf, element } from "../elements.js";
import { operationNode, socketNode } from "./operation.js";
import { Schemas } from "./schema-fields.js";
import { onLanguageChange, say, startTexts } from "../texts.js";

/** @import {Operation, Socket} from "./operation.js" */
/** @import {Schema} from "./schema-fields.js" */

/**
 * @typedef {object} Document
 * @property {Record<string, Record<string, Operation>>} paths
 * @property {{schemas: Record<string, Schema>}} components
 * @property {Record<string, Socket>} [x-websockets]
 */

const filter = byIdOf("filter", HTMLInputElement);
const list = byId("operations");

/** @param {Document} document */
function show({ paths, components, "x-websockets": sockets = {} }) {
  const schemas = new Schemas(components.schemas);
  /** @type {Map<string, HTMLElement[]>} */
  const groups = new Map();
  const add = (/** @type {string} */ group, /** @type {HTMLElement} */ node) =>
    groups.set(group, [...(groups.get(group) ?? []), node]);
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      add(operation.tags?.[0] ?? "", operationNode(method, path, operation, schemas));
    }
  }
  for (const [path, socket] of Object.entries(sockets)) {
    add(say("docs.stream"), socketNode(path, socket, schemas));
  }
  const sections = [...groups].map(([name, nodes]) =>
    element("section", {}, element("h2", {}, name), ...nodes),
  );
  list.replaceChildren(...sections);
  search();
  openNamed();
}

/** Only what has all of the words. */
function search() {
  const words = filter.value.toLowerCase().split(/\s+/);
  let found = 0;
  for (const section of list.children) {
    const nodes = [...section.querySelectorAll("details")];
    for (const node of nodes) {
      const text = node.querySelector("summary")?.textContent?.toLowerCase() ?? "";
      node.hidden = !words.every((word) => text.includes(word));
      found += node.hidden ? 0 : 1;
    }
    /** @type {HTMLElement} */ (section).hidden = nodes.every((node) => node.hidden);
  }
  byId("found").textContent = found === 0 ? say("docs.none") : "";
}

/** The operation that the address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

startTexts();
filter.placeholder = say("docs.filter");
try {
  const answer = await fetch("openapi.json");
  const described = await answer.json();
  show(described);
  onLanguageChange(() => {
    filter.placeholder = say("docs.filter");
    show(described);
  });
  filter.addEventListener("input", search);
  addEventListener("hashchange", openNamed);
} catch (problem) {
  list.textContent = say("docs.failed", { detail: String(problem) });
}
