/** The cell at a step: the textbook picture of a GRU cell with the cursor's numbers in it. */

import { element } from "../elements.js";
import { say } from "../texts.js";
import { cellAt, whyNothing } from "./cell-numbers.js";
import { CellPicture } from "./cell-picture.js";
import { equations, numbersTable, sumInWords } from "./cell-words.js";
import { View } from "./view.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {CellAt} from "./cell-numbers.js" */

export class CellView extends View {
  #picture = new CellPicture();
  #sentence = element("p", { className: "sentence cell-sentence" });
  #equations = element("dl", { className: "cell-equations" });
  #key = element("p", { className: "hint" });
  #table = element("div", {});
  #summary = element("summary", {});
  #beside = element(
    "div",
    {},
    this.#equations,
    this.#key,
    element("details", { className: "table-panel" }, this.#summary, this.#table),
  );
  #figures = element("div", { className: "cell-figures" }, this.#picture.node, this.#beside);

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "cell-view", title: "cell.title", what: "cell.what" });
    this.#sentence.setAttribute("aria-live", "polite");
  }

  /** @param {OpenTrace} _trace @param {Position} _position */
  async show(_trace, _position) {
    this.body.replaceChildren(this.#sentence, this.#figures);
    this.#summary.textContent = say("table.title");
    this.#key.textContent = say("cell.key");
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    const cell = await cellAt(trace, position);
    const why = whyNothing(cell);
    const words = why || sumInWords(cell, trace.inputs[position.step]);
    if (this.#sentence.textContent !== words) {
      this.#sentence.textContent = words;
    }
    this.#table.replaceChildren(numbersTable(cell));
    this.#picture.node.classList.toggle("empty", why !== "");
    if (why === "") {
      this.#fill(cell, words);
    } else {
      this.#picture.clear();
      this.#equations.replaceChildren();
    }
  }

  /** @param {CellAt} cell @param {string} words */
  #fill(cell, words) {
    this.#picture.draw(cell, words);
    const lines = equations(cell).flatMap(({ name, text }) => [element("dt", {}, name), element("dd", {}, text)]);
    this.#equations.replaceChildren(...lines);
  }
}
