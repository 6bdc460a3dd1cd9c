/** JSON schemas as a reader wants them: names, types, and what each field means. */

import { element } from "../elements.js";
import { say } from "../texts.js";

/**
 * @typedef {object} Schema as far as the service's document uses it
 * @property {string} [$ref]
 * @property {string | string[]} [type]
 * @property {string} [description]
 * @property {Record<string, Schema>} [properties]
 * @property {string[]} [required]
 * @property {Schema} [items]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [oneOf]
 * @property {unknown[]} [enum]
 * @property {unknown} [const]
 * @property {unknown} [default]
 * @property {Schema | boolean} [additionalProperties]
 */

/** A schema that holds itself ends here. */
const DEEPEST = 5;

export class Schemas {
  #named;

  /** @param {Record<string, Schema>} named */
  constructor(named) {
    this.#named = named;
  }

  /** Its fields as a list, or nothing if it has none. @param {Schema} schema @returns {HTMLElement[]} */
  fields(schema, depth = 0) {
    const inner = this.#objectsIn(schema);
    if (depth >= DEEPEST || inner.length === 0) {
      return [];
    }
    return inner.map(({ properties = {}, required = [] }) => {
      const items = Object.entries(properties).map(([name, field]) =>
        this.#field(name, field, required.includes(name), depth),
      );
      return element("ul", { className: depth === 0 ? "fields" : "" }, ...items);
    });
  }

  /** In words such as "array of numbers or null". @param {Schema} schema @returns {string} */
  typeOf(schema) {
    const { $ref, anyOf, oneOf, type, items, enum: choices } = schema;
    if ($ref !== undefined) {
      return this.#nameOf($ref);
    }
    if (schema.const !== undefined) {
      return JSON.stringify(schema.const);
    }
    const variants = anyOf ?? oneOf;
    if (variants !== undefined) {
      return [...new Set(variants.map((variant) => this.typeOf(variant)))].join(" | ");
    }
    if (choices !== undefined) {
      return choices.map((choice) => JSON.stringify(choice)).join(" | ");
    }
    if (type === "array") {
      return items === undefined ? "array" : `[${this.typeOf(items) || "any"}, …]`;
    }
    return Array.isArray(type) ? type.join(" | ") : (type ?? "any");
  }

  /** @param {string} name @param {Schema} field @param {boolean} required @param {number} depth */
  #field(name, field, required, depth) {
    const said = [element("span", { className: "name" }, name)];
    said.push(element("span", { className: "type" }, this.typeOf(field)));
    if (required) {
      said.push(element("span", { className: "required" }, say("docs.required")));
    }
    const about = field.description ? paragraphs(field.description) : [];
    return element("li", {}, ...said, ...about, ...this.fields(field, depth + 1));
  }

  /** The objects that a value is, or is a list or a choice of. @param {Schema} schema @returns {Schema[]} */
  #objectsIn(schema) {
    const { $ref, anyOf, oneOf, items, properties } = schema;
    if ($ref !== undefined) {
      return this.#objectsIn(this.#named[this.#nameOf($ref)] ?? {});
    }
    const inner = anyOf ?? oneOf ?? (items === undefined ? [] : [items]);
    return properties === undefined ? inner.flatMap((each) => this.#objectsIn(each)) : [schema];
  }

  /** @param {string} reference */
  #nameOf(reference) {
    return reference.slice(reference.lastIndexOf("/") + 1);
  }

  /** The schema itself, where it was named. @param {Schema} schema @returns {Schema} */
  resolve(schema) {
    return schema.$ref === undefined ? schema : (this.#named[this.#nameOf(schema.$ref)] ?? {});
  }
}

/** A description's paragraphs, with `code` in them. @param {string} text */
export function paragraphs(text) {
  return text.split(/\n\s*\n/).map((paragraph) => {
    const parts = paragraph.split(/`([^`]+)`/);
    return element("p", {}, ...parts.map((part, at) => (at % 2 ? element("code", {}, part) : part)));
  });
}
