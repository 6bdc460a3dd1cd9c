/** A session of somebody: opened by its id, watched while it goes on, forked and rolled out. */

import { forkSession, getSession, listSessions, Problem, receiptsOf, rollOut } from "../api.js";
import { byId, byIdOf, element } from "../elements.js";
import { onLanguageChange, say, sayIfKnown } from "../texts.js";
import { measure } from "../words.js";

/** @import {Receipts, RolledOut, SessionLife} from "../api.js" */
/** @import {Model} from "../model.js" */
/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Key} from "../texts.js" */

const MOST_LISTED = 20;
const MOST_SHOWN = 200;
const SECOND_MS = 1000;

/** Fires "open" with a session's id as its detail, and "leave". */
export class SessionPanel extends EventTarget {
  #panel = byIdOf("session-panel", HTMLDetailsElement);
  #id = byIdOf("session-id", HTMLInputElement);
  #recent = byIdOf("session-recent", HTMLSelectElement);
  #opened = byId("session-opened");
  #life = byId("session-life");
  #result = byId("session-result");
  #problem = byId("session-problem");
  #steps = byIdOf("rollout-steps", HTMLInputElement);
  /** @type {SessionLife | null} */
  #session = null;
  /** @type {Receipts} */
  #receipts = { receipts: [], writers: [] };
  /** @type {{model: Model, trace: OpenTrace} | null} */
  #watched = null;
  #tellResult = () => /** @type {Node[]} */ ([]);

