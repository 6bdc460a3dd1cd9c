/** Which earlier inputs an output depends on, through everything that lies between. */

import { attempt, problemLine } from "./attempt.js";
import { isAtRest } from "./at-rest.js";
import { foldedTable } from "./number-table.js";
import { amount, share } from "./amounts.js";
import { InfluenceText } from "./influence-text.js";
import { firstOutput, isLikelihood, outputFigure, outputInWords, outputName } from "./named-outputs.js";
import { RunsChart } from "./runs-chart.js";
import { View } from "./view.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { inputInWords } from "../words.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

const DEPTHS = [50, 200, 1000, 2000];
const MOST_OFFERED = 8;
const MOST_COLUMNS = 24;
const LISTED = 8;
/** Of the strongest influence: what stays below it is left out of the picture. */
const FAINT = 0.01;
const FEWEST_SHOWN = 24;
/** A probability so near to its bounds hardly moves whatever its inputs. */
const SURE = 0.01;
const SMALL = 0.001;
const SEARCHED = 128;

/**
 * As the API answers it.
 *
 * @typedef {object} Sensed
 * @property {number} step
 * @property {number} output
 * @property {number} value
 * @property {number} from
 * @property {"gradient" | "perturbation"} method
 * @property {number[]} influence of the inputs of the steps from `from` on
 * @property {number[] | null} size
 * @property {boolean} reaches_start
 */

