/** Where the input is typed, and where the service's objections to it are shown. */

import { byId, byIdOf, element } from "../elements.js";
import { inputKindOf } from "./kinds.js";
import { indicesOf } from "./places.js";
import { farValues } from "./far-values.js";
import { onLanguageChange, say } from "../texts.js";
import { isTraced } from "../whole-sequence.js";
import { measure } from "../words.js";

/** @import {Fault, Problem} from "../api.js" */
/** @import {InputKind} from "./kinds.js" */
/** @import {Place} from "./places.js" */
/** @import {Model} from "../model.js" */
/** @typedef {import("../texts.js").Key} Key */

const MOST_HINTS = 3;
const MOST_FAULTS = 50;

/** Fires "run", "step", "play" and "reset" when the buttons are pressed. */
export class InputForm extends EventTarget {
  /** @type {InputKind | null} */
  #kind = null;
  /** @type {Model | null} */
  #model = null;
  #area = byIdOf("input", HTMLTextAreaElement);
  #problem = byId("problem");
  #far = byId("far");
  #progress = byId("progress");
  #play = byId("play");
  /** What can be said again, in another language. */
  #tellProgress = () => "";
  /** @type {(() => void) | null} */
  #tellProblem = null;
  #playing = false;
  /** What was sent: the places of faults are those of it. */
  #sent = "";
  #fed = 0;

  constructor() {
    super();
    byId("input-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.dispatchEvent(new Event("run"));
    });
    this.#area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.dispatchEvent(new Event("run"));
      }
    });
    this.#area.addEventListener("input", () => this.#hintAtFarValues());
    for (const [id, name] of [["step", "step"], ["play", "play"], ["reset-session", "reset"]]) {
      byId(id).addEventListener("click", () => this.dispatchEvent(new Event(name)));
    }
    onLanguageChange(() => this.#relabel());
  }

  /** Of the model that the form was adapted to. */
  get kind() {
    if (this.#kind === null) {
      throw new Error("no model has been chosen");
    }
    return this.#kind;
  }

  /** Ask for the kind of input that a model takes, and give its example. @param {Model} model */
  adapt(model) {
    this.#model = model;
    this.#kind = inputKindOf(model);
    this.#area.value = this.#kind.write(model.example);
    this.#area.classList.toggle("numbers", model.input.kind === "values");
    this.clearProblem();
    this.#relabel();
  }

  /** What is typed now, as time steps. */
  steps() {
    this.#sent = this.#area.value;
    return this.kind.parse(this.#sent);
  }

  /** @param {Key | null} key @param {Record<string, string | number>} [values] */
  showProgress(key, values) {
    this.#tellProgress = () => (key === null ? "" : say(key, values));
    this.#progress.textContent = this.#tellProgress();
  }

  /** @param {boolean} playing */
  showPlaying(playing) {
    this.#playing = playing;
    this.#play.ariaPressed = String(playing);
    this.#play.textContent = say(playing ? "input.pause" : "input.play");
  }

  /**
   * All that is wrong, each with where it was typed; the first is selected.
   *
   * @param {Problem} problem
   * @param {number} [fed] steps before those that were sent
   */
  showProblem(problem, fed = 0) {
    this.#fed = fed;
    this.#tellProblem = () => {
      const faults = problem.faults.map((fault) => this.#faultItem(fault));
      faults.push(...this.#plainItems(problem.faults));
      const body = faults.length > 0 ? element("ul", {}, ...faults) : element("p", { lang: "en" }, problem.message);
      this.#problem.replaceChildren(element("strong", {}, problem.title), body);
    };
    this.#tellProblem();
    this.#area.ariaInvalid = "true";
    const first = problem.faults.map((fault) => this.#placeOf(fault)).find((place) => place !== null);
    if (first !== undefined) {
      this.#select(first);
    }
  }

  clearProblem() {
    this.#tellProblem = null;
    this.#problem.replaceChildren();
    this.#area.ariaInvalid = "false";
  }

  /** What is wrong besides what the service named. @param {Fault[]} named */
  #plainItems(named) {
    if (named.length === 0) {
      return [];
    }
    const places = new Set(named.map((fault) => this.#placeOf(fault)?.start));
    const plain = this.kind.check?.(this.#sent).filter(({ place }) => !places.has(place.start)) ?? [];
    const items = plain.slice(0, MOST_FAULTS).map(({ place, message }) =>
      element("li", {}, this.#placeButton(place), " ", message),
    );
    const count = plain.length - items.length;
    return count > 0 ? [...items, element("li", {}, say("fault.more", { count }))] : items;
  }

  /** @param {Fault} fault */
  #faultItem(fault) {
    const place = this.#placeOf(fault);
    const message = element("span", { lang: "en" }, fault.message);
    if (place !== null) {
      return element("li", {}, this.#placeButton(place), " ", message);
    }
    // What is wrong with all of the input needs no place.
    const isWhole = indicesOf(fault.path) !== null;
    return element("li", {}, ...(isWhole ? [] : [element("code", {}, fault.path), " "]), message);
  }

  /** @param {Place} place */
  #placeButton(place) {
    const name = say("place.named", { place: this.#placeInWords(place) });
    const button = element("button", { type: "button", className: "place" }, name);
    button.addEventListener("click", () => this.#select(place));
    return button;
  }

  /** @param {Place} place */
  #placeInWords({ line, column, whole = false }) {
    return say(whole ? "place.line" : this.kind.place, { line, column });
  }

  /** @param {Fault} fault */
  #placeOf({ path }) {
    const indices = indicesOf(path);
    const isSequence = this.#model !== null && !isTraced(this.#model);
    const [step, part] = indices?.slice(isSequence ? this.kind.depth : 0) ?? [];
    return step === undefined ? null : this.kind.locate(this.#sent, this.#fed + step, part);
  }

  /** @param {Place} place */
  #select({ start, end }) {
    if (this.#area.value === this.#sent) {
      this.#area.focus();
      this.#area.setSelectionRange(start, end);
    }
  }

  #hintAtFarValues() {
    const [model, source] = [this.#model, this.#area.value];
    if (model === null || this.#kind === null) {
      return;
    }
    const far = farValues(model, this.#kind.parse(source));
    const lines = far.slice(0, MOST_HINTS).map(({ step, part, value, low, high }) => {
      const place = this.kind.locate(source, step, part);
      const unit = model.input.units[part];
      return say("input.far", {
        place: place === null ? "" : this.#placeInWords(place),
        name: model.input.names[part],
        value: measure(value, unit),
        low: measure(low, unit),
        high: measure(high, unit),
      });
    });
    const count = far.length - lines.length;
    const more = count > 0 ? [say("input.far-more", { count })] : [];
    this.#far.replaceChildren(...[...lines, ...more].map((line) => element("p", {}, line)));
  }

  #relabel() {
    if (this.#kind !== null) {
      byId("input-label").textContent = say(this.#kind.label);
      byId("input-hint").textContent = this.#kind.hint();
    }
    this.#progress.textContent = this.#tellProgress();
    this.showPlaying(this.#playing);
    this.#tellProblem?.();
    this.#hintAtFarValues();
  }
}
