/** The text that was read, each character coloured by what the cursor's unit did at it. */

import { valuesOf } from "./blocks.js";
import { coloursOf, entryOf, inkOn, onSchemeChange } from "./colours.js";
import { byId, byIdOf, element } from "./elements.js";
import { isCharacter, TextLayout } from "./text-layout.js";
import { onLanguageChange, say } from "./texts.js";
import { glyph, tensorInWords } from "./words.js";

/** @import {Blocks} from "./blocks.js" */
/** @import {Step} from "./model.js" */
/** @import {OpenTrace} from "./open-trace.js" */
/** @import {Stage} from "./stage.js" */

/** Rows that are drawn above and below those that can be seen. */
const BEYOND = 4;

/** Of a long text only the rows that can be seen are in the page. */
export class TextStrip {
  #stage;
  /** @type {TextLayout | null} null: there is no text */
  #layout = null;
  /** @type {Blocks<number> | null} */
  #values = null;
  /** @type {Map<number, HTMLElement>} by step, those that are drawn */
  #marks = new Map();
  #panel = byIdOf("text-panel", HTMLDetailsElement);
  #text = byId("text");
  #caption = byId("text-caption");
  #track = element("div", { className: "text-track" });
  #shown = "";
  #drawn = "";
  #frame = 0;
  #rowHeight = 1;

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    this.#text.append(this.#track);
    stage.addEventListener("trace", () => this.#show());
    stage.addEventListener("more", () => this.#lay());
    stage.cursor.addEventListener("move", () => this.#follow());
    onSchemeChange(() => this.#colour());
    onLanguageChange(() => this.#describe());
    this.#text.addEventListener("scroll", () => this.#schedule());
    new ResizeObserver(() => this.#lay()).observe(this.#text);
    this.#panel.addEventListener("toggle", () => this.#lay());
    this.#text.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.step !== undefined) {
        stage.cursor.move({ step: Number(target.dataset.step) });
      }
    });
    this.#text.addEventListener("keydown", (event) => this.#press(event));
  }

  #show() {
    const { trace } = this.#stage;
    this.#panel.hidden = trace === null || trace.steps === 0 || Array.isArray(trace.inputs[0]);
    this.#values = null;
    this.#shown = "";
    this.#lay();
  }

  /** Break the text into rows anew. */
  #lay() {
    const { trace } = this.#stage;
    this.#drawn = "";
    if (trace === null || this.#panel.hidden) {
      this.#layout = null;
      this.#track.replaceChildren();
      return;
    }
    if (this.#text.clientWidth === 0) {
      return;
    }
    const { width, height } = this.#measure();
    this.#rowHeight = height;
    this.#layout = new TextLayout(trace.model, trace.inputs, Math.max(8, Math.floor(this.#text.clientWidth / width)));
    this.#track.style.height = `${this.#layout.rows * height}px`;
    this.#chooseValues(trace);
    this.#reveal();
    this.#draw();
  }

  /** Of a character, in CSS pixels. */
  #measure() {
    const probe = element("div", { className: "text-row" }, "0".repeat(32));
    this.#track.append(probe);
    const box = probe.getBoundingClientRect();
    probe.remove();
    return { width: Math.max(1, box.width / 32), height: Math.max(1, box.height) };
  }

  /** @param {OpenTrace} trace */
  #chooseValues(trace) {
    const { layer, gate, unit } = this.#stage.cursor.position;
    const key = `${layer} ${gate} ${unit}`;
    if (key === this.#shown && this.#values !== null) {
      return;
    }
    this.#shown = key;
    this.#values = trace.described.layers.length > 0 ? valuesOf(trace, layer, gate, unit) : null;
    this.#values?.addEventListener("arrived", () => this.#colour());
    this.#describe();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { key } = event;
    const last = (this.#stage.trace?.steps ?? 1) - 1;
    const { step } = this.#stage.cursor.position;
    const ends = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: last };
    if (key in ends && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      const wanted = ends[/** @type {keyof typeof ends} */ (key)];
      this.#stage.cursor.move({ step: Math.max(0, Math.min(last, wanted)) });
    }
  }

  #follow() {
    const { trace, cursor } = this.#stage;
    if (trace === null || this.#layout === null) {
      return;
    }
    const { layer, gate, unit } = cursor.position;
    if (this.#shown !== `${layer} ${gate} ${unit}`) {
      this.#chooseValues(trace);
      this.#colour();
    }
    this.#reveal();
    this.#mark();
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const [{ trace }, layout] = [this.#stage, this.#layout];
    if (trace === null || layout === null) {
      return;
    }
    const { scrollTop, clientHeight } = this.#text;
    const first = Math.max(0, Math.floor(scrollTop / this.#rowHeight) - BEYOND);
    const last = Math.min(layout.rows, Math.ceil((scrollTop + clientHeight) / this.#rowHeight) + BEYOND);
    const drawn = `${first} ${last} ${layout.steps}`;
    if (drawn === this.#drawn) {
      return;
    }
    this.#drawn = drawn;
    this.#marks.clear();
    const rows = [];
    for (let row = first; row < last; row += 1) {
      rows.push(this.#drawRow(trace, layout, row));
    }
    this.#track.replaceChildren(...rows);
    this.#mark();
    this.#colour();
  }

  /** @param {OpenTrace} trace @param {TextLayout} layout @param {number} row */
  #drawRow(trace, layout, row) {
    const { from, to } = layout.row(row);
    const marks = [];
    for (let step = from; step < to; step += 1) {
      const mark = markOf(trace, trace.inputs[step], step);
      this.#marks.set(step, mark);
      marks.push(mark);
    }
    const node = element("div", { className: "text-row" }, ...marks);
    node.style.top = `${row * this.#rowHeight}px`;
    return node;
  }

  #mark() {
    this.#track.querySelector(".marked")?.classList.remove("marked");
    this.#marks.get(this.#stage.cursor.position.step)?.classList.add("marked");
  }

  #colour() {
    const values = this.#values;
    if (this.#marks.size === 0) {
      return;
    }
    const steps = [...this.#marks.keys()];
    values?.need(steps[0], steps[steps.length - 1] + 1);
    const colours = coloursOf(this.#stage.cursor.position.gate);
    for (const [step, mark] of this.#marks) {
      const value = values?.at(step);
      // A step may have no value yet: it keeps the colour of the page.
      const colour = value === undefined ? undefined : colours.table[entryOf(value, colours)];
      mark.style.backgroundColor = colour ? `rgb(${colour.join(" ")})` : "";
      mark.style.color = colour ? inkOn(colour) : "";
    }
  }

  #describe() {
    const { layer, gate, unit } = this.#stage.cursor.position;
    const tensor = tensorInWords(gate);
    this.#caption.textContent = this.#values === null ? "" : say("text.caption", { tensor, layer, unit });
  }

  /** Within the panel alone; the page stays where it is. */
  #reveal() {
    const row = this.#layout?.rowOf(this.#stage.cursor.position.step) ?? 0;
    const top = row * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#text;
    if (top < scrollTop || top + this.#rowHeight > scrollTop + clientHeight) {
      this.#text.scrollTop = top - clientHeight / 2;
    }
  }
}

/** @param {OpenTrace} trace @param {Step} input @param {number} step */
function markOf({ model }, input, step) {
  const text = isCharacter(model, input) ? glyphOf(String(input)) : String(input);
  const mark = element("span", { className: isCharacter(model, input) ? "" : "token" }, text);
  mark.dataset.step = String(step);
  return mark;
}

/** A blank needs no glyph: it has its width, and a colour. @param {string} character */
function glyphOf(character) {
  return character === " " ? character : glyph(character);
}
