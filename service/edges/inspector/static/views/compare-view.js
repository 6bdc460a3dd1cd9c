/** Two histories under the same input: how fast their difference washes out; and other input from here on. */

import { attempt, problemLine } from "./attempt.js";
import { amount, share } from "./amounts.js";
import { LayerSelect } from "./layer-select.js";
import { NumberField } from "./number-field.js";
import { OtherTrace } from "./other-trace.js";
import { differencesOf, largest, mostSteps, readOutputs, statesApart, TwoRuns } from "./two-runs.js";
import { bodyOf, TypedSteps } from "./typed-steps.js";
import { View } from "./view.js";
import { Problem, request } from "../api.js";
import { element } from "../elements.js";
import { OpenTrace } from "../open-trace.js";
import { say } from "../texts.js";
import { dropTrace } from "../traces-api.js";

/** @import {Position} from "../cursor.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Key} from "../texts.js" */
/** @typedef {"history" | "fork" | "trace"} Mode */

/** Steps that are followed. */
const MOST_STEPS = 2000;
const MOST_FORKED = 500;
/** Steps that are suggested. */
const SUGGESTED = 32;
const MODES = /** @type {Mode[]} */ (["history", "fork", "trace"]);

/**
 * As the API answers it.
 *
 * @typedef {object} Comparison
 * @property {number} from
 * @property {number} other_from
 * @property {number} steps
 * @property {(number | null)[]} distance
 * @property {number | null} washed_out_at
 * @property {(number | null)[]} outputs the largest difference of each step
 */

/**
 * @typedef {object} Made
 * @property {Mode} mode
 * @property {OpenTrace} anchor of which the comparison is asked: the trace, or a part forked from it
 * @property {boolean} isForked
 */

