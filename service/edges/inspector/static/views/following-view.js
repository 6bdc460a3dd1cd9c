/** Which units follow a marking: one that is known of the inputs, or one made by hand. */

import { Problem } from "../api.js";
import { element } from "../elements.js";
import { say, sayIfKnown } from "../texts.js";
import { unitsThatFollow } from "../traces-api.js";
import { decimal, inputInWords, markingInWords, tensorInWords } from "../words.js";
import { FigureTable } from "./figure-table.js";
import { markColumn, markPattern } from "./marked-steps.js";
import { MarkingForm } from "./marking-form.js";
import { View } from "./view.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Marking} from "./marked-steps.js" */
/** @import {Wish} from "./marking-form.js" */

/** @typedef {{tensor: string, layer: number, unit: number, found: number, confirmed: number, overall: number}} Follower */
/** @typedef {{name: string, marking: Marking | null, units: Follower[], steps: number}} Found */

/** Of both correlations, by size, for a unit to be said to follow: the API's own measure. */
const LEAST = 0.5;
const COUNT = 20;

export class FollowingView extends View {
  #form = new MarkingForm(() => this.#search());
  #summary = element("p", { className: "summary", role: "status" });
  #marked = element("p", { className: "hint" });
  #table = new FigureTable(false);
  #trace = "";
  #asked = 0;
  /** @type {Found | null} */
  #found = null;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "following-view", title: "following.title", what: "following.what" });
  }

  /** @param {OpenTrace} trace */
  async show(trace) {
    this.#form.show(trace);
    if (!this.body.contains(this.#summary)) {
      this.body.replaceChildren(this.#form.node, this.#marked, this.#summary, this.#table.node);
    }
    if (this.#trace !== trace.id) {
      this.#trace = trace.id;
      this.#found = null;
      // What goes on is searched again when somebody asks for it: a session may step all the time.
      await this.#search();
    } else {
      this.#tell(trace);
    }
  }

  async #search() {
    const { trace } = this.stage;
    if (trace === null) {
      return;
    }
    const asked = (this.#asked += 1);
    this.#found = null;
    this.#table.node.hidden = true;
    this.#marked.textContent = "";
    try {
      const { name, marking } = markingOf(trace, this.#form.wish());
      if (marking !== null && isConstant(marking)) {
        this.#found = { name, marking, units: [], steps: trace.steps };
        this.#tell(trace);
        return;
      }
      this.#summary.textContent = say("following.searching");
      const { units } = await unitsThatFollow(trace.id, marking ?? name, COUNT);
      // Somebody may have asked for another one by now.
      if (asked === this.#asked) {
        this.#found = { name, marking, units, steps: trace.steps };
        this.#tell(trace);
      }
    } catch (problem) {
      if (asked === this.#asked) {
        this.#summary.textContent = messageOf(problem);
      }
    }
  }

  /** @param {OpenTrace} trace */
  #tell(trace) {
    if (this.#found === null) {
      return;
    }
    const { name, marking, units, steps } = this.#found;
    const named = markingInWords(name);
    this.#marked.textContent = marking === null ? "" : markedInWords(trace, marking);
    this.#summary.textContent = inWords(this.#found, named);
    this.#table.node.hidden = units.length === 0;
    this.#table.show({
      caption: say("following.table", { count: units.length, marking: named, steps }),
      head: say("unit.head"),
      columns: ["following.tensor", "following.layer", "following.found", "following.confirmed", "following.overall"].map(
        (key) => sayIfKnown(key, key),
      ),
      rows: units.map(({ tensor, layer, unit, found, confirmed, overall }) => ({
        name: say("unit.name", { unit }),
        cells: [tensorInWords(tensor), String(layer), ...[found, confirmed, overall].map((r) => decimal(r))],
        choose: () => this.stage.cursor.move({ gate: tensor, layer, unit }),
      })),
    });
  }
}

/** What the API knows by name is `marking` null. @param {OpenTrace} trace @param {Wish} wish @returns {{name: string, marking: Marking | null}} */
function markingOf(trace, wish) {
  if (wish.kind === "known") {
    return { name: wish.name, marking: null };
  }
  if (wish.kind === "pattern") {
    return { name: wish.pattern, marking: markPattern(trace.model, trace.inputs, wish.pattern, wish.isExpression) };
  }
  const { column, how, threshold } = wish;
  const name = trace.model.input.names[column];
  const said = how === "value" ? name : `${name} ${how === "above" ? ">" : "<"} ${threshold}`;
  return { name: said, marking: markColumn(trace.inputs, column, how, threshold) };
}

/** @param {Marking} marking */
function isConstant(marking) {
  const known = marking.filter((value) => value !== null);
  return known.every((value) => value === known[0]);
}

/** @param {OpenTrace} trace @param {Marking} marking */
function markedInWords(trace, marking) {
  if (marking.some((value) => value !== null && value !== 0 && value !== 1)) {
    return "";
  }
  const count = marking.filter((value) => value === 1).length;
  const first = marking.indexOf(1);
  const input = first < 0 ? "" : inputInWords(trace.inputs[first]);
  const counted = say("following.marked", { count, steps: marking.length });
  return first < 0 ? counted : [counted, say("following.first", { step: first, input })].join(say("list.space"));
}

/** @param {Found} found @param {string} marking its name */
function inWords({ units, marking: numbers }, marking) {
  if (numbers !== null && isConstant(numbers)) {
    return say("following.constant");
  }
  const following = units.filter(follows);
  if (units.length === 0) {
    return say("following.no-unit", { marking });
  }
  const [best] = following.length > 0 ? following : units;
  const figures = {
    marking,
    ...{ tensor: tensorInWords(best.tensor), layer: best.layer, unit: best.unit },
    ...{ found: decimal(best.found, 2), confirmed: decimal(best.confirmed, 2), overall: decimal(best.overall, 2) },
  };
  if (following.length === 0) {
    return say("following.nothing", { ...figures, least: LEAST });
  }
  return say(best.overall < 0 ? "following.best-inverse" : "following.best", {
    ...{ ...figures, least: LEAST, count: following.length, shown: units.length },
  });
}

/** On both halves, and with the same sign. @param {Follower} unit */
function follows({ found, confirmed }) {
  return found * confirmed > 0 && Math.min(Math.abs(found), Math.abs(confirmed)) >= LEAST;
}

/** @param {unknown} problem */
function messageOf(problem) {
  if (problem instanceof SyntaxError) {
    return say("following.no-expression", { detail: problem.message });
  }
  if (problem instanceof Problem) {
    return problem.message;
  }
  throw problem;
}
