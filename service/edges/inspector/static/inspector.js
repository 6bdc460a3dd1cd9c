/** The page as a whole: a model, an input, and the views of what happened. */

import { getSession, getVersion, Problem } from "./api.js";
import { byId, byIdOf } from "./elements.js";
import { FindingPanel } from "./finding/finding.js";
import { InputForm } from "./input/form.js";
import { Link } from "./link.js";
import { modelCard } from "./model-card.js";
import { OpenTrace } from "./open-trace.js";
import { Outputs } from "./outputs.js";
import { Reading } from "./reading.js";
import { SessionPanel } from "./session/session-panel.js";
import { Watch } from "./session/watch.js";
import { SharePanel } from "./share/share-panel.js";
import { Stage } from "./stage.js";
import { Stepping } from "./stepping.js";
import { onLanguageChange, say } from "./texts.js";
import { TextStrip } from "./text-strip.js";
import { Timeline } from "./timeline/timeline.js";
import { ValueTable } from "./timeline/value-table.js";
import { VIEWS } from "./views/all.js";
import { isTraced, WholeSequence } from "./whole-sequence.js";

/** @import {Position} from "./cursor.js" */
/** @import {Wish} from "./link.js" */
/** @import {Model} from "./model.js" */

const PLAY_PAUSE_MS = 120;

export class Inspector {
  #stage = new Stage();
  #form = new InputForm();
  #timeline = new Timeline(this.#stage);
  #finding = new FindingPanel(this.#stage);
  #sessions = new SessionPanel();
  #views;
  #models;
  /** @type {Model | null} */
  #model = null;
  /** @type {Stepping | null} */
  #stepping = null;
  /** @type {Watch | null} */
  #watch = null;
  #waiting = 0;
  #last = Promise.resolve();
  #playing = false;
  #notice = byId("notice");
  #select = byIdOf("model", HTMLSelectElement);

  /** @param {Model[]} models */
  constructor(models) {
    this.#models = new Map(models.map((model) => [model.name, model]));
    new Reading(this.#stage);
    new TextStrip(this.#stage);
    new Outputs(this.#stage, (problem) => this.#fail(problem));
    new ValueTable(this.#stage, this.#timeline);
    this.#views = VIEWS.map((One) => new One(this.#stage));
    byId("views").append(...this.#views.map(({ node }) => node));
    const link = new Link(this.#stage, this.#timeline, this.#views);
    new SharePanel(this.#stage, this.#timeline, () => link.write());
    this.#form.addEventListener("run", () => this.#attempt((model) => this.#run(model)));
    this.#form.addEventListener("step", () => this.#attempt((model) => this.#step(model)));
    this.#form.addEventListener("play", () => this.#play());
    this.#form.addEventListener("reset", () => this.#queue(async () => this.#reset()));
    this.#sessions.addEventListener("open", (event) => this.#openSession(/** @type {CustomEvent} */ (event).detail));
    this.#sessions.addEventListener("leave", () => this.#attempt((model) => this.#begin(model)));
    addEventListener("pagehide", () => this.#stepping?.close());
    onLanguageChange(() => this.#relabel());
  }

  /** What a section of the views is called. */
  get views() {
    return this.#views;
  }

  /** Turn to a model, and show what it does with its own sample. @param {Model} model */
  choose(model) {
    return this.#queue(() => this.#begin(model));
  }

  /** Show what a link asks for, as far as it is still there. @param {Wish} wish @param {Model} otherwise */
  follow(wish, otherwise) {
    return this.#queue(async () => {
      const wasOpened = await this.#openWished(wish);
      if (!wasOpened) {
        const model = this.#models.get(wish.model ?? "") ?? otherwise;
        await this.#begin(model, wish.position);
        if (wish.trace !== null || wish.session !== null) {
          this.#notice.textContent = say("link.gone");
        }
      }
      this.#timeline.settings = wish.settings;
      for (const { node } of this.#views) {
        node.open = wish.open.includes(node.id);
      }
    });
  }

  /** Whether there was a session or a trace to open. @param {Wish} wish */
  async #openWished({ session, trace, position }) {
    for (const open of [
      session === null ? null : () => this.#record(session),
      trace === null ? null : () => this.#openTrace(trace),
    ]) {
      try {
        if (open !== null) {
          await open();
          this.#look(position);
          return true;
        }
      } catch (problem) {
        if (!(problem instanceof Problem)) {
          throw problem;
        }
      }
    }
    return false;
  }

  /** @param {Model} model @param {Partial<Position>} position */
  async #begin(model, position = {}) {
    this.#turnTo(model);
    const steps = this.#form.steps();
    const trace = isTraced(model)
      ? await OpenTrace.make(model, { model: model.name, sample: true })
      : await WholeSequence.run(model, steps, this.#form.kind.sequenceBody(steps));
    const isLinked = Object.keys(position).length > 0;
    // The middle of the sample: with a past to keep, and a next step to compare with.
    this.#stage.cursor.move({ layer: 0, gate: "update", unit: 0, step: Math.floor(trace.steps / 2) });
    this.#look(position);
    this.#find(trace, !isLinked);
    this.#show(trace);
    this.#form.showProgress("progress.sample", { steps: trace.steps });
  }

  /** @param {string} id */
  async #openTrace(id) {
    const { model: name, version } = await OpenTrace.describe(id);
    const model = await this.#modelOf(name, version);
    this.#turnTo(model);
    const trace = await OpenTrace.open(model, id);
    this.#find(trace, false);
    this.#show(trace);
    this.#form.showProgress("progress.opened", { steps: trace.steps });
  }

  /** Nobody waits for what there is to find; whoever has moved the cursor meanwhile keeps it there. */
  async #find(/** @type {OpenTrace} */ trace, /** @type {boolean} */ mayMove) {
    const { cursor } = this.#stage;
    const { position } = cursor;
    const panel = byId("finding");
    panel.ariaBusy = "true";
    const found = await this.#finding.consider(trace);
    if (this.#stage.trace !== trace) {
      return;
    }
    if (mayMove && found !== null && cursor.position === position) {
      cursor.move(found);
      this.#timeline.reveal();
    }
    panel.ariaBusy = "false";
  }

  /** Make room for a model. @param {Model} model */
  #turnTo(model) {
    this.#reset();
    this.#select.value = model.name;
    if (this.#model === model) {
      return;
    }
    this.#model = model;
    // Another model may lack the layer or the unit.
    this.#look({ layer: 0, gate: "update", unit: 0, step: 0 });
    this.#finding.clear();
    byId("model-card").replaceChildren(...modelCard(model));
    this.#form.adapt(model);
  }

  /** A version that is not the default one has a description of its own. @param {string} name @param {number} version */
  async #modelOf(name, version) {
    const model = this.#models.get(name);
    if (model === undefined) {
      throw new Problem({ title: say("problem.model"), detail: say("problem.model-detail", { name }) });
    }
    return model.version === version ? model : { ...model, ...(await getVersion(name, version)) };
  }

  /** @param {Model} model */
  async #run(model) {
    const steps = this.#form.steps();
    this.#form.showProgress("progress.running");
    const { kind } = this.#form;
    const trace = isTraced(model)
      ? await OpenTrace.make(model, { model: model.name, ...kind.stepsBody(steps) })
      : await WholeSequence.run(model, steps, kind.sequenceBody(steps));
    this.#playing = false;
    this.#leave();
    this.#look({ step: Math.min(this.#stage.cursor.position.step, trace.steps - 1) });
    this.#show(trace);
    this.#form.showProgress("progress.ran", { steps: trace.steps });
  }

  /** @param {Model} model */
  async #step(model) {
    const steps = this.#form.steps();
    const fed = this.#stepping?.fed ?? 0;
    if (fed >= steps.length) {
      this.#playing = false;
      this.#form.showProgress(fed === 0 ? "progress.nothing" : "progress.all", { steps: fed });
      return;
    }
    if (this.#stepping === null) {
      this.#leave();
      this.#stepping = new Stepping(model, this.#form.kind);
    }
    const trace = await this.#stepping.advance(steps);
    if (this.#stage.trace !== trace) {
      this.#look({ step: trace.steps - 1 });
      this.#show(trace);
    }
    this.#look({ step: trace.steps - 1 });
    this.#timeline.reveal();
    this.#form.showProgress("progress.fed", { fed: fed + 1, steps: steps.length });
  }

