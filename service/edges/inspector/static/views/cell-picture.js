/** The textbook picture of a GRU cell, with the numbers of one unit at one step in it. */

import { coloursOf, entryOf, inkOn, onSchemeChange } from "../colours.js";
import { say } from "../texts.js";
import { clipped, figure, functionName, isNumber, isSet, shareOf, wholeHistory } from "./cell-numbers.js";
import { arrow, drawn, label, operator } from "./svg.js";

/** @import {CellAt} from "./cell-numbers.js" */
/** @import {Layer} from "../model.js" */
/** @import {Key} from "../texts.js" */
/** @typedef {"state" | "reset" | "candidate" | "update"} Part what can be pointed out */

const [WIDTH, TOP, HEIGHT] = [380, 14, 428];
/** Columns: the past, the gates, what is written. */
const [PAST, GATES, WRITE, END] = [46, 150, 268, 336];
/** Rows: the state, the update gate, the candidate, its activation, its sum, the input. */
const [STATE, UPDATE, CANDIDATE, ACTIVATION, SUM, INPUT] = [50, 150, 224, 286, 340, 414];
const RESET = 236;
const RADIUS = 13;
/** Of a line that carries 1, or all of a sum; what is larger looks the same. */
const MOST_WIDTH = 10;
const LEAST_WIDTH = 1;

export class CellPicture {
  node = drawn("svg", { viewBox: `0 ${TOP} ${WIDTH} ${HEIGHT}`, class: "cell-picture", role: "img" });
  /** @type {ReadonlySet<Part>} */
  #lit = new Set();
  /** @type {{cell: CellAt, words: string} | null} */
  #drawn = null;

