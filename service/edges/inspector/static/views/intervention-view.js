/** Set, scale or zero gates for some steps, in a copy of the trace, and see what changes. */

import { attempt, problemLine } from "./attempt.js";
import { amount } from "./amounts.js";
import { firstOutput, isLikelihood, isNextToken, outputFigure, outputName } from "./named-outputs.js";
import { NumberField } from "./number-field.js";
import { OtherTrace } from "./other-trace.js";
import { differencesOf, isAnother, largest, mostSteps, readOutputs, statesApart, TwoRuns } from "./two-runs.js";
import { unitsInWords, unitsOf } from "./unit-ranges.js";
import { View } from "./view.js";
import { element } from "../elements.js";
import { OpenTrace } from "../open-trace.js";
import { say } from "../texts.js";
import { decimal, tensorInWords } from "../words.js";

/** @import {Position} from "../cursor.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Key} from "../texts.js" */
/** @import {InterventionBody} from "../traces-api.js" */
/** @import {Row} from "./two-runs.js" */

/** Steps that are looked at, from the first that is set. */
const MOST_STEPS = 500;
const BEHIND = 100;
const SUGGESTED = 10;

/** What is done, with the gate and the value where it fixes them. */
const DEEDS = {
  hold: { gate: "update", value: 0, action: "set" },
  write: { gate: "update", value: 1, action: "set" },
  forget: { gate: "reset", value: 0, action: "set" },
  set: { action: "set" },
  scale: { action: "scale" },
};
const WHICH = ["cursor", "chosen", "all"];

/** @typedef {keyof typeof DEEDS} Deed */

