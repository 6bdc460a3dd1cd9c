/** The numbers of a picture as a table, a page at a time. A row's name moves the cursor there. */

import { element } from "../elements.js";
import { say } from "../texts.js";

/** @typedef {{name: string, cells: string[], choose: () => void}} Row */
/** @typedef {{caption: string, head: string, columns: string[], rows: Row[]}} Table */

const PAGE = 16;

export class FigureTable {
  #page = 0;
  /** @type {Table} */
  #table = { caption: "", head: "", columns: [], rows: [] };
  #shown = element("table", { className: "figures" });
  #wide = element("div", { className: "wide", tabIndex: 0, role: "group" }, this.#shown);
  #before = element("button", { type: "button" });
  #after = element("button", { type: "button" });
  #turns = element("div", { className: "buttons" }, this.#before, this.#after);
  #summary = element("summary", {});

  /** @param {boolean} [isFolded] whether it is another form of what is above it */
  constructor(isFolded = true) {
    this.node = isFolded
      ? element("details", { className: "table-panel" }, this.#summary, this.#turns, this.#wide)
      : element("div", { className: "table-panel" }, this.#turns, this.#wide);
    this.node.addEventListener("toggle", () => this.#draw());
    this.#before.addEventListener("click", () => this.#turn(-1));
    this.#after.addEventListener("click", () => this.#turn(1));
  }

  /** @param {Table} table */
  show(table) {
    this.#table = table;
    this.#summary.textContent = say("table.title");
    this.#wide.ariaLabel = table.caption;
    this.#before.textContent = say("figures.before");
    this.#after.textContent = say("figures.after");
    this.#turn(0);
  }

  /** @param {number} pages */
  #turn(pages) {
    const last = Math.max(0, Math.ceil(this.#table.rows.length / PAGE) - 1);
    this.#page = Math.max(0, Math.min(last, this.#page + pages));
    this.#turns.hidden = last === 0;
    this.#before.disabled = this.#page === 0;
    this.#after.disabled = this.#page === last;
    this.#draw();
  }

  #draw() {
    if (this.node instanceof HTMLDetailsElement && !this.node.open) {
      return;
    }
    const { caption, head, columns, rows } = this.#table;
    const heads = [head, ...columns].map((name) => element("th", { scope: "col" }, name));
    const page = rows.slice(PAGE * this.#page, PAGE * (this.#page + 1)).map(rowOf);
    this.#shown.replaceChildren(
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...page),
    );
  }
}

/** @param {Row} row */
function rowOf({ name, cells, choose }) {
  const button = element("button", { type: "button", className: "link" }, name);
  const values = cells.map((cell) => element("td", {}, cell));
  const row = element("tr", { className: "chosen-by-click" }, element("th", { scope: "row" }, button), ...values);
  // Of the button too: its clicks come by here.
  row.addEventListener("click", choose);
  return row;
}
