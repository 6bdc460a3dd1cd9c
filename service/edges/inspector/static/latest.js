/** Questions that come faster than answers: one at a time, and of those that wait only the last. */

export class Latest {
  /** @type {(() => Promise<void>) | null} */
  #next = null;
  #isBusy = false;
  #fail;
  #node;

  /**
   * @param {(problem: unknown) => void} fail
   * @param {Element} [node] that shows the answers: it is busy until the last one is there
   */
  constructor(fail, node) {
    this.#fail = fail;
    this.#node = node;
  }

  /** What was wanted before and has not begun is wanted no longer. @param {() => Promise<void>} work */
  want(work) {
    this.#next = work;
    if (!this.#isBusy) {
      this.#work();
    }
  }

  async #work() {
    this.#tellBusy(true);
    while (this.#next !== null) {
      const work = this.#next;
      this.#next = null;
      try {
        await work();
      } catch (problem) {
        this.#fail(problem);
      }
    }
    this.#tellBusy(false);
  }

  /** @param {boolean} isBusy */
  #tellBusy(isBusy) {
    this.#isBusy = isBusy;
    if (this.#node !== undefined) {
      this.#node.ariaBusy = String(isBusy);
    }
  }
}