export class CompareView extends View {
  #layers;
  #mode = element("select", {});
  #modeLabel = element("span", {});
  #history = new TypedSteps();
  #future = new TypedSteps();
  #id = element("input", { type: "text", autocomplete: "off", spellcheck: false });
  #idLabel = element("span", {});
  #idField = element("label", { className: "field" }, this.#idLabel, this.#id);
  #threshold;
  #run = element("button", { type: "submit", className: "primary" });
  #problem = problemLine();
  #sentence = element("p", { className: "view-sentence", role: "status" });
  #other;
  #runs;
  #model = "";
  /** @type {Made | null} */
  #made = null;
  #shown = "";

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "compare-view", title: "compare.title", what: "compare.what" });
    this.#layers = new LayerSelect(stage);
    this.#threshold = new NumberField({ value: 5, min: 0.1, max: 99, step: 0.1 }, () => this.#redraw());
    this.#other = new OtherTrace(stage);
    this.#runs = new TwoRuns(stage);
    this.#mode.replaceChildren(...MODES.map((mode) => new Option(mode, mode)));
    this.#mode.addEventListener("change", () => this.#chooseMode());
    const form = element(
      "form",
      {},
      element(
        "div",
        { className: "view-controls" },
        element("label", { className: "inline-choice" }, this.#modeLabel, this.#mode),
      ),
      this.#history.node,
      this.#future.node,
      this.#idField,
      element("div", { className: "view-controls" }, this.#run, this.#threshold.node, this.#layers.node),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#compare();
    });
    this.body.append(form, this.#problem, this.#sentence, this.#other.node, this.#runs.node);
  }

  get #chosen() {
    return /** @type {Mode} */ (this.#mode.value);
  }

  /** @param {OpenTrace} trace */
  async show(trace) {
    const { name, version } = trace.model;
    if (this.#model !== `${name} ${version}`) {
      this.#model = `${name} ${version}`;
      this.#history.clear();
      this.#future.clear();
    }
    this.#modeLabel.textContent = say("compare.mode");
    for (const option of this.#mode.options) {
      option.textContent = say(/** @type {Key} */ (`compare.mode.${option.value}`));
    }
    this.#idLabel.textContent = say("compare.id");
    this.#threshold.label(say("compare.threshold"));
    this.#history.label(trace.model, "compare.history");
    this.#future.label(trace.model, "compare.future");
    this.#chooseMode();
    this.#shown = "";
    if (this.#other.pair === null) {
      this.#forget();
    }
    this.#other.label();
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    this.#layers.show(trace, position);
    const { step, layer } = position;
    // Not all that came before the cursor, or both histories would be the same.
    this.#history.suggest(trace.model, trace.inputs.slice(0, Math.min(SUGGESTED, Math.floor(step / 2))));
    this.#future.suggest(trace.model, trace.inputs.slice(step, step + SUGGESTED));
    this.#run.textContent = say("compare.run", { step });
    const key = `${this.#other.pair?.other.id} ${layer} ${this.#threshold.value}`;
    if (this.#shown !== key) {
      this.#shown = key;
      await attempt(this.#problem, () => this.#draw(layer));
    }
    this.#runs.mark(this.#ourStep(step));
  }

  /** The step of the first trace beside the cursor's, whichever of both the page shows. @param {number} step */
  #ourStep(step) {
    const { pair } = this.#other;
    return pair !== null && this.stage.trace === pair.other ? step - pair.otherBegin + pair.begin : step;
  }

  #chooseMode() {
    const mode = this.#chosen;
    this.#history.node.hidden = mode !== "history";
    this.#future.node.hidden = mode !== "fork";
    this.#idField.hidden = mode !== "trace";
    this.#threshold.node.hidden = mode === "fork";
  }

  #redraw() {
    const { trace, cursor } = this.stage;
    if (trace !== null) {
      this.follow(trace, cursor.position);
    }
  }

  #forget() {
    this.#dropAnchor();
    this.#made = null;
    this.#other.keep(null);
    this.#runs.show(null);
    this.#sentence.textContent = "";
  }

  #dropAnchor() {
    if (this.#made?.isForked) {
      dropTrace(this.#made.anchor.id);
    }
  }

  async #compare() {
    const { trace, cursor } = this.stage;
    if (trace === null || this.#run.disabled) {
      return;
    }
    this.#run.disabled = true;
    const { step, layer } = cursor.position;
    const mode = this.#chosen;
    await attempt(this.#problem, async () => {
      const make = { history: this.#makeHistory, fork: this.#makeFork, trace: this.#findTrace };
      const made = await make[mode].call(this, trace, step);
      if (this.stage.trace !== trace) {
        return;
      }
      this.#dropAnchor();
      this.#made = { mode, anchor: made.anchor, isForked: made.anchor !== trace };
      const { other, otherBegin, isOwn } = made;
      this.#other.keep({ trace, other, begin: step, otherBegin, isOwn });
      this.#shown = `${other.id} ${layer} ${this.#threshold.value}`;
      await this.#draw(layer);
    });
    this.#run.disabled = false;
    this.#runs.mark(this.#ourStep(cursor.position.step));
  }

  /**
   * The history that was typed, and the inputs of the trace from a step on. Of a session that goes
   * on, and of long traces, a part is forked that stays as it is.
   *
   * @param {OpenTrace} trace
   * @param {number} step
   */
  async #makeHistory(trace, step) {
    const { model, described } = trace;
    const history = this.#history.steps(model);
    const tail = trace.inputs.slice(step, step + MOST_STEPS);
    const body = bodyOf(model, [...history, ...tail]);
    const other = await OpenTrace.make(model, { model: described.model, version: described.version, ...body });
    const isWhole = step + tail.length === trace.steps && described.kind !== "recorded";
    const anchor = isWhole
      ? trace
      : await OpenTrace.make(model, { trace_id: trace.id, at: trace.first + step, ...bodyOf(model, tail) });
    return { other, anchor, otherBegin: history.length, isOwn: true };
  }

  /** @param {OpenTrace} trace @param {number} step */
  async #makeFork(trace, step) {
    const { model } = trace;
    const body = bodyOf(model, this.#future.steps(model));
    const other = await OpenTrace.make(model, { trace_id: trace.id, at: trace.first + step, ...body });
    return { other, anchor: trace, otherBegin: 0, isOwn: true };
  }

  /** A trace, or one that records a session. @param {OpenTrace} trace */
  async #findTrace(trace) {
    const id = this.#id.value.trim();
    if (id === "") {
      throw new Problem({ title: say("compare.id"), detail: say("compare.no-id") });
    }
    const { traces } = await request("GET", `v1/traces?${new URLSearchParams({ session_id: id })}`);
    const other = await OpenTrace.open(trace.model, traces[0]?.trace_id ?? id);
    return { other, anchor: trace, otherBegin: 0, isOwn: false };
  }

  /** @param {number} layer */
  async #draw(layer) {
    const [{ pair }, made] = [this.#other, this.#made];
    if (pair === null || made === null) {
      this.#runs.show(null);
      this.#sentence.textContent = "";
      return;
    }
    if (made.mode === "fork") {
      await this.#drawFork(pair, layer);
    } else {
      await this.#drawComparison(pair, made.anchor, layer);
    }
  }

  /** @param {import("./other-trace.js").Pair} pair @param {OpenTrace} anchor @param {number} layer */
  async #drawComparison(pair, anchor, layer) {
    const { trace, other } = pair;
    const threshold = this.#threshold.value / 100;
    /** @type {Comparison} */
    const found = await anchor.ask("comparison", { with: other.id, layer, threshold });
    const [begin, otherBegin] = [found.from - trace.first, found.other_from - other.first];
    [pair.begin, pair.otherBegin] = [begin, otherBegin];
    const count = Math.min(found.steps, mostSteps(trace), MOST_STEPS);
    const [ours, theirs] = await Promise.all([
      readOutputs(trace, begin, count),
      readOutputs(other, otherBegin, count),
    ]);
    const start = found.distance[0] ?? 0;
    const apart = found.distance.map((value) => (value === null || start === 0 ? value : value / start));
    const name = "runs.other";
    this.#runs.show({ trace, other, begin, otherBegin, apart, isRelative: start > 0, threshold, ours, theirs, name });
    this.#sentence.textContent = [
      ...washedOut(found, apart, begin, threshold),
      ...outputsApart(found.outputs, begin),
    ].join(" ");
  }

  /** @param {import("./other-trace.js").Pair} pair @param {number} layer */
  async #drawFork({ trace, other, begin }, layer) {
    const count = Math.min(other.steps, trace.steps - begin, MOST_FORKED, mostSteps(trace));
    const [after, ours, theirs] = await Promise.all([
      statesApart(trace, begin, other, 0, count, layer),
      readOutputs(trace, begin, count),
      readOutputs(other, 0, count),
    ]);
    if (count === 0) {
      this.#runs.show(null);
      this.#sentence.textContent = say("compare.nothing-beside", { step: begin });
      return;
    }
    const apart = [0, ...after];
    const name = "runs.fork";
    this.#runs.show({ trace, other, begin, otherBegin: 0, apart, isRelative: false, ours, theirs, name });
    const most = largest(after);
    const sentence = say("compare.forked", {
      step: begin,
      count,
      most: amount(after[most] ?? 0),
      at: begin + most,
      last: amount(after[count - 1] ?? 0),
    });
    this.#sentence.textContent = [sentence, ...outputsApart(differencesOf(ours, theirs), begin)].join(" ");
  }
}

