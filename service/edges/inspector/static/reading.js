/** What is so at the cursor, in words and as an equation. */

import { Problem } from "./api.js";
import { byId } from "./elements.js";
import { Latest } from "./latest.js";
import { onLanguageChange, say } from "./texts.js";
import { equation, sentence } from "./words.js";

/** @import {Stage} from "./stage.js" */

export class Reading {
  #stage;
  #sentence = byId("sentence");
  #equation = byId("equation");
  #latest = new Latest((problem) => this.#fail(problem), this.#sentence);

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    for (const type of ["trace", "more"]) {
      stage.addEventListener(type, () => this.#want());
    }
    stage.cursor.addEventListener("move", () => this.#want());
    onLanguageChange(() => this.#want());
  }

  #want() {
    this.#latest.want(() => this.#read());
  }

  async #read() {
    const { trace, cursor } = this.#stage;
    const { position } = cursor;
    if (trace === null || trace.steps === 0) {
      this.#show(say("cursor.reset"), "");
    } else if (trace.described.layers.length === 0) {
      const reason = trace.model.reason ?? "";
      this.#show(say("cursor.no-gates", { step: position.step, reason }), "");
    } else if (position.step < trace.steps) {
      const cell = await trace.cell(position.layer, position.unit, position.step);
      this.#show(sentence(trace.inputs[position.step], position, cell), equation(cell));
    }
  }

  /** @param {string} said @param {string} equated */
  #show(said, equated) {
    // What stays the same is not read aloud again.
    if (this.#sentence.textContent !== said) {
      this.#sentence.textContent = said;
    }
    this.#equation.textContent = equated;
  }

  /** @param {unknown} problem */
  #fail(problem) {
    if (!(problem instanceof Problem)) {
      reportError(problem);
      return;
    }
    this.#show(say("problem.start", { title: problem.title, detail: problem.message }), "");
  }
}
