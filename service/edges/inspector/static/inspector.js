/** The page as a whole: a model, an input, and the views of what happened. */

import { Problem, runSequence, runSession } from "./api.js";
import { Cursor } from "./cursor.js";
import { byId } from "./elements.js";
import { InputForm } from "./input/form.js";
import { modelCard } from "./model-card.js";
import { Outputs } from "./outputs.js";
import { Stepping } from "./stepping.js";
import { onLanguageChange, say } from "./texts.js";
import { TextStrip } from "./text-strip.js";
import { Timeline } from "./timeline/timeline.js";
import { Trace } from "./trace.js";
import { ValueTable } from "./timeline/value-table.js";
import { equation, sentence } from "./words.js";

/** @import {Model, Step} from "./model.js" */

const MOST_STEPS = 4000;
const PLAY_PAUSE_MS = 120;

export class Inspector {
  #cursor = new Cursor();
  #form = new InputForm();
  #timeline = new Timeline(this.#cursor);
  #text = new TextStrip(this.#cursor);
  #outputs = new Outputs();
  /** @type {Model | null} */
  #model = null;
  /** @type {Trace | null} */
  #trace = null;
  /** @type {Stepping | null} */
  #stepping = null;
  #waiting = 0;
  #last = Promise.resolve();
  #playing = false;

  constructor() {
    new ValueTable(this.#cursor, this.#timeline);
    this.#cursor.addEventListener("move", () => this.#read());
    this.#timeline.addEventListener("failed", (event) =>
      this.#fail(/** @type {CustomEvent} */ (event).detail),
    );
    this.#form.addEventListener("run", () => this.#attempt((model) => this.#run(model)));
    this.#form.addEventListener("step", () => this.#attempt(() => this.#step()));
    this.#form.addEventListener("play", () => this.#play());
    this.#form.addEventListener("reset", () => this.#queue(async () => this.#reset()));
    addEventListener("pagehide", () => this.#restartSession());
    onLanguageChange(() => this.#relabel());
  }

  /** Turn to a model, and show what it does with an example. @param {Model} model */
  choose(model) {
    return this.#queue(async () => {
      this.#model = null;
      this.#reset();
      byId("model-card").replaceChildren(...modelCard(model));
      this.#form.adapt(model);
      this.#timeline.build(model);
      this.#cursor.move({ layer: 0, gate: "update", unit: 0, step: 0 });
      this.#model = model;
      const steps = await this.#run(model);
      // The middle of the example: with a past to keep, and a next step to compare with.
      this.#cursor.move({ step: Math.floor(steps / 2) });
    });
  }

  /** @param {Model} model @returns {Promise<number>} how many steps were run */
  async #run(model) {
    const steps = this.#form.steps();
    refuseTooMany(steps.length);
    this.#form.showProgress("progress.running");
    const trace = new Trace(model, steps.length);
    trace.append(steps, await this.#answerTo(model, steps));
    this.#restartSession();
    this.#show(model, trace, Math.min(this.#cursor.position.step, trace.steps - 1));
    this.#form.showProgress("progress.ran", { steps: trace.steps });
    return trace.steps;
  }

  /**
   * Of a model that sees windows, a session shows the answer to each of them.
   *
   * @param {Model} model
   * @param {Step[]} steps
   */
  #answerTo(model, steps) {
    const { kind } = this.#form;
    return model.window === null
      ? runSequence(model, kind.sequenceBody(steps))
      : runSession(model, kind.stepsBody(steps));
  }

  async #step() {
    const steps = this.#form.steps();
    const [model, stepping] = [this.#model, this.#stepping];
    if (model === null || stepping === null) {
      return;
    }
    const fed = stepping.trace.steps;
    if (fed >= steps.length) {
      this.#playing = false;
      this.#form.showProgress(fed === 0 ? "progress.nothing" : "progress.all", { steps: fed });
      return;
    }
    refuseTooMany(fed + 1);
    await stepping.advance(steps);
    this.#show(model, stepping.trace, fed);
    this.#timeline.reveal();
    this.#form.showProgress("progress.fed", { fed: fed + 1, steps: steps.length });
  }

  async #play() {
    this.#playing = !this.#playing;
    this.#form.showPlaying(this.#playing);
    while (this.#playing) {
      await this.#attempt(() => this.#step());
      await new Promise((resume) => setTimeout(resume, PLAY_PAUSE_MS));
    }
    this.#form.showPlaying(false);
  }

  #reset() {
    this.#playing = false;
    this.#restartSession();
    this.#trace = null;
    byId("timeline-panel").hidden = byId("text-panel").hidden = true;
    this.#outputs.clear();
    byId("equation").textContent = "";
    byId("sentence").textContent = say("cursor.reset");
    this.#form.showProgress(null);
  }

  #restartSession() {
    this.#stepping?.close();
    this.#stepping = this.#model && new Stepping(this.#model, this.#form.kind);
  }

  /**
   * What is pressed while an answer is awaited is dropped, so that no press is applied late.
   *
   * @param {(model: Model) => Promise<unknown>} action
   */
  async #attempt(action) {
    const model = this.#model;
    if (this.#waiting === 0 && model !== null) {
      await this.#queue(() => action(model));
    }
  }

  /** One action after the other. A problem is shown beside the input. @param {() => Promise<unknown>} action */
  #queue(action) {
    this.#waiting += 1;
    this.#last = this.#last.then(async () => {
      try {
        await action();
        this.#form.clearProblem();
      } catch (problem) {
        this.#fail(problem);
      } finally {
        this.#waiting -= 1;
      }
    });
    return this.#last;
  }

  /** @param {unknown} problem */
  #fail(problem) {
    this.#playing = false;
    this.#form.showProgress(null);
    if (problem instanceof Problem) {
      this.#form.showProblem(problem);
    } else {
      reportError(problem);
    }
  }

  /** @param {Model} model @param {Trace} trace @param {number} step */
  #show(model, trace, step) {
    this.#trace = trace;
    byId("timeline-panel").hidden = false;
    this.#cursor.move({ step });
    this.#timeline.show(trace);
    if (this.#timeline.source !== null) {
      this.#text.show(model, trace, this.#timeline.source);
    }
    this.#read();
  }

  #relabel() {
    if (this.#model !== null) {
      byId("model-card").replaceChildren(...modelCard(this.#model));
    }
    if (this.#trace === null) {
      byId("sentence").textContent = say("cursor.reset");
    }
    this.#read();
  }

  #read() {
    const { position } = this.#cursor;
    const [model, trace] = [this.#model, this.#trace];
    if (model === null || trace === null || position.step >= trace.steps) {
      return;
    }
    const isShown = model.layers.length > 0;
    byId("sentence").textContent = isShown
      ? sentence(trace, position)
      : say("cursor.no-gates", { step: position.step, reason: model.reason ?? "" });
    byId("equation").textContent = isShown ? equation(trace, position) : "";
    this.#outputs.show(model, trace, position.step);
  }
}

/** @param {number} steps */
function refuseTooMany(steps) {
  if (steps > MOST_STEPS) {
    const detail = say("problem.long-detail", { most: MOST_STEPS });
    throw new Problem({ title: say("problem.long"), detail });
  }
}