export class InterventionView extends View {
  #deed = select(Object.keys(DEEDS));
  #gate = select([]);
  #value = new NumberField({ value: 0, min: -10, max: 10, step: 0.1 });
  #which = select(WHICH);
  #units = element("input", { type: "text", placeholder: "0-7, 12", autocomplete: "off" });
  #unitsLabel = element("span", {});
  #unitsField = element("label", { className: "inline-choice" }, this.#unitsLabel, this.#units);
  #from;
  #to;
  #run = element("button", { type: "submit", className: "primary" });
  #promise = element("p", { className: "hint" });
  #problem = problemLine();
  #sentence = element("p", { className: "view-sentence", role: "status" });
  #other;
  #runs;
  /** Whether the steps were chosen by hand; the cursor does not move them then. */
  #isFixed = false;
  #shown = "";
  #gates = "";
  /** @type {InterventionBody | null} */
  #made = null;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "intervention-view", title: "intervene.title", what: "intervene.what" });
    const fix = () => (this.#isFixed = true);
    this.#from = new NumberField({ value: 0, min: 0, max: 0 }, fix);
    this.#to = new NumberField({ value: 1, min: 0, max: 0 }, fix);
    this.#other = new OtherTrace(stage);
    this.#runs = new TwoRuns(stage);
    for (const { control } of [this.#deed, this.#which]) {
      control.addEventListener("change", () => this.#fold());
    }
    const controls = [this.#deed, this.#gate, this.#value, this.#which].map(({ node }) => node);
    const form = element(
      "form",
      {},
      element("div", { className: "view-controls" }, ...controls, this.#unitsField),
      element("div", { className: "view-controls" }, this.#from.node, this.#to.node, this.#run),
      this.#promise,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#intervene();
    });
    this.body.append(form, this.#problem, this.#sentence, this.#other.node, this.#runs.node);
  }

  async show() {
    this.#deed.label(say("intervene.deed"), (deed) => say(/** @type {Key} */ (`intervene.deed.${deed}`)));
    this.#which.label(say("intervene.which"), (which) => say(/** @type {Key} */ (`intervene.which.${which}`)));
    this.#value.label(say("intervene.value"));
    this.#unitsLabel.textContent = say("intervene.units");
    this.#from.label(say("intervene.from"));
    this.#to.label(say("intervene.to"));
    this.#run.textContent = say("intervene.run");
    this.#promise.textContent = say("intervene.promise");
    this.#shown = this.#gates = "";
    if (this.#other.pair === null) {
      this.#isFixed = false;
      this.#made = null;
      this.#other.keep(null);
      this.#runs.show(null);
      this.#sentence.textContent = "";
    }
    this.#other.label();
    this.#fold();
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    const { step, layer } = position;
    this.#offerGates(trace, layer);
    this.#from.within(0, trace.steps - 1);
    this.#to.within(1, trace.steps);
    if (!this.#isFixed) {
      this.#from.value = step;
      this.#to.value = Math.min(trace.steps, step + SUGGESTED);
    }
    const key = `${this.#other.pair?.other.id} ${layer}`;
    if (this.#shown !== key) {
      this.#shown = key;
      await attempt(this.#problem, () => this.#draw(layer));
    }
    this.#runs.mark(step);
  }

  /** @param {OpenTrace} trace @param {number} layer */
  #offerGates({ model, id }, layer) {
    const { gates } = model.layers[layer];
    const key = `${id} ${layer}`;
    if (this.#gates !== key) {
      this.#gates = key;
      this.#gate.offer(gates);
      this.#gate.label(say("intervene.gate"), tensorInWords);
    }
  }

  #fold() {
    const isFree = !("gate" in DEEDS[/** @type {Deed} */ (this.#deed.control.value)]);
    this.#gate.node.hidden = this.#value.node.hidden = !isFree;
    this.#unitsField.hidden = this.#which.control.value !== "chosen";
  }

  /** What was chosen. @param {OpenTrace} trace @param {Position} position @returns {InterventionBody} */
  #chosen(trace, { layer, unit }) {
    const deed = DEEDS[/** @type {Deed} */ (this.#deed.control.value)];
    const which = this.#which.control.value;
    const chosen = which === "chosen" ? unitsOf(this.#units.value, trace.units(layer)) : [unit];
    return {
      layer,
      gate: "gate" in deed ? deed.gate : this.#gate.control.value,
      value: "value" in deed ? deed.value : this.#value.value,
      action: /** @type {"set" | "scale"} */ (deed.action),
      ...(which === "all" ? {} : { units: chosen }),
      from: trace.first + this.#from.value,
      to: trace.first + Math.max(this.#to.value, this.#from.value + 1),
    };
  }

  async #intervene() {
    const { trace, cursor } = this.stage;
    if (trace === null || this.#run.disabled) {
      return;
    }
    this.#run.disabled = true;
    const { position } = cursor;
    await attempt(this.#problem, async () => {
      const made = this.#chosen(trace, position);
      const other = await OpenTrace.make(trace.model, { trace_id: trace.id, interventions: [made] });
      if (this.stage.trace !== trace) {
        return;
      }
      this.#made = made;
      const begin = (made.from ?? 0) - trace.first;
      this.#other.keep({ trace, other, begin, otherBegin: begin, isOwn: true });
      this.#shown = `${other.id} ${position.layer}`;
      await this.#draw(position.layer);
    });
    this.#run.disabled = false;
    this.#runs.mark(cursor.position.step);
  }

  /** @param {number} layer */
  async #draw(layer) {
    const [{ pair }, made] = [this.#other, this.#made];
    if (pair === null || made === null) {
      this.#runs.show(null);
      this.#sentence.textContent = "";
      return;
    }
    const { trace, other, begin } = pair;
    const length = Math.max(MOST_STEPS, (made.to ?? 0) - (made.from ?? 0) + BEHIND);
    const count = Math.min(trace.steps - begin, other.steps - begin, length, mostSteps(trace));
    const [after, ours, theirs] = await Promise.all([
      statesApart(trace, begin, other, begin, count, layer),
      readOutputs(trace, begin, count),
      readOutputs(other, begin, count),
    ]);
    const apart = [0, ...after];
    this.#runs.show({
      ...{ trace, other, begin, otherBegin: begin, apart, isRelative: false, ours, theirs },
      name: "runs.changed",
    });
    this.#sentence.textContent = [
      say("intervene.done", { deed: deedInWords(made, trace.first) }),
      this.#statesInWords(after, begin),
      ...changesInWords(trace, begin, ours, theirs),
    ].join(" ");
  }

  /** @param {(number | null)[]} after @param {number} begin */
  #statesInWords(after, begin) {
    const most = largest(after);
    const last = after.length - 1;
    return (after[most] ?? 0) === 0
      ? say("intervene.same-state", { last: begin + last })
      : say("intervene.apart", {
          count: after.length,
          most: amount(after[most] ?? 0),
          at: begin + most,
          end: amount(after[last] ?? 0),
          last: begin + last,
        });
  }
}

/** @param {InterventionBody} made @param {number} first */
function deedInWords({ layer, gate, units = null, from = 0, to = 0, action, value }, first) {
  const which =
    units === null ? say("intervene.all-units") : say("intervene.these-units", { units: unitsInWords(units) });
  return say(action === "scale" ? "intervene.scaled" : "intervene.set-to", {
    gate: tensorInWords(gate),
    value: decimal(value, Number.isInteger(value) ? 0 : 2),
    layer,
    which,
    from: from - first,
    last: to - first - 1,
  });
}

/**
 * @param {OpenTrace} trace
 * @param {number} begin
 * @param {Row[]} ours
 * @param {Row[]} theirs
 */
function changesInWords({ model }, begin, ours, theirs) {
  const differences = differencesOf(ours, theirs);
  const most = largest(differences);
  const count = ours.length;
  if (count === 0 || differences[most] === 0) {
    return [say("runs.no-difference", { count })];
  }
  const said = [say("runs.most-difference", { count, step: begin + most, amount: amount(differences[most]) })];
  if (!isLikelihood(model)) {
    return said;
  }
  const changed = ours.flatMap((row, index) => (isAnother(model, row, theirs[index]) ? [index] : []));
  if (changed.length === 0) {
    return [...said, say(isNextToken(model) ? "intervene.no-other-next" : "intervene.no-other", { count })];
  }
  const [index] = changed;
  const likeliest = (/** @type {Row} */ row) => {
    const output = firstOutput(model, row ?? []);
    return `${outputName(model, output)} (${outputFigure(model, row?.[output] ?? 0)})`;
  };
  const [before, after] = [likeliest(ours[index]), likeliest(theirs[index])];
  const values = { changed: changed.length, count, step: begin + index, before, after };
  return [...said, say(isNextToken(model) ? "intervene.other-next" : "intervene.other", values)];
}

/** A select with its label. @param {string[]} values */
function select(values) {
  const control = element("select", {});
  const label = element("span", {});
  const node = element("label", { className: "inline-choice" }, label, control);
  const offer = (/** @type {string[]} */ offered) => {
    const chosen = control.value;
    control.replaceChildren(...offered.map((value) => new Option(value, value)));
    if (offered.includes(chosen)) {
      control.value = chosen;
    }
  };
  offer(values);
  return {
    control,
    node,
    offer,
    label: (/** @type {string} */ text, /** @type {(value: string) => string} */ name) => {
      label.textContent = text;
      for (const option of control.options) {
        option.textContent = name(option.value);
      }
    },
  };
}