  constructor() {
    super();
    byId("session-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask(this.#id.value.trim());
    });
    this.#recent.addEventListener("change", () => {
      if (this.#recent.value !== "") {
        this.#ask(this.#recent.value);
      }
    });
    byId("session-refresh").addEventListener("click", () => this.#attempt(() => this.#list()));
    byId("session-fork").addEventListener("click", () => this.#attempt(() => this.#fork()));
    byId("session-roll").addEventListener("click", () => this.#attempt(() => this.#roll()));
    byId("session-leave").addEventListener("click", () => this.dispatchEvent(new Event("leave")));
    this.#panel.addEventListener("toggle", () => {
      if (this.#panel.open) {
        this.#attempt(() => this.#list());
      }
    });
    onLanguageChange(() => this.#tell());
    setInterval(() => this.#tellLife(), SECOND_MS);
    this.#nameFirst();
  }

  /** What is recorded of a session is being shown. @param {SessionLife} session @param {Model} model @param {OpenTrace} trace */
  async watch(session, model, trace) {
    this.#panel.open = true;
    this.#id.value = session.session_id;
    this.#session = session;
    this.#watched = { model, trace };
    this.#tellResult = () => [];
    this.#problem.textContent = "";
    this.#tell();
    await this.#attempt(() => this.#look());
  }

  /** The session has gone on. */
  step() {
    this.#attempt(() => this.#look());
  }

  leave() {
    this.#session = this.#watched = null;
    this.#receipts = { receipts: [], writers: [] };
    this.#tell();
  }

  /** @param {Problem} problem */
  showProblem(problem) {
    this.#panel.open = true;
    this.#problem.replaceChildren(
      element("strong", {}, problem.title),
      element("p", { lang: "en" }, problem.message),
    );
  }

  /** @param {string} id */
  #ask(id) {
    if (id !== "") {
      this.dispatchEvent(new CustomEvent("open", { detail: id }));
    }
  }

  /** @param {() => Promise<void>} action */
  async #attempt(action) {
    try {
      await action();
    } catch (problem) {
      if (!(problem instanceof Problem)) {
        throw problem;
      }
      this.showProblem(problem);
    }
  }

  async #list() {
    const sessions = await listSessions(MOST_LISTED);
    const options = sessions.map(({ session_id: id, model, step }) => {
      return new Option(say("session.listed", { id, model, step }), id);
    });
    this.#recent.replaceChildren(...options);
    this.#nameFirst();
    this.#recent.value = "";
  }

  #nameFirst() {
    this.#recent.querySelector("[data-first]")?.remove();
    const first = new Option(say("session.choose"), "");
    first.dataset.first = "";
    this.#recent.prepend(first);
  }

  async #look() {
    const session = this.#session;
    if (session === null) {
      return;
    }
    const { session_id: id } = session;
    const [now, receipts] = await Promise.all([getSession(id), receiptsOf(id)]);
    if (this.#session?.session_id === id) {
      [this.#session, this.#receipts] = [now, receipts];
      this.#tell();
    }
  }

  async #fork() {
    if (this.#session === null) {
      return;
    }
    const { session_id: id, step } = await forkSession(this.#session.session_id);
    this.#tellResult = () => {
      const open = element("button", { type: "button" }, say("session.open-fork"));
      open.addEventListener("click", () => this.#ask(id));
      return [element("p", {}, say("session.forked", { id, step })), open];
    };
    this.#tell();
    await this.#list();
  }

  async #roll() {
    const [session, watched] = [this.#session, this.#watched];
    if (session === null || watched === null) {
      return;
    }
    const rolled = await rollOut(session.session_id, Number(this.#steps.value));
    const goesOn = rolled.step > session.step;
    this.#problem.textContent = "";
    this.#tellResult = () => [
      element("p", {}, say(goesOn ? "session.went-on" : "session.looked-ahead", { step: rolled.step })),
      ...rolledOut(watched.model, rolled),
    ];
    this.#tell();
    await this.#look();
  }

  #tell() {
    this.#opened.hidden = this.#session === null;
    this.#result.replaceChildren(...this.#tellResult());
    this.#nameFirst();
    this.#tellLife();
  }

  #tellLife() {
    const [session, watched] = [this.#session, this.#watched];
    if (session === null || watched === null) {
      return;
    }
    const { dropped_before: dropped } = watched.trace.described;
    /** @type {[Key, string][]} */
    const facts = [
      ["session.model", say("session.version", { model: session.model, version: session.version })],
      ["session.step", String(session.step)],
      ["session.recorded", say("session.recorded-steps", { steps: watched.trace.steps })],
      ["session.dropped", dropped === null ? say("session.nothing-dropped") : say("session.dropped-before", { step: dropped })],
      ["session.created", timeInWords(session.created_at)],
      ["session.expires", say("session.expires-in", { time: timeInWords(session.expires_at), left: leftInWords(session.expires_at) })],
      ["session.receipts", receiptsInWords(this.#receipts)],
      ["session.writers", writersInWords(this.#receipts)],
    ];
    this.#life.replaceChildren(
      ...facts.flatMap(([name, fact]) => [element("dt", {}, say(name)), element("dd", {}, fact)]),
    );
  }
}

/** @param {string} time */
function timeInWords(time) {
  return new Date(time).toLocaleString(document.documentElement.lang);
}

/** @param {string} time */
function leftInWords(time) {
  const seconds = Math.max(0, Math.round((Date.parse(time) - Date.now()) / SECOND_MS));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}

/** How many there are of each kind. @param {Receipts} receipts */
function receiptsInWords({ receipts }) {
  const counts = new Map();
  for (const { answer } of receipts) {
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  const said = [...counts].map(([answer, count]) =>
    say("session.receipt", { answer: sayIfKnown(`session.answer.${answer.replaceAll(" ", "-")}`, answer), count }),
  );
  return said.join(", ") || say("session.none");
}

/** @param {Receipts} receipts */
function writersInWords({ writers }) {
  const said = writers.map(({ writer, highest }) => say("session.writer", { writer, highest }));
  return said.join(", ") || say("session.none");
}

/** @param {Model} model @param {RolledOut} rolled */
function rolledOut({ output }, { text, items, labels, tokens, outputs }) {
  if (text !== undefined) {
    return [element("pre", { className: "rolled", tabIndex: 0 }, text)];
  }
  const rows = outputs?.map((row) => row.map((value, index) => measure(value, output.units?.[index] ?? "")).join(", "));
  const lines = (items ?? labels?.map((names) => names.join(", ") || "—") ?? tokens?.map(String) ?? rows ?? []).slice(0, MOST_SHOWN);
  return [element("pre", { className: "rolled", tabIndex: 0 }, lines.join("\n"))];
}
