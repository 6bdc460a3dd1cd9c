/** The way of a layer's hidden state, in its two principal components. */

import { attempt, problemLine } from "./attempt.js";
import { foldedTable } from "./number-table.js";
import { share } from "./amounts.js";
import { LayerSelect } from "./layer-select.js";
import { TrajectoryMap } from "./trajectory-map.js";
import { View } from "./view.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { decimal, inputInWords } from "../words.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

const MOST_POINTS = 2000;
const LISTED = 5;

/**
 * As the API answers it.
 *
 * @typedef {object} Projection
 * @property {number} from
 * @property {number} steps_per_point
 * @property {(number | null)[][]} points
 * @property {number[]} explained
 * @property {number} participation_ratio
 */

export class TrajectoryView extends View {
  #layers;
  #problem = problemLine();
  #sentence = element("p", { className: "view-sentence" });
  #here = element("p", { className: "hint" });
  #table = element("div", {});
  #map;
  #shown = "";
  /** @type {Projection | null} */
  #projection = null;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "trajectory-view", title: "trajectory.title", what: "trajectory.what" });
    this.#layers = new LayerSelect(stage);
    this.#map = new TrajectoryMap((step) => stage.cursor.move({ step }));
    this.#content = [
      element("div", { className: "view-controls" }, this.#layers.node),
      this.#problem,
      this.#sentence,
      this.#map.node,
      this.#here,
      this.#table,
    ];
  }

  /** @type {Node[]} */
  #content;

  async show() {
    this.#shown = "";
    this.body.replaceChildren(...this.#content);
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async follow(trace, position) {
    this.#layers.show(trace, position);
    const key = `${trace.id} ${trace.steps} ${position.layer}`;
    if (this.#shown !== key) {
      const { layer } = position;
      this.#projection = await attempt(this.#problem, () =>
        trace.ask("projection", { layer, points: MOST_POINTS }),
      );
      this.#shown = key;
      this.#tell(trace, layer);
    }
    this.#mark(trace, position.step);
  }

  /** @param {OpenTrace} trace @param {number} layer */
  #tell(trace, layer) {
    const found = this.#projection;
    this.#map.node.hidden = found === null;
    if (found === null) {
      this.#sentence.textContent = this.#here.textContent = "";
      this.#table.replaceChildren();
      return;
    }
    const [first = 0, second = 0] = found.explained;
    const sentence = say("trajectory.sentence", {
      dimensions: decimal(found.participation_ratio, 1),
      units: trace.units(layer),
      first: share(first),
      second: share(second),
    });
    const every = found.steps_per_point;
    this.#sentence.textContent = every > 1 ? `${sentence} ${say("trajectory.every", { every })}` : sentence;
    const axes = [1, 2].map((axis) => say("trajectory.axis", { axis, share: share([first, second][axis - 1]) }));
    this.#map.show(found.points, every, axes);
  }

  /** @param {OpenTrace} trace @param {number} step */
  #mark(trace, step) {
    const found = this.#projection;
    if (found === null) {
      return;
    }
    const index = Math.min(found.points.length - 1, Math.floor(step / found.steps_per_point));
    const label = (/** @type {number} */ at) => {
      const input = inputInWords(trace.inputs[at] ?? []);
      return input === "" ? say("steps.step", { step: at }) : say("steps.step-input", { step: at, input });
    };
    const [x, y] = found.points[index];
    const shown = index * found.steps_per_point;
    this.#here.textContent =
      x === null || y === null
        ? say("trajectory.nowhere", { step: shown })
        : say("trajectory.here", { step: label(shown), x: decimal(x, 2), y: decimal(y, 2) });
    this.#map.mark(index, label(shown));
    const rows = found.points.slice(Math.max(0, index - LISTED), index + LISTED + 1).map((point, place) => {
      const at = (Math.max(0, index - LISTED) + place) * found.steps_per_point;
      return [label(at), ...point.map((value) => (value === null ? "—" : decimal(value, 2)))];
    });
    const isOpen = this.#table.querySelector("details")?.open ?? false;
    const heads = ["steps.head", "trajectory.first", "trajectory.second"].map((key) => say(/** @type {any} */ (key)));
    const table = foldedTable(say("trajectory.table"), heads, rows);
    table.open = isOpen;
    this.#table.replaceChildren(table);
  }
}