/** Another view that shows outputs may fire "why" at the stage, with `{output}` as its detail. */
export class SensitivityView extends View {
  #outputs = element("div", { className: "chips", role: "group" });
  #depth = element("select", {});
  #depthLabel = element("span", {});
  #pin = element("input", { type: "checkbox" });
  #pinLabel = element("span", {});
  #unsure = element("button", { type: "button" });
  #problem = problemLine();
  #sentence = element("p", { className: "view-sentence", role: "status" });
  #method = element("p", { className: "hint" });
  #text;
  #influence;
  #size;
  #table = element("div", {});
  /** @type {number | null} null: the one that comes first */
  #output = null;
  /** Where the likeliest is looked at, a choice counts for its step alone. */
  #chosenAt = -1;
  #pinned = 0;
  #shown = "";

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "sensitivity-view", title: "why.title", what: "why.what" });
    const point = (/** @type {number} */ step) => this.#lookAt(step);
    this.#text = new InfluenceText(point);
    this.#influence = new RunsChart(point);
    this.#size = new RunsChart(point);
    this.#depth.replaceChildren(...DEPTHS.map((depth) => new Option(String(depth), String(depth))));
    this.#depth.value = "200";
    this.#depth.addEventListener("change", () => this.#again());
    this.#pin.addEventListener("change", () => {
      this.#pinned = stage.cursor.position.step;
      this.#again();
    });
    this.#unsure.addEventListener("click", () => this.#seekUnsure());
    stage.addEventListener("why", (event) => {
      this.node.open = true;
      this.#pin.checked = false;
      this.#choose(/** @type {CustomEvent<{output: number}>} */ (event).detail.output);
    });
    this.body.append(
      this.#outputs,
      element(
        "div",
        { className: "view-controls" },
        element("label", { className: "inline-choice" }, this.#depthLabel, this.#depth),
        element("label", { className: "check" }, this.#pin, this.#pinLabel),
        this.#unsure,
      ),
      this.#problem,
      this.#sentence,
      this.#text.node,
      this.#influence.node,
      this.#size.node,
      this.#method,
      this.#table,
    );
  }

  async show() {
    this.#depthLabel.textContent = say("why.depth");
    this.#unsure.textContent = say("why.unsure");
    this.#outputs.ariaLabel = say("why.outputs");
    this.#shown = "";
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    this.#pin.checked &&= this.#pinned < trace.steps;
    const step = this.#pin.checked ? this.#pinned : position.step;
    this.#pinLabel.textContent = say("why.pin", { step });
    this.#mark(position.step);
    const key = `${trace.id} ${trace.steps} ${step} ${this.#output} ${this.#depth.value}`;
    if (key === this.#shown || !(await isAtRest(this.stage, position))) {
      return;
    }
    this.#shown = key;
    await attempt(this.#problem, () => this.#draw(trace, step));
    this.#mark(this.stage.cursor.position.step);
  }

  /** @param {number} step */
  #mark(step) {
    this.#text.mark(step);
    this.#influence.mark(step);
    this.#size.mark(step);
  }

  #again() {
    const { trace, cursor } = this.stage;
    if (trace !== null) {
      this.follow(trace, cursor.position);
    }
  }

  /** The cursor goes there, and this view stays with the output it is about. @param {number} step */
  #lookAt(step) {
    if (!this.#pin.checked) {
      this.#pinned = this.stage.cursor.position.step;
      this.#pin.checked = true;
    }
    this.stage.cursor.move({ step });
  }

  /** @param {number} output */
  #choose(output) {
    this.#output = output;
    this.#chosenAt = this.#pin.checked ? this.#pinned : this.stage.cursor.position.step;
    this.#again();
  }

  /** @param {OpenTrace} trace @param {number} step */
  async #draw(trace, step) {
    const { model } = trace;
    const likely = isLikelihood(model);
    this.#unsure.hidden = !likely;
    if (likely && this.#chosenAt !== step) {
      this.#output = null;
    }
    const row = (await trace.outputAt(step)).output;
    const output = this.#output ?? (row === null ? null : firstOutput(model, row));
    this.#offer(trace, row, output);
    /** @type {Sensed} */
    const found = await trace.ask("sensitivity", {
      step: trace.first + step,
      depth: Number(this.#depth.value),
      ...(output === null ? {} : { output }),
    });
    this.#tell(trace, step, found);
  }

  /** @param {OpenTrace} trace @param {(number | null)[] | null} row @param {number | null} chosen */
  #offer({ model }, row, chosen) {
    const likely = isLikelihood(model);
    const ranked = (row ?? []).map((value, index) => ({ index, value: value ?? 0 }));
    if (likely) {
      ranked.sort((one, other) => other.value - one.value);
    }
    const offered = ranked.slice(0, likely ? MOST_OFFERED : MOST_COLUMNS);
    const extra = ranked.find(({ index }) => index === chosen);
    if (extra !== undefined && !offered.includes(extra)) {
      offered.push(extra);
    }
    this.#outputs.replaceChildren(
      ...offered.map(({ index, value }) => {
        const name = element("span", { className: "glyph" }, outputName(model, index));
        const button = element("button", { type: "button" }, name, ` ${outputFigure(model, value)}`);
        button.ariaPressed = String(index === chosen);
        button.addEventListener("click", () => this.#choose(index));
        return button;
      }),
    );
  }

  /** @param {OpenTrace} trace @param {number} step @param {Sensed} found */
  #tell(trace, step, found) {
    const { model } = trace;
    const from = found.from - trace.first;
    const strongest = strongestOf(found.influence);
    const most = Math.abs(found.influence[strongest]);
    const what = { output: outputInWords(model, found.output), value: outputFigure(model, found.value) };
    const sentences = [say("why.output", { ...what, step })];
    if (most === 0) {
      sentences.push(say("why.nothing"));
    } else {
      const way = found.influence[strongest] > 0 ? "raises" : "lowers";
      const values = {
        input: inputNamed(trace, from + strongest, step),
        amount: amount(most),
      };
      const key = /** @type {const} */ (`why.${found.method}.${way}`);
      sentences.push(say(key, values));
      const isSure = isLikelihood(model) && (found.value > 1 - SURE || found.value < SURE) && most < SMALL;
      if (isSure) {
        sentences.push(say("why.sure"));
      }
    }
    this.#sentence.textContent = sentences.join(" ");
    const begin = firstShown(found.influence, most);
    this.#tellMethod(found, from, from + begin);
    this.#picture(trace, found, from, begin, most);
  }

  /** @param {Sensed} found @param {number} from @param {number} shown first step of the picture */
  #tellMethod(found, from, shown) {
    const said = [say(`why.method.${found.method}`)];
    if (!found.reaches_start) {
      said.push(say("why.reach", { from }));
    }
    if (shown > from) {
      said.push(say("why.left-out", { from: shown, share: share(FAINT) }));
    }
    this.#method.textContent = said.join(" ");
  }

  /** @param {OpenTrace} trace @param {Sensed} found @param {number} from @param {number} begin @param {number} most */
  #picture(trace, found, from, begin, most) {
    const influence = found.influence.slice(begin);
    const first = from + begin;
    this.#text.show(trace, first, influence, most);
    const [rises, falls] = [1, -1].map((sign) => influence.map((value) => (sign * value > 0 ? value : null)));
    this.#influence.draw(say("why.influence"), first, [
      { label: say("why.rises"), ink: "rise", bars: true, values: rises },
      { label: say("why.falls"), ink: "fall", bars: true, values: falls },
    ]);
    if (found.size === null) {
      this.#size.hide();
    } else {
      const label = say("why.size");
      this.#size.draw(label, first, [{ label, ink: "text", values: found.size.slice(begin) }]);
    }
    const order = found.influence
      .map((_, index) => index)
      .sort((one, other) => Math.abs(found.influence[other]) - Math.abs(found.influence[one]));
    const rows = order.slice(0, LISTED).map((index) => [
      `${from + index} ${inputInWords(trace.inputs[from + index])}`.trim(),
      amount(found.influence[index]),
      ...(found.size === null ? [] : [amount(found.size[index])]),
    ]);
    const heads = [say("steps.head"), say("why.influence"), ...(found.size === null ? [] : [say("why.size")])];
    this.#table.replaceChildren(foldedTable(say("why.table", { count: rows.length }), heads, rows));
  }

  /** The step nearby at which the likeliest output is the least likely. */
  async #seekUnsure() {
    const { trace, cursor } = this.stage;
    if (trace === null) {
      return;
    }
    this.#pin.checked = false;
    const begin = Math.max(0, Math.min(trace.steps - SEARCHED, cursor.position.step - SEARCHED / 2));
    const end = Math.min(trace.steps, begin + SEARCHED);
    await attempt(this.#problem, async () => {
      const { outputs } = await trace.ask("outputs", { from: trace.first + begin, to: trace.first + end });
      const sure = outputs.map((/** @type {number[] | null} */ row) => (row === null ? 2 : Math.max(...row)));
      cursor.move({ step: begin + sure.indexOf(Math.min(...sure)) });
    });
  }
}

/** @param {number[]} influence */
function strongestOf(influence) {
  return influence.reduce(
    (best, value, index) => (Math.abs(value) >= Math.abs(influence[best]) ? index : best),
    0,
  );
}

/** The first that counts for something; some are shown in any case. @param {number[]} influence @param {number} most */
function firstShown(influence, most) {
  const first = influence.findIndex((value) => Math.abs(value) >= FAINT * most && most > 0);
  return Math.max(0, Math.min(first < 0 ? influence.length : first, influence.length - FEWEST_SHOWN));
}

/** “the “e” 14 steps before”. @param {OpenTrace} trace @param {number} at @param {number} step */
function inputNamed(trace, at, step) {
  const input = inputInWords(trace.inputs[at]) || say("why.row", { at });
  const back = step - at;
  return back === 0 ? say("why.here", { input }) : say(back === 1 ? "why.one-before" : "why.before", { input, back });
}
