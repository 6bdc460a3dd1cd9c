/** One unit of a model that does something which can be seen: found by the service, never by hand. */

import { Problem } from "../api.js";
import { byId, byIdOf } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import { decimal, markingInWords, percent, tensorInWords } from "../words.js";
import { Flow } from "./flow.js";

/** @import {Finding, OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Key} from "../texts.js" */

/**
 * A unit that holds for long, where none follows anything; `length` null: for ever.
 *
 * @typedef {object} Holding
 * @property {number} layer
 * @property {string} tensor
 * @property {number} unit
 * @property {number | null} length in steps
 */

const LEAST = 0.5;

export class FindingPanel {
  #stage;
  #panel = byId("finding");
  #flow;
  /** @type {Finding | null} */
  #finding = null;
  /** @type {Holding | null} */
  #holding = null;
  /** In which the finding was made. @type {OpenTrace | null} */
  #trace = null;
  /** What the unit's update gate does, where it has one. @type {{keeps: number, writes: number} | null} */
  #saturation = null;

  /** @param {Stage} stage */
  constructor(stage) {
    this.#stage = stage;
    this.#flow = new Flow(stage);
    byId("finding-invite").addEventListener("click", () => byIdOf("input", HTMLTextAreaElement).focus());
    stage.addEventListener("trace", () => this.#tell());
    onLanguageChange(() => this.#tell());
  }

  /** Another model, of which nothing has been found yet. */
  clear() {
    this.#finding = this.#holding = this.#trace = this.#saturation = null;
    this.#panel.hidden = true;
    this.#flow.look(null);
  }

  /**
   * Choose what there is to see in a trace.
   *
   * @param {OpenTrace} trace
   * @returns {Promise<{layer: number, gate: string, unit: number} | null>} where to look at
   */
  async consider(trace) {
    this.clear();
    this.#trace = trace;
    if (trace.described.layers.length === 0 || trace.steps === 0) {
      return null;
    }
    try {
      const chosen = best(await trace.findings());
      const holding = chosen === null ? await longest(trace) : null;
      if (this.#trace !== trace) {
        return null;
      }
      [this.#finding, this.#holding] = [chosen, holding];
    } catch (problem) {
      if (!(problem instanceof Problem)) {
        throw problem;
      }
      return null;
    }
    const found = this.#finding ?? this.#holding;
    if (found === null) {
      return null;
    }
    this.#flow.look({ ...found, marking: this.#finding?.marking ?? null });
    this.#tell();
    this.#notice(trace, found.layer, found.unit);
    return { layer: found.layer, gate: found.tensor, unit: found.unit };
  }

  /** @param {OpenTrace} trace @param {number} layer @param {number} unit */
  async #notice(trace, layer, unit) {
    let tensors;
    try {
      ({ tensors } = await trace.statistics(layer));
    } catch {
      // A layer may lack what they are made from; nothing is said then.
      return;
    }
    const { near_0: keeps, near_1: writes } = tensors["update"] ?? {};
    if (this.#trace === trace && keeps && writes) {
      this.#saturation = { keeps: keeps[unit], writes: writes[unit] };
      this.#tell();
    }
  }

  #tell() {
    const [finding, holding, trace] = [this.#finding, this.#holding, this.#trace];
    this.#panel.hidden = trace === null || (finding === null && holding === null) || this.#stage.trace === null;
    if (trace === null || this.#panel.hidden) {
      return;
    }
    byId("finding-sentence").textContent =
      finding !== null ? findingInWords(trace, finding) : holdingInWords(trace, holding);
    byId("finding-notice").textContent = [this.#otherTrace(), this.#noticeInWords()].filter(Boolean).join(say("finding.join"));
    const isText = !Array.isArray(trace.inputs[0]);
    byId("finding-invite-text").textContent = say(isText ? "finding.invite-text" : "finding.invite-values");
    byId("finding-invite").textContent = say("finding.invite");
    this.#flow.relabel();
  }

  /** What is seen below may be another input than that in which it was found. */
  #otherTrace() {
    const isOther = this.#stage.trace !== null && this.#stage.trace !== this.#trace;
    return isOther ? say("finding.other") : "";
  }

  #noticeInWords() {
    const said = [];
    const finding = this.#finding;
    if (finding !== null) {
      const [tensor, marking] = [tensorInWords(finding.tensor), markingInWords(finding.marking)];
      said.push(say(finding.found > 0 ? "finding.higher" : "finding.lower", { tensor, marking }));
      if (finding.remembered !== null) {
        said.push(say(finding.remembered ? "finding.remembered" : "finding.seen"));
      }
    }
    if (this.#saturation !== null) {
      const { keeps, writes } = this.#saturation;
      said.push(say("finding.update", { keeps: percent(keeps), writes: percent(writes) }));
    }
    return said.join(say("finding.join"));
  }
}

/**
 * What must be remembered tells more than what is in the input of each step; the service puts the
 * best confirmed first.
 *
 * @param {Finding[]} findings
 */
function best(findings) {
  return findings.find(({ remembered }) => remembered) ?? findings[0] ?? null;
}

/** The unit with the longest memory. @param {OpenTrace} trace @returns {Promise<Holding | null>} */
async function longest(trace) {
  /** @type {Holding | null} */
  let found = null;
  for (const { layer, tensors } of trace.described.layers) {
    const { memory } = await trace.statistics(layer);
    memory.length.forEach((length, unit) => {
      if (found === null || (length ?? Infinity) > (found.length ?? Infinity)) {
        found = { layer, tensor: tensors.includes("update") ? "update" : "hidden", unit, length };
      }
    });
  }
  return found;
}

/** @param {OpenTrace} trace @param {{layer: number, tensor: string, unit: number}} found */
function unitInWords(trace, { layer, tensor, unit }) {
  const key = /** @type {Key} */ (
    ["reset", "update", "candidate", "hidden"].includes(tensor) ? `finding.unit.${tensor}` : "finding.unit.hidden"
  );
  const named = say(key, { unit });
  const { layers } = trace.described;
  return layers.length > 1 ? say("finding.of-layer", { unit: named, layer }) : named;
}

/** @param {OpenTrace} trace @param {Finding} finding */
function findingInWords(trace, finding) {
  return say(finding.found > 0 ? "finding.follows" : "finding.opposes", {
    unit: unitInWords(trace, finding),
    model: trace.model.name,
    marking: markingInWords(finding.marking),
    found: decimal(finding.found, 2),
    confirmed: decimal(finding.confirmed, 2),
    where: whereInWords(trace),
  });
}

/** @param {OpenTrace} trace @param {Holding | null} holding */
function holdingInWords(trace, holding) {
  if (holding === null) {
    return "";
  }
  const { length } = holding;
  return say("finding.none", {
    model: trace.model.name,
    least: LEAST,
    unit: unitInWords(trace, { ...holding, tensor: "hidden" }),
    length: length === null ? say("finding.for-ever") : say("finding.steps", { steps: decimal(length, 1) }),
  });
}

/** @param {OpenTrace} trace */
function whereInWords({ made, inputs }) {
  if (made?.sample) {
    return say(Array.isArray(inputs[0]) ? "finding.sample-values" : "finding.sample-text");
  }
  return say("finding.trace");
}
