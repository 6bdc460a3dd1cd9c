/** A view of a trace: a section that is computed while it is open. */

import { Problem } from "../api.js";
import { element } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Key} from "../texts.js" */

/**
 * @typedef {object} About
 * @property {string} id of the section
 * @property {Key} title
 * @property {Key} what one sentence that says what is seen here
 */

/** Subclasses override `show`, and `follow` where they depend on the cursor. */
export class View {
  stage;
  node;
  body = element("div", { className: "view-body" });
  about;
  #title = element("h2", {});
  #what = element("p", { className: "hint" });
  #failure = element("p", { className: "problem", role: "alert" });
  /** @type {Set<"trace" | "cursor">} */
  #wanted = new Set();
  #isBusy = false;
  #hasFailed = false;

  /** @param {Stage} stage @param {About} about */
  constructor(stage, about) {
    this.stage = stage;
    this.about = about;
    this.node = element("details", { className: "panel view", id: about.id, hidden: true });
    this.node.append(element("summary", {}, this.#title), this.#what, this.#failure, this.body);
    this.#name();
    onLanguageChange(() => {
      this.#name();
      this.#want("trace");
    });
    this.node.addEventListener("toggle", () => this.#want("trace"));
    stage.addEventListener("trace", () => this.#want("trace"));
    stage.addEventListener("more", () => this.#want("trace"));
    stage.cursor.addEventListener("move", () => this.#want("cursor"));
  }

  /** Whether there is anything to see of a trace. @param {OpenTrace} trace */
  applies(trace) {
    return trace.described.layers.length > 0;
  }

  /** Draw what is known of the trace as it is now. @param {OpenTrace} _trace @param {Position} _position */
  async show(_trace, _position) {}

  /** The cursor has moved. @param {OpenTrace} _trace @param {Position} _position */
  async follow(_trace, _position) {}

  /** Draw all of it again. */
  redraw() {
    this.#want("trace");
  }

  #name() {
    this.#title.textContent = say(this.about.title);
    this.#what.textContent = say(this.about.what);
  }

  /** The latest wish counts: what was wanted while something was drawn is drawn once, after it. @param {"trace" | "cursor"} what */
  #want(what) {
    const { trace } = this.stage;
    this.node.hidden = trace === null || trace.steps === 0 || !this.applies(trace);
    this.#wanted.add(what);
    if (!this.#isBusy) {
      this.#draw();
    }
  }

  async #draw() {
    this.#isBusy = true;
    while (this.#wanted.size > 0) {
      // What failed has left nothing to go on with.
      const isAnew = this.#wanted.has("trace") || this.#hasFailed;
      this.#wanted.clear();
      const { trace, cursor } = this.stage;
      if (trace === null || this.node.hidden || !this.node.open) {
        continue;
      }
      try {
        if (isAnew) {
          await this.show(trace, cursor.position);
        }
        await this.follow(trace, cursor.position);
        this.#failure.textContent = "";
        this.#hasFailed = false;
      } catch (problem) {
        this.#hasFailed = true;
        this.#fail(problem);
      }
    }
    this.#isBusy = false;
  }

  /** @param {unknown} problem */
  #fail(problem) {
    if (!(problem instanceof Problem)) {
      reportError(problem);
      return;
    }
    this.body.replaceChildren();
    this.#failure.textContent = problem.message;
  }
}
