/** The text that was read, each character coloured by what the cursor's unit did at it. */

import { coloursOf, entryOf, inkOn, onSchemeChange } from "./colours.js";
import { byId, element } from "./elements.js";
import { onLanguageChange, say } from "./texts.js";
import { glyph, tensorInWords } from "./words.js";

/** @import {Cursor} from "./cursor.js" */
/** @import {Model, Step} from "./model.js" */
/** @import {TensorSource} from "./timeline/tensor-source.js" */
/** @import {Trace} from "./trace.js" */

export class TextStrip {
  #cursor;
  /** @type {TensorSource | null} null: there is no text */
  #source = null;
  /** @type {HTMLElement[]} */
  #marks = [];
  #panel = byId("text-panel");
  #text = byId("text");
  #caption = byId("text-caption");
  #shown = "";

  /** @param {Cursor} cursor */
  constructor(cursor) {
    this.#cursor = cursor;
    cursor.addEventListener("move", () => this.#update());
    onSchemeChange(() => this.#colour());
    onLanguageChange(() => this.#describe());
    this.#text.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.step !== undefined) {
        cursor.move({ step: Number(target.dataset.step) });
      }
    });
    this.#text.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * @param {Model} model
   * @param {Trace} trace
   * @param {TensorSource} source of the same run
   */
  show(model, trace, source) {
    const isText = trace.steps > 0 && !Array.isArray(trace.inputs[0]);
    this.#panel.hidden = !isText;
    this.#source = isText && model.layers.length > 0 ? source : null;
    this.#marks = isText ? trace.inputs.map((input, step) => markOf(model, input, step)) : [];
    this.#text.replaceChildren(...this.#marks);
    this.#colour();
    this.#update();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { key } = event;
    const last = this.#marks.length - 1;
    const { step } = this.#cursor.position;
    const ends = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: last };
    if (key in ends && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      const wanted = ends[/** @type {keyof typeof ends} */ (key)];
      this.#cursor.move({ step: Math.max(0, Math.min(last, wanted)) });
    }
  }

  #update() {
    const { layer, gate, unit, step } = this.#cursor.position;
    if (this.#shown !== `${layer} ${gate} ${unit}`) {
      this.#colour();
    }
    this.#text.querySelector(".marked")?.classList.remove("marked");
    const mark = this.#marks[step];
    if (mark !== undefined) {
      mark.classList.add("marked");
      this.#reveal(mark);
    }
  }

  async #colour() {
    const source = this.#source;
    if (source === null) {
      this.#caption.textContent = "";
      return;
    }
    const { layer, gate, unit } = this.#cursor.position;
    this.#shown = `${layer} ${gate} ${unit}`;
    this.#describe();
    const { steps } = source;
    const { low } = await source.window(gate, layer, [unit], 0, steps, steps);
    // By now the cursor may be at another unit, whose colours come by themselves.
    if (this.#source === source && this.#shown === `${layer} ${gate} ${unit}`) {
      this.#paint(gate, low);
    }
  }

  /** @param {string} gate @param {Float32Array} values */
  #paint(gate, values) {
    const colours = coloursOf(gate);
    this.#marks.forEach((mark, step) => {
      // A step may have no value yet: it keeps the colour of the page.
      const colour = colours.table[entryOf(values[step], colours)];
      mark.style.backgroundColor = colour ? `rgb(${colour.join(" ")})` : "";
      mark.style.color = colour ? inkOn(colour) : "";
    });
  }

  #describe() {
    if (this.#source !== null) {
      const { layer, gate, unit } = this.#cursor.position;
      this.#caption.textContent = say("text.caption", { tensor: tensorInWords(gate), layer, unit });
    }
  }

  /** Within the panel alone; the page stays where it is. @param {HTMLElement} mark */
  #reveal(mark) {
    const above = mark.offsetTop < this.#text.scrollTop;
    const below = mark.offsetTop + mark.offsetHeight > this.#text.scrollTop + this.#text.clientHeight;
    if (above || below) {
      this.#text.scrollTop = mark.offsetTop - this.#text.clientHeight / 2;
    }
  }
}

/** @param {Model} model @param {Step} input @param {number} step */
function markOf(model, input, step) {
  const isCharacter = typeof input === "string" && model.input.token !== "item";
  const breaks = input === "\n" ? `${glyph(input)}\n` : String(input);
  const mark = element("span", { className: isCharacter ? "" : "token" }, breaks);
  mark.dataset.step = String(step);
  return mark;
}
