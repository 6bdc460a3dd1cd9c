/** A tour of the tutorial on the live model: seven stops, each where the numbers show it. */

import { readAddress, writeAddress } from "../address.js";
import { element } from "../elements.js";
import { say } from "../texts.js";
import { cellAt, whyNothing } from "./cell-numbers.js";
import { CellPicture } from "./cell-picture.js";
import { placeInWords, sumInWords } from "./cell-words.js";
import { sentences } from "./kinds-words.js";
import { knownOf, STOPS } from "./tour-stops.js";
import { View } from "./view.js";

/** @import {Position} from "../cursor.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */

const ADDRESS = "tour";

export class TourView extends View {
  #picture = new CellPicture();
  #count = element("p", { className: "hint" });
  #title = element("h3", {});
  #what = element("p", {});
  #place = element("p", { className: "hint" });
  #told = element("p", { className: "told" });
  #lacks = element("p", { className: "far" });
  #back = this.#button(() => this.#go(this.#at - 1));
  #on = this.#button(() => this.#go(this.#at + 1));
  #here = this.#button(() => this.#go(this.#at));
  #buttons = element("div", { className: "buttons" }, this.#back, this.#on, this.#here);
  #words = element(
    "div",
    { className: "tour-words" },
    this.#count,
    this.#title,
    this.#what,
    this.#lacks,
    this.#place,
    this.#told,
    this.#buttons,
  );
  /** Which stop; −1: the tour has not begun. */
  #at = stopInAddress();
  /** Where the cursor was led to the stop; from there on it is the reader's. @type {OpenTrace | null} */
  #led = null;
  #ledLayer = -1;

  /** @param {Stage} stage */
  constructor(stage) {
    super(stage, { id: "tour-view", title: "tour.title", what: "tour.what" });
    this.node.open = this.#at >= 0;
    this.#words.setAttribute("aria-live", "polite");
    this.#on.className = "primary";
    this.body.className += " tour";
    this.body.addEventListener("keydown", (event) => this.#press(event));
    this.node.addEventListener("toggle", () => this.#begin());
  }

  /** @param {OpenTrace} trace @param {Position} position */
  async show(trace, { layer }) {
    const stop = STOPS[this.#at];
    if (stop === undefined) {
      return;
    }
    this.body.replaceChildren(this.#words, this.#picture.node);
    this.#count.textContent = say("tour.count", { at: this.#at + 1, count: STOPS.length });
    this.#title.textContent = say(stop.title);
    const more = stop.more?.(trace.model.layers[layer]);
    this.#what.textContent = sentences([stop.what, ...(more ? [more] : [])].map((key) => say(key)));
    this.#back.textContent = say("tour.back");
    this.#on.textContent = say("tour.on");
    this.#here.textContent = say("tour.here");
    [this.#back.disabled, this.#on.disabled] = [this.#at === 0, this.#at === STOPS.length - 1];
    const known = await knownOf(trace, layer);
    this.#lacks.textContent = (await stop.lacks?.(known)) ?? "";
    if (this.#led !== trace || this.#ledLayer !== layer) {
      [this.#led, this.#ledLayer] = [trace, layer];
      const place = await stop.find(known);
      if (place !== null) {
        this.stage.cursor.move({ ...place, gate: stop.gate });
      }
    }
  }

  /** @param {OpenTrace} trace @param {Position} position where `show` may just have led to */
  async follow(trace, position) {
    const stop = STOPS[this.#at];
    if (stop === undefined) {
      return;
    }
    const cell = await cellAt(trace, position);
    const why = whyNothing(cell);
    this.#place.textContent = say("tour.place", { place: placeInWords(cell, trace.inputs[position.step]) });
    if (why !== "") {
      this.#told.textContent = why;
      this.#picture.clear();
      return;
    }
    this.#told.textContent = await stop.tell(cell, await knownOf(trace, position.layer));
    this.#picture.draw(cell, sumInWords(cell, trace.inputs[position.step]));
    this.#picture.highlight(stop.parts);
  }

  #begin() {
    if (this.node.open && this.#at < 0) {
      this.#go(0);
    } else if (!this.node.open) {
      writeAddress({ [ADDRESS]: null });
    } else {
      writeAddress({ [ADDRESS]: String(this.#at + 1) });
    }
  }

  /** Lead the cursor to a stop. @param {number} stop */
  #go(stop) {
    if (stop < 0 || stop >= STOPS.length) {
      return;
    }
    this.#at = stop;
    this.#led = null;
    writeAddress({ [ADDRESS]: String(stop + 1) });
    this.redraw();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const change = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (change !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.#go(this.#at + change);
    }
  }

  /** @param {() => void} press */
  #button(press) {
    const button = element("button", { type: "button" });
    button.addEventListener("click", press);
    return button;
  }
}

/** From 0; −1 where the address names none. */
function stopInAddress() {
  const stop = Number(readAddress(ADDRESS)) - 1;
  return Number.isInteger(stop) && stop in STOPS ? stop : -1;
}
