/** The stops of the tour: where each thing is seen in a layer, and what the numbers there say. */

import { say } from "../texts.js";
import { decimal, markingInWords, percent } from "../words.js";
import { figure, functionName, inBrackets, isNumber, isSet, wholeHistory } from "./cell-numbers.js";
import { sentences, stepsInWords } from "./kinds-words.js";
import { bestPlace, droppedPlace, oldestPlace, ranked, SHUT } from "./places.js";
import * as kinds from "./unit-kinds.js";

/** @import {OpenTrace, Statistics} from "../open-trace.js" */
/** @import {Layer} from "../model.js" */
/** @import {Key} from "../texts.js" */
/** @import {CellAt} from "./cell-numbers.js" */
/** @import {Part} from "./cell-picture.js" */
/** @import {Place} from "./places.js" */

/** Above it a gate counts as open. */
const OPEN = 0.9;

/** @typedef {{following: kinds.Following, short: kinds.ShortUnit[], long: kinds.LongUnit[]}} Kinds */

/**
 * What is known of a layer.
 *
 * @typedef {object} Known
 * @property {OpenTrace} trace
 * @property {number} layer
 * @property {Statistics} statistics
 * @property {() => Promise<Kinds>} kinds asked for where a stop needs them: it takes a while
 */

/**
 * @typedef {object} Stop
 * @property {Key} title
 * @property {Key} what of GRUs in general
 * @property {(layer: Layer) => Key} [more] of this layer
 * @property {string} gate
 * @property {Part[]} parts of the picture
 * @property {(known: Known) => Promise<Place | null>} find
 * @property {(cell: CellAt, known: Known) => string | Promise<string>} tell what the numbers of the cell at the cursor say
 * @property {(known: Known) => string | Promise<string>} [lacks] what this layer has none of; empty: it has it
 */

/** @param {OpenTrace} trace @param {number} layer @returns {Promise<Known>} */
export async function knownOf(trace, layer) {
  const statistics = await trace.statistics(layer);
  return { trace, layer, statistics, kinds: () => kindsOf(trace, layer, statistics) };
}

/** @param {OpenTrace} trace @param {number} layer @param {Statistics} statistics @returns {Promise<Kinds>} */
async function kindsOf(trace, layer, statistics) {
  const following = await kinds.followingOf(trace, layer);
  const short = kinds.shortUnits(statistics, following, kinds.isSearched(trace));
  return { following, short, long: kinds.longUnits(statistics, following) };
}

/** @type {Stop[]} */
export const STOPS = [
  {
    title: "tour.state",
    what: "tour.state.what",
    gate: "hidden",
    parts: ["state"],
    find: ({ trace, layer, statistics }) =>
      bestPlace(
        trace,
        layer,
        ranked(statistics.tensors.hidden.std),
        ["update", "candidate", "hidden"],
        // Much is carried on, and something is added that can be seen.
        ({ update, candidate, before }) => Math.min(Math.abs((1 - update) * before), 5 * Math.abs(update * candidate)),
      ),
    tell: ({ numbers }) =>
      say("tour.state.tell", {
        before: figure(numbers.before),
        kept: figure(numbers.kept),
        written: figure(numbers.written),
        hidden: figure(numbers.hidden),
      }),
  },
  {
    title: "tour.reset",
    what: "tour.reset.what",
    more: ({ reset }) => (reset === "after" ? "tour.reset.after" : "tour.reset.before"),
    gate: "reset",
    parts: ["reset"],
    find: ({ trace, layer, statistics }) => droppedPlace(trace, layer, ranked(statistics.reset.impact)),
    tell: tellReset,
    lacks: ({ statistics }) => {
      const { unit, value } = smallest(statistics.tensors.reset.min);
      return value < SHUT ? "" : say("tour.reset.lacks", { least: SHUT, unit, value: decimal(value) });
    },
  },
  {
    title: "tour.candidate",
    what: "tour.candidate.what",
    gate: "candidate",
    parts: ["candidate"],
    find: ({ trace, layer, statistics }) =>
      bestPlace(
        trace,
        layer,
        ranked(statistics.tensors.candidate.std),
        ["candidate_input", "candidate_history"],
        // Both have a say, and neither drives the activation to its end.
        ({ candidate_input: input, candidate_history: history }) =>
          Math.min(Math.abs(input), Math.abs(history)) - Math.abs(input + history) / 2,
      ),
    tell: tellCandidate,
  },
  {
    title: "tour.update",
    what: "tour.update.what",
    gate: "update",
    parts: ["update"],
    find: ({ trace, layer, statistics }) =>
      bestPlace(
        trace,
        layer,
        ranked(statistics.tensors.update.std),
        ["update", "candidate", "hidden"],
        // The old and the new differ, and each has a part.
        ({ update, candidate, before }) => Math.min(update, 1 - update) * Math.abs(candidate - before),
      ),
    tell: ({ numbers }) =>
      say("tour.update.tell", {
        update: figure(numbers.update),
        candidate: inBrackets(Number(numbers.candidate)),
        written: figure(numbers.written),
        keep: figure(numbers.keep),
        before: inBrackets(Number(numbers.before)),
        kept: figure(numbers.kept),
      }),
  },
  {
    title: "tour.writes",
    what: "tour.writes.what",
    gate: "update",
    parts: ["update", "state"],
    find: findWriting,
    tell: ({ numbers }) =>
      say("tour.writes.tell", {
        update: figure(numbers.update),
        before: figure(numbers.before),
        kept: figure(numbers.kept),
        written: figure(numbers.written),
        candidate: figure(numbers.candidate),
        hidden: figure(numbers.hidden),
      }),
    lacks: ({ statistics }) => {
      const { unit, value } = largest(statistics.tensors.update.max);
      return value > OPEN ? "" : say("tour.writes.lacks", { most: OPEN, unit, value: decimal(value) });
    },
  },
  {
    title: "tour.short",
    what: "tour.short.what",
    gate: "reset",
    parts: ["reset", "candidate"],
    find: async ({ trace, layer, statistics, kinds: find }) =>
      droppedPlace(trace, layer, [(await find()).short[0]?.unit ?? ranked(statistics.reset.impact)[0] ?? 0]),
    tell: tellShort,
    lacks: async ({ kinds: find }) =>
      (await find()).short.length > 0 ? "" : say("tour.short.lacks", { deviation: kinds.LEAST_DEVIATION, steps: kinds.SHORT_MEMORY }),
  },
  {
    title: "tour.long",
    what: "tour.long.what",
    gate: "hidden",
    parts: ["update", "state"],
    find: findLong,
    tell: tellLong,
    lacks: async ({ statistics, kinds: find }) => {
      const { unit, value } = largest(statistics.tensors.update.near_0 ?? []);
      const bounds = { share: percent(kinds.LEAST_NEAR_0), deviation: kinds.LEAST_DEVIATION };
      return (await find()).long.length > 0 ? "" : say("tour.long.lacks", { ...bounds, unit, value: percent(value) });
    },
  },
];