  async #play() {
    this.#playing = !this.#playing;
    this.#form.showPlaying(this.#playing);
    while (this.#playing) {
      await this.#attempt((model) => this.#step(model));
      await new Promise((resume) => setTimeout(resume, PLAY_PAUSE_MS));
    }
    this.#form.showPlaying(false);
  }

  /** @param {string} id */
  #openSession(id) {
    return this.#queue(async () => {
      try {
        await this.#record(id);
      } catch (problem) {
        if (!(problem instanceof Problem)) {
          throw problem;
        }
        this.#sessions.showProblem(problem);
      }
    });
  }

  /** Show a session from now on, and what has been recorded of it. @param {string} id */
  async #record(id) {
    const session = await getSession(id);
    const model = await this.#modelOf(session.model, session.version);
    const trace = await OpenTrace.make(model, { session_id: id });
    // It may be recorded for somebody else, too.
    trace.shared = true;
    this.#turnTo(model);
    this.#look({ step: Math.max(0, trace.steps - 1) });
    this.#show(trace);
    this.#form.showProgress(null);
    this.#watch = new Watch(this.#stage, trace, () => this.#timeline.reveal());
    this.#watch.addEventListener("step", () => this.#sessions.step());
    this.#watch.addEventListener("failed", (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      if (!(detail instanceof Problem)) {
        throw detail;
      }
      this.#sessions.showProblem(detail);
    });
    this.#sessions.watch(session, model, trace);
  }

  #reset() {
    this.#playing = false;
    this.#leave();
    this.#show(null);
    this.#form.showProgress(null);
  }

  /** No session is looked at, or fed, any longer. */
  #leave() {
    this.#notice.textContent = "";
    this.#stepping?.close();
    this.#stepping = null;
    this.#watch?.close();
    this.#watch = null;
    this.#sessions.leave();
  }

  /** @param {OpenTrace | null} trace */
  #show(trace) {
    const before = this.#stage.trace;
    this.#stage.show(trace);
    if (before !== trace) {
      before?.close();
    }
  }

  /** @param {Partial<Position>} position */
  #look(position) {
    this.#stage.cursor.move(position);
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
      this.#form.showProblem(problem, this.#stepping?.fed ?? 0);
    } else {
      reportError(problem);
    }
  }

  #relabel() {
    if (this.#model !== null) {
      byId("model-card").replaceChildren(...modelCard(this.#model));
    }
  }
}
