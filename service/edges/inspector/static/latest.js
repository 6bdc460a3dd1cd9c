/** Questions that come faster than answers: one at a time, and of those that wait only the last. */

export class Latest {
  /** @type {(() => Promise<void>) | null} */
  #next = null;
  #isBusy = false;
  #fail;

  /** @param {(problem: unknown) => void} fail */
  constructor(fail = reportError) {
    this.#fail = fail;
  }

  /** What was wanted before and has not begun is wanted no longer. @param {() => Promise<void>} work */
  want(work) {
    this.#next = work;
    if (!this.#isBusy) {
      this.#work();
    }
  }

  async #work() {
    this.#isBusy = true;
    while (this.#next !== null) {
      const work = this.#next;
      this.#next = null;
      try {
        await work();
      } catch (problem) {
        this.#fail(problem);
      }
    }
    this.#isBusy = false;
  }
}