/** @param {CellAt} cell */
function tellReset(cell) {
  const { reset, before, candidate_history: history } = cell.numbers;
  const whole = wholeHistory(cell);
  if (whole !== null) {
    return say("tour.reset.tell-after", { reset: figure(reset), whole: figure(whole), history: figure(history) });
  }
  if (cell.layer.reset === "after" || !isNumber(reset) || !isNumber(before)) {
    return say("tour.reset.tell-none", { reset: figure(reset), history: figure(history) });
  }
  const passed = reset * before;
  return say("tour.reset.tell-before", { reset: figure(reset), before: figure(before), passed: figure(passed) });
}

/** @param {CellAt} cell */
function tellCandidate({ layer, numbers }) {
  const values = {
    input: figure(numbers.candidate_input),
    history: figure(numbers.candidate_history),
    sum: figure(numbers.candidate_pre),
    activation: functionName(layer.candidate_activation),
    candidate: figure(numbers.candidate),
  };
  return say(isSet(numbers, "candidate") ? "tour.candidate.tell-set" : "tour.candidate.tell", values);
}

/** @param {CellAt} cell @param {Known} known */
async function tellShort({ unit, numbers }, { statistics, kinds: find }) {
  const said = say("tour.short.tell", {
    unit,
    reset: figure(numbers.reset),
    share: percent(statistics.tensors.reset.near_0?.[unit] ?? 0),
    impact: figure(statistics.reset.impact[unit]),
    memory: stepsInWords(statistics.memory.length[unit]),
  });
  return sentences([said, ...follows("tour.short.follows", kinds.shortTerm((await find()).following, unit))]);
}

/** @param {CellAt} cell @param {Known} known */
async function tellLong({ unit, step, numbers }, { trace, layer, statistics, kinds: find }) {
  const said = say("tour.long.tell", {
    unit,
    update: figure(numbers.update),
    kept: figure(numbers.kept),
    before: figure(numbers.before),
    share: percent(statistics.tensors.update.near_0?.[unit] ?? 0),
  });
  const [age] = trace.tensors(layer).includes("age") ? (await trace.window("age", layer, [unit], step, step + 1, 1)).low : [];
  const aged = isNumber(age) ? [say("tour.long.age", { age: decimal(age, 1) })] : [];
  const followed = kinds.heldLong((await find()).following, unit);
  return sentences([said, ...aged, ...follows("tour.long.follows", followed)]);
}

/** A sentence, where there is one. @param {Key} key @param {kinds.Followed | null} followed */
function follows(key, followed) {
  if (!kinds.isNamed(followed)) {
    return [];
  }
  const { marking, found, confirmed } = followed;
  const figures = { found: decimal(found, 2), confirmed: decimal(confirmed, 2) };
  return [say(key, { marking: markingInWords(marking), ...figures })];
}

/** Where an open update gate changes its unit most; else where the gate is most open. @param {Known} known */
async function findWriting({ trace, layer, statistics }) {
  const { max, peak } = statistics.tensors.update;
  const found = await bestPlace(trace, layer, ranked(max), ["update", "candidate", "hidden"], ({ update, candidate, before }) =>
    update > OPEN ? Math.abs(update * (candidate - before)) : NaN,
  );
  const { unit } = largest(max);
  return found ?? { unit, step: peak[unit] - trace.first };
}

/** @param {Known} known */
async function findLong({ trace, layer, statistics, kinds: find }) {
  const unit = (await find()).long[0]?.unit ?? ranked(statistics.tensors.update.near_0 ?? [])[0] ?? 0;
  const keeps = (/** @type {Record<string, number>} */ { update, before }) => (1 - update) * Math.abs(before);
  return (await oldestPlace(trace, layer, unit)) ?? bestPlace(trace, layer, [unit], ["update", "hidden"], keeps);
}

/** @param {number[]} values */
function largest(values) {
  const unit = ranked(values)[0] ?? 0;
  return { unit, value: values[unit] ?? NaN };
}

/** @param {number[]} values */
function smallest(values) {
  const { unit, value } = largest(values.map((one) => -one));
  return { unit, value: -value };
}
