/** Numbers in a table: what a picture shows, for those who read it. */

import { element } from "../elements.js";
import { say } from "../texts.js";

/**
 * Folded away below a picture.
 *
 * @param {string} caption
 * @param {string[]} heads
 * @param {string[][]} rows each with its name first
 */
export function foldedTable(caption, heads, rows) {
  return element(
    "details",
    { className: "table-panel" },
    element("summary", {}, say("table.title")),
    numberTable(caption, heads, rows),
  );
}

/** @param {string} caption @param {string[]} heads @param {string[][]} rows each with its name first */
export function numberTable(caption, heads, rows) {
  const table = element(
    "table",
    { className: "figures" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map(rowOf)),
  );
  const room = element("div", { className: "wide", tabIndex: 0, role: "group" }, table);
  room.ariaLabel = caption;
  return room;
}

/** @param {string[]} row */
function rowOf([name, ...cells]) {
  const head = element("th", { scope: "row" }, name);
  return element("tr", {}, head, ...cells.map((cell) => element("td", {}, cell)));
}
