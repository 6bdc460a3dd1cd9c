/** What was read, each input coloured by how much an output depends on it. */

import { coloursOf, entryOf, inkOn, onSchemeChange } from "../colours.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { glyph } from "../words.js";
import { amount } from "./amounts.js";

/** @import {OpenTrace} from "../open-trace.js" */

/** More are not read. */
const MOST_SHOWN = 600;

export class InfluenceText {
  node = element("div", { className: "text influence", tabIndex: 0, role: "group", hidden: true });
  /** @type {HTMLElement[]} */
  #marks = [];
  #first = 0;
  /** @type {number[]} in parts of the strongest */
  #shares = [];

  /** @param {(step: number) => void} point */
  constructor(point) {
    this.node.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.step !== undefined) {
        point(Number(target.dataset.step));
      }
    });
    this.node.addEventListener("keydown", (event) => {
      const marked = this.#marks.findIndex((mark) => mark.classList.contains("marked"));
      const step = { ArrowLeft: marked - 1, ArrowRight: marked + 1 }[event.key];
      if (step !== undefined && step >= 0 && step < this.#marks.length) {
        event.preventDefault();
        point(this.#first + step);
      }
    });
    onSchemeChange(() => this.#colour());
  }

  /** @param {OpenTrace} trace @param {number} first step @param {number[]} influence @param {number} most */
  show(trace, first, influence, most) {
    this.node.hidden = Array.isArray(trace.inputs[first]);
    if (this.node.hidden) {
      return;
    }
    const skipped = Math.max(0, influence.length - MOST_SHOWN);
    this.#first = first + skipped;
    const shown = influence.slice(skipped);
    this.#shares = shown.map((value) => (most === 0 ? 0 : value / most));
    const isCharacter = typeof trace.inputs[first] === "string" && trace.model.input.token !== "item";
    this.#marks = shown.map((value, index) => {
      const input = String(trace.inputs[this.#first + index]);
      const text = input === "\n" ? `${glyph(input)}\n` : input;
      const mark = element("span", { className: isCharacter ? "" : "token", title: amount(value) }, text);
      mark.dataset.step = String(this.#first + index);
      return mark;
    });
    this.node.ariaLabel = say("why.text");
    this.node.replaceChildren(...this.#marks);
    this.#colour();
    this.node.scrollTop = this.node.scrollHeight;
  }

  /** @param {number} step */
  mark(step) {
    this.node.querySelector(".marked")?.classList.remove("marked");
    this.#marks[step - this.#first]?.classList.add("marked");
  }

  #colour() {
    const colours = coloursOf("hidden");
    this.#marks.forEach((mark, index) => {
      const colour = colours.table[entryOf(this.#shares[index], colours)];
      mark.style.backgroundColor = `rgb(${colour.join(" ")})`;
      mark.style.color = inkOn(colour);
    });
  }
}
