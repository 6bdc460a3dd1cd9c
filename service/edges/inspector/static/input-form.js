/** Where the input is typed, and where the service's objections to it are shown. */

import { byId, element } from "./elements.js";
import { inputKindOf } from "./input-kinds.js";

/** Fires "run", "step", "play" and "reset" when the buttons are pressed. */
export class InputForm extends EventTarget {
  /** @type {import("./input-kinds.js").InputKind} */
  kind;
  #area = byId("input");
  #problem = byId("problem");
  #progress = byId("progress");

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
    for (const [id, name] of [["step", "step"], ["play", "play"], ["reset-session", "reset"]]) {
      byId(id).addEventListener("click", () => this.dispatchEvent(new Event(name)));
    }
  }

  /** Ask for the kind of input that a model takes, and give its example. */
  adapt(model) {
    this.kind = inputKindOf(model);
    byId("input-label").textContent = this.kind.label;
    byId("input-hint").textContent = this.kind.hint;
    this.#area.value = this.kind.write(model.example);
    this.#area.classList.toggle("numbers", model.input.kind === "values");
    this.clearProblem();
  }

  /** What is typed now, as time steps. */
  steps() {
    return this.kind.parse(this.#area.value);
  }

  showProgress(text) {
    this.#progress.textContent = text;
  }

  showPlaying(playing) {
    byId("play").ariaPressed = String(playing);
    byId("play").textContent = playing ? "Pause" : "Play";
  }

  /** @param {import("./api.js").Problem} problem */
  showProblem(problem) {
    const faults = problem.faults.map(({ path, message }) =>
      element("li", {}, element("code", {}, path), ` ${message}`),
    );
    const body = faults.length > 0 ? element("ul", {}, ...faults) : element("p", {}, problem.message);
    this.#problem.replaceChildren(element("strong", {}, problem.title), body);
    this.#area.ariaInvalid = "true";
  }

  clearProblem() {
    this.#problem.replaceChildren();
    this.#area.ariaInvalid = "false";
  }
}
