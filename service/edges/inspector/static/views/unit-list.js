/** A bar for each unit, one below the other. Only the rows that can be seen are in the document. */

import { element } from "../elements.js";
import { directionOf } from "./drawing.js";

/** @typedef {{unit: number, name: string, share: number, figure: string, open: boolean}} UnitBar */

const ROW = 24;
const BEYOND = 4;

let lists = 0;

export class UnitList {
  #choose;
  /** @type {UnitBar[]} */
  #bars = [];
  /** @type {Map<number, number>} */
  #places = new Map();
  #unit = -1;
  #id = `unit-list-${(lists += 1)}`;
  #room = element("div", { role: "presentation" });
  node = element("div", { className: "unit-list", tabIndex: 0, role: "listbox" }, this.#room);

  /** @param {(unit: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.node.addEventListener("scroll", () => this.#draw());
    this.node.addEventListener("keydown", (event) => this.#press(event));
    new ResizeObserver(() => this.#draw()).observe(this.node);
    this.node.addEventListener("click", ({ target }) => {
      const row = target instanceof Element ? target.closest("[data-unit]") : null;
      if (row instanceof HTMLElement) {
        choose(Number(row.dataset.unit));
      }
    });
  }

  /** @param {string} label @param {UnitBar[]} bars from top to bottom */
  show(label, bars) {
    this.node.ariaLabel = label;
    this.#bars = bars;
    this.#places = new Map(bars.map(({ unit }, place) => [unit, place]));
    this.#room.style.height = `${ROW * bars.length}px`;
    this.#draw();
  }

  /** @param {number} unit */
  mark(unit) {
    if (this.#unit === unit) {
      return;
    }
    const place = this.#places.get(unit);
    if (place !== undefined) {
      const { scrollTop, clientHeight } = this.node;
      if (ROW * place < scrollTop || ROW * (place + 1) > scrollTop + clientHeight) {
        this.node.scrollTop = ROW * place - clientHeight / 2;
      }
    }
    this.#unit = unit;
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.node;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#bars.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    const rows = this.#bars.slice(first, last).map((bar, index) => this.#row(bar, first + index));
    this.#room.replaceChildren(...rows);
    const isDrawn = rows.some((row) => row.ariaSelected === "true");
    if (isDrawn) {
      this.node.setAttribute("aria-activedescendant", `${this.#id}-${this.#unit}`);
    } else {
      this.node.removeAttribute("aria-activedescendant");
    }
  }

  /** @param {UnitBar} bar @param {number} place */
  #row({ unit, name, share, figure, open }, place) {
    const filled = element("span", { className: open ? "bar open" : "bar" });
    filled.style.setProperty("--share", String(share));
    const row = element(
      "div",
      { className: "unit-bar", role: "option", id: `${this.#id}-${unit}`, ariaSelected: String(unit === this.#unit) },
      element("span", {}, name),
      element("span", { className: "rail" }, filled),
      element("span", { className: "number" }, figure),
    );
    row.dataset.unit = String(unit);
    row.ariaPosInSet = String(place + 1);
    row.ariaSetSize = String(this.#bars.length);
    row.style.top = `${ROW * place}px`;
    return row;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const direction = this.#bars.length === 0 ? null : directionOf(event);
    if (direction === null) {
      return;
    }
    const last = this.#bars.length - 1;
    const place = this.#places.get(this.#unit) ?? 0;
    const moved = place + (direction === "ArrowUp" || direction === "ArrowLeft" ? -1 : 1);
    const wanted = direction === "Home" ? 0 : direction === "End" ? last : moved;
    this.#choose(this.#bars[Math.max(0, Math.min(last, wanted))].unit);
  }
}