/**
 * @param {Comparison} found
 * @param {(number | null)[]} apart in parts of the first one
 * @param {number} step
 * @param {number} threshold
 */
function washedOut({ distance, steps, washed_out_at: n }, apart, step, threshold) {
  const start = distance[0];
  if (start === null) {
    return [say("compare.unknown", { step })];
  }
  if (start === 0) {
    return [say("compare.same", { step })];
  }
  const values = { step, start: amount(start), share: share(threshold), steps };
  if (n === null) {
    const last = apart[apart.length - 1];
    return [say("compare.stays", { ...values, last: last === null ? "—" : share(last) })];
  }
  const said = say("compare.washes-out", { ...values, n });
  const later = apart.slice(n);
  const most = largest(later);
  const again = later[most] ?? 0;
  return again < threshold ? [said] : [said, say("compare.again", { most: share(again), at: n + most })];
}

/** @param {(number | null)[]} differences of the outputs of each step @param {number} begin */
function outputsApart(differences, begin) {
  const most = largest(differences);
  const [count, value] = [differences.length, differences[most] ?? 0];
  if (count === 0) {
    return [];
  }
  return value === 0
    ? [say("runs.no-difference", { count })]
    : [say("runs.most-difference", { count, step: begin + most, amount: amount(value) })];
}
