/** The page as a whole: a model, an input, and the views of what happened. */

import { Problem, runSequence, runSession } from "./api.js";
import { Cursor } from "./cursor.js";
import { byId } from "./elements.js";
import { InputForm } from "./input-form.js";
import { modelCard } from "./model-card.js";
import { Outputs } from "./outputs.js";
import { Stepping } from "./stepping.js";
import { TextStrip } from "./text-strip.js";
import { Timeline } from "./timeline.js";
import { Trace } from "./trace.js";
import { equation, sentence } from "./words.js";

const MOST_STEPS = 4000;
const PLAY_PAUSE_MS = 120;

export class Inspector {
  #cursor = new Cursor();
  #form = new InputForm();
  #timeline = new Timeline(this.#cursor);
  #text = new TextStrip(this.#cursor);
  #outputs = new Outputs();
  #model = null;
  #trace = null;
  #stepping = null;
  #waiting = 0;
  #last = Promise.resolve();
  #playing = false;

  constructor() {
    this.#cursor.addEventListener("move", () => this.#read());
    this.#form.addEventListener("run", () => this.#attempt(() => this.#run()));
    this.#form.addEventListener("step", () => this.#attempt(() => this.#step()));
    this.#form.addEventListener("play", () => this.#play());
    this.#form.addEventListener("reset", () => this.#queue(() => this.#reset()));
    addEventListener("pagehide", () => this.#restartSession());
  }

  /** Turn to a model, and show what it does with an example. */
  choose(model) {
    return this.#queue(async () => {
      this.#model = null;
      this.#reset();
      byId("model-card").replaceChildren(...modelCard(model));
      this.#form.adapt(model);
      this.#timeline.build(model);
      this.#cursor.move({ layer: 0, gate: "update", unit: 0, step: 0 });
      this.#model = model;
      await this.#run();
      // The middle of the example: with a past to keep, and a next step to compare with.
      this.#cursor.move({ step: Math.floor(this.#trace.steps / 2) });
    });
  }

  async #run() {
    const steps = this.#form.steps();
    refuseTooMany(steps.length);
    this.#form.showProgress("Running …");
    const trace = new Trace(this.#model, steps.length);
    trace.append(steps, await this.#answerTo(steps));
    this.#restartSession();
    this.#show(trace, Math.min(this.#cursor.position.step, trace.steps - 1));
    this.#form.showProgress(`Ran ${trace.steps} time steps, from the beginning.`);
  }

  /** Of a model that sees windows, a session shows the answer to each of them. */
  #answerTo(steps) {
    const { kind } = this.#form;
    return this.#model.window === null
      ? runSequence(this.#model, kind.sequenceBody(steps))
      : runSession(this.#model, kind.stepsBody(steps));
  }

  async #step() {
    const steps = this.#form.steps();
    const fed = this.#stepping.trace.steps;
    if (fed >= steps.length) {
      this.#playing = false;
      const left = fed === 0 ? "There is nothing to feed" : `All ${fed} steps are fed`;
      this.#form.showProgress(`${left}: type more, or reset the session.`);
      return;
    }
    refuseTooMany(fed + 1);
    await this.#stepping.advance(steps);
    this.#show(this.#stepping.trace, fed);
    this.#form.showProgress(`Session: ${fed + 1} of ${steps.length} steps fed, one by one.`);
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
    byId("sentence").textContent = "Run a sequence, or step through it, to see what every gate does.";
    this.#form.showProgress("");
  }

  #restartSession() {
    this.#stepping?.close();
    this.#stepping = this.#model && new Stepping(this.#model, this.#form.kind);
  }

  /** What is pressed while an answer is awaited is dropped, so that no press is applied late. */
  async #attempt(action) {
    if (this.#waiting === 0 && this.#model !== null) {
      await this.#queue(action);
    }
  }

  /** One action after the other. A problem is shown beside the input. */
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

  #fail(problem) {
    this.#playing = false;
    this.#form.showProgress("");
    if (problem instanceof Problem) {
      this.#form.showProblem(problem);
    } else {
      reportError(problem);
    }
  }

  #show(trace, step) {
    this.#trace = trace;
    byId("timeline-panel").hidden = false;
    this.#cursor.move({ step });
    this.#timeline.show(trace);
    this.#text.show(this.#model, trace);
    this.#read();
  }

  #read() {
    const { position } = this.#cursor;
    if (this.#trace === null || position.step >= this.#trace.steps) {
      return;
    }
    const isShown = this.#model.layers.length > 0;
    byId("sentence").textContent = isShown
      ? sentence(this.#trace, position)
      : `step ${position.step}: this model shows no gates. ${this.#model.reason ?? ""}`;
    byId("equation").textContent = isShown ? equation(this.#trace, position) : "";
    this.#outputs.show(this.#model, this.#trace, position.step);
  }
}

function refuseTooMany(steps) {
  if (steps > MOST_STEPS) {
    const detail = `this page shows at most ${MOST_STEPS} time steps; the API itself takes more`;
    throw new Problem({ title: "Too long to look at", detail });
  }
}
