/** The text that was read, each character coloured by what the cursor's unit did at it. */

import { coloursOf, entryOf, inkOn, onSchemeChange } from "./colours.js";
import { byId, element } from "./elements.js";
import { glyph } from "./words.js";

export class TextStrip {
  #cursor;
  #trace = null;
  #marks = [];
  #panel = byId("text-panel");
  #text = byId("text");
  #caption = byId("text-caption");
  #shown = "";

  /** @param {import("./cursor.js").Cursor} cursor */
  constructor(cursor) {
    this.#cursor = cursor;
    cursor.addEventListener("move", () => this.#update());
    onSchemeChange(() => this.#colour());
    this.#text.addEventListener("click", ({ target }) => {
      if (target.dataset.step !== undefined) {
        cursor.move({ step: Number(target.dataset.step) });
      }
    });
  }

  /**
   * @param {object} model
   * @param {import("./trace.js").Trace} trace
   */
  show(model, trace) {
    const isText = trace.steps > 0 && !Array.isArray(trace.inputs[0]);
    this.#panel.hidden = !isText;
    this.#trace = isText ? trace : null;
    this.#marks = isText ? trace.inputs.map((input, step) => markOf(model, input, step)) : [];
    this.#text.replaceChildren(...this.#marks);
    this.#colour();
    this.#update();
  }

  #update() {
    const { layer, gate, unit, step } = this.#cursor.position;
    if (this.#trace === null) {
      return;
    }
    if (this.#shown !== `${layer} ${gate} ${unit}`) {
      this.#colour();
    }
    this.#text.querySelector(".marked")?.classList.remove("marked");
    this.#marks[step]?.classList.add("marked");
    this.#reveal(this.#marks[step]);
  }

  #colour() {
    if (this.#trace === null) {
      return;
    }
    const { layer, gate, unit } = this.#cursor.position;
    const colours = coloursOf(gate);
    this.#marks.forEach((mark, step) => {
      const value = this.#trace.layers[layer][gate].at(step, unit);
      // A step may have no value yet: it keeps the colour of the page.
      const colour = colours.table[entryOf(value, colours)];
      mark.style.backgroundColor = colour ? `rgb(${colour.join(" ")})` : "";
      mark.style.color = colour ? inkOn(colour) : "";
    });
    this.#caption.textContent = `coloured by ${gate} of layer ${layer}, unit ${unit}`;
    this.#shown = `${layer} ${gate} ${unit}`;
  }

  /** Within the panel alone; the page stays where it is. */
  #reveal(mark) {
    if (mark === undefined) {
      return;
    }
    const above = mark.offsetTop < this.#text.scrollTop;
    const below = mark.offsetTop + mark.offsetHeight > this.#text.scrollTop + this.#text.clientHeight;
    if (above || below) {
      this.#text.scrollTop = mark.offsetTop - this.#text.clientHeight / 2;
    }
  }
}

function markOf(model, input, step) {
  const isCharacter = typeof input === "string" && model.input.token !== "item";
  const breaks = input === "\n" ? `${glyph(input)}\n` : String(input);
  const mark = element("span", { className: isCharacter ? "" : "token" }, breaks);
  mark.dataset.step = step;
  return mark;
}