  constructor() {
    onSchemeChange(() => this.#drawn && this.draw(this.#drawn.cell, this.#drawn.words));
  }

  /** Point some parts out; none: all are alike. @param {Part[]} parts */
  highlight(parts) {
    this.#lit = new Set(parts);
    this.#light();
  }

  /** @param {CellAt} cell of which there is a picture @param {string} words the same in words */
  draw(cell, words) {
    this.#drawn = { cell, words };
    this.node.setAttribute("aria-label", words);
    this.node.replaceChildren(...statePart(cell), ...updatePart(cell), ...candidatePart(cell), ...resetPart(cell));
    this.#light();
  }

  clear() {
    this.#drawn = null;
    this.node.removeAttribute("aria-label");
    this.node.replaceChildren();
  }

  #light() {
    this.node.classList.toggle("chosen", this.#lit.size > 0);
    for (const node of this.node.children) {
      const parts = /** @type {Part[]} */ ((node.getAttribute("data-part") ?? "").split(" "));
      node.classList.toggle("lit", parts.some((part) => this.#lit.has(part)));
    }
  }
}

/** @param {number | null | undefined} size */
function widthOf(size) {
  return LEAST_WIDTH + (MOST_WIDTH - LEAST_WIDTH) * Math.min(1, Math.abs(size ?? 0));
}

/** @param {string} parts @param {...Node} nodes */
function part(parts, ...nodes) {
  return drawn("g", { "data-part": parts }, ...nodes);
}

/**
 * A value in its colour, with its name; below them what it comes from, if there is room.
 *
 * @param {number} x of its middle
 * @param {number} y
 * @param {number} width
 * @param {Key} name
 * @param {string | null} tensor whose colours it has
 * @param {number | null | undefined} value
 * @param {{source?: string, isSet?: boolean}} [more]
 */
function box(x, y, width, name, tensor, value, { source, isSet: isForced = false } = {}) {
  const colour = tensor !== null && isNumber(value) ? colourOf(tensor, value) : null;
  const fill = colour === null ? "none" : `rgb(${colour.join(" ")})`;
  const height = source === undefined ? 44 : 58;
  const top = y - height / 2;
  const ink = drawn("g", { fill: colour === null ? "currentColor" : inkOn(colour) }, label(x, top + 17, say(name)));
  ink.append(label(x, top + 35, figure(value), "middle", "value"));
  if (source !== undefined) {
    ink.append(label(x, top + 51, source, "middle", "small"));
  }
  const frame = drawn("rect", { x: x - width / 2, y: top, width, height, rx: 8, fill });
  return drawn("g", { class: isForced ? "box forced" : "box", "data-name": name }, frame, ink);
}

/** @param {string} tensor @param {number} value */
function colourOf(tensor, value) {
  const colours = coloursOf(tensor);
  return colours.table[entryOf(value, colours)];
}

/** @param {CellAt} cell */
function statePart({ numbers }) {
  const { before, hidden, kept, written, keep } = numbers;
  const middle = (GATES + WRITE) / 2;
  return [
    part("state", box(PAST, STATE, 80, "tensor.before", "hidden", before)),
    part("state", arrow([[PAST + 40, STATE], [GATES - RADIUS, STATE]])),
    part("state update", operator(GATES, STATE, "×")),
    part(
      "state update",
      arrow([[GATES + RADIUS, STATE], [WRITE - RADIUS, STATE]], widthOf(kept), "wire kept"),
      label(middle, STATE - 14, `${say("cell.kept")} ${figure(kept)}`, "middle", "kept"),
    ),
    part("state update", operator(WRITE, STATE, "+")),
    part("state", arrow([[WRITE + RADIUS, STATE], [END - 40, STATE]]), box(END, STATE, 80, "tensor.hidden", "hidden", hidden)),
    part(
      "state update",
      arrow([[WRITE, UPDATE - RADIUS], [WRITE, STATE + RADIUS]], widthOf(written), "wire written"),
      label(WRITE + 14, STATE + 48, say("cell.written"), "start", "written"),
      label(WRITE + 14, STATE + 64, figure(written), "start", "written"),
    ),
    part(
      "update",
      arrow([[GATES, UPDATE - 29], [GATES, STATE + RADIUS]], widthOf(keep)),
      label(GATES + 12, STATE + 34, `${say("tensor.keep")} ${figure(keep)}`, "start"),
    ),
  ];
}

/** @param {CellAt} cell */
function updatePart(cell) {
  return [
    part("update", gateBox(GATES, UPDATE, cell, "update", "tensor.update")),
    part("update", arrow([[GATES + 48, UPDATE], [WRITE - RADIUS, UPDATE]], widthOf(cell.numbers.update))),
    part("update", operator(WRITE, UPDATE, "×")),
  ];
}

/** @param {number} x @param {number} y @param {CellAt} cell @param {string} gate @param {Key} name */
function gateBox(x, y, { layer, numbers }, gate, name) {
  const pre = numbers[`${gate}_pre`];
  const isForced = isSet(numbers, gate);
  const source = isNumber(pre) ? `${functionName(layer.gate_activation)}(${figure(clipped(layer, pre))})` : "";
  return box(x, y, 96, name, gate, numbers[gate], { source: isForced ? say("cell.set") : source, isSet: isForced });
}

/** @param {CellAt} cell */
function candidatePart({ layer, numbers }) {
  const { candidate, candidate_pre: pre, candidate_input: input, candidate_history: history } = numbers;
  const isForced = isSet(numbers, "candidate");
  const share = isNumber(input) && isNumber(history) ? shareOf(input, history) : null;
  const more = isForced ? { source: say("cell.set"), isSet: true } : {};
  const half = isForced ? 29 : 22;
  return [
    part("candidate update", arrow([[WRITE, CANDIDATE - half], [WRITE, UPDATE + RADIUS]])),
    part("candidate", box(WRITE, CANDIDATE, 96, "tensor.candidate", "candidate", candidate, more)),
    part(
      "candidate",
      arrow([[WRITE, ACTIVATION - 12], [WRITE, CANDIDATE + half]]),
      drawn("rect", { x: WRITE - 48, y: ACTIVATION - 12, width: 96, height: 24, rx: 12, class: "activation" }),
      label(WRITE, ACTIVATION + 5, functionName(layer.candidate_activation)),
    ),
    part(
      "candidate",
      arrow([[WRITE, SUM - RADIUS], [WRITE, ACTIVATION + 12]]),
      label(WRITE + 10, SUM - 20, isNumber(pre) ? figure(clipped(layer, pre)) : "—", "start"),
      operator(WRITE, SUM, "+"),
    ),
    part(
      "candidate",
      arrow([[WRITE, INPUT - 22], [WRITE, SUM + RADIUS]], widthOf(share)),
      box(WRITE, INPUT, 116, "cell.input", null, input),
    ),
    part(
      "candidate reset",
      arrow([[PAST, historyTop(layer)], [PAST, SUM], [WRITE - RADIUS, SUM]], widthOf(share === null ? null : 1 - share)),
      label(GATES + 10, SUM - 12, say("cell.history")),
      label(GATES + 10, SUM + 21, figure(history), "middle", "value"),
    ),
  ];
}

/** How the past comes to the candidate: U(r ⊙ h), or r ⊙ (U h + c). @param {CellAt} cell */
function resetPart(cell) {
  const { reset, before } = cell.numbers;
  if (!cell.layer.gates.includes("reset")) {
    return [part("reset", arrow([[PAST, STATE + 22], [PAST, RESET - 17]]), ...weights(RESET, "U h", RESET + 4, PAST + 46))];
  }
  const gate = gateBox(GATES, RESET, cell, "reset", "tensor.reset");
  const times = [arrow([[GATES - 48, RESET], [PAST + RADIUS, RESET]], widthOf(reset)), operator(PAST, RESET, "×"), gate];
  if (cell.layer.reset === "after") {
    return [
      part("reset", arrow([[PAST, STATE + 22], [PAST, 117]]), ...weights(134, "U h + c", 103, PAST + 8)),
      part("reset", arrow([[PAST, 151], [PAST, RESET - RADIUS]]), label(PAST + 8, 204, figure(wholeHistory(cell)), "start")),
      part("reset", ...times),
    ];
  }
  const passed = isNumber(reset) && isNumber(before) ? reset * before : null;
  return [
    part("reset", arrow([[PAST, STATE + 22], [PAST, RESET - RADIUS]]), ...times),
    part("reset", arrow([[PAST, RESET + RADIUS], [PAST, SUM - 42]]), label(PAST + 8, RESET + 42, figure(passed), "start")),
    part("reset", ...weights(SUM - 25, "U (r ⊙ h)", SUM + 24, 6)),
  ];
}

/** Where the history's line begins: behind the weights, or behind the reset gate. @param {Layer} layer */
function historyTop({ gates, reset }) {
  if (!gates.includes("reset")) {
    return RESET + 17;
  }
  return reset === "after" ? RESET + RADIUS : SUM - 8;
}

/**
 * What mixes all units of the layer, and a word on that.
 *
 * @param {number} y
 * @param {string} name
 * @param {number} wordY
 * @param {number} wordX
 */
function weights(y, name, wordY, wordX) {
  return [
    drawn("rect", { x: PAST - 40, y: y - 17, width: 80, height: 34, rx: 4, class: "weights" }),
    label(PAST, y + 5, name),
    label(wordX, wordY, say("cell.all-units"), "start", "small"),
  ];
}
