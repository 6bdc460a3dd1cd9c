/** The page's language, and its texts in it. No other module has words of its own. */

import { readAddress, writeAddress } from "./address.js";
import en from "./texts/en.js";
import zh from "./texts/zh.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {Record<Key, string>} Texts */
/** @typedef {"en" | "zh"} Language */

const LANGUAGES = { en, zh };
const NAMES = { en: "English", zh: "中文" };
/** For `lang`, so that screen readers and fonts choose the right script. */
const TAGS = { en: "en", zh: "zh-Hans" };
const KEPT = "gatewise.language";

const changes = new EventTarget();
/** @type {Language} */
let language = chosen();

/**
 * @param {Key} key
 * @param {Record<string, string | number>} [values] what is filled in
 */
export function say(key, values = {}) {
  return LANGUAGES[language][key].replaceAll(/\{(\w+)\}/g, (_, /** @type {string} */ name) => {
    if (!(name in values)) {
      throw new Error(`"${key}" needs a value for {${name}}`);
    }
    return String(values[name]);
  });
}

/**
 * A text whose key has a part that data decide, such as a gate's name.
 *
 * @param {string} key
 * @param {string} otherwise where there is no such text
 */
export function sayIfKnown(key, otherwise) {
  return key in en ? say(/** @type {Key} */ (key)) : otherwise;
}

/** @param {() => void} listener called after the language has changed */
export function onLanguageChange(listener) {
  changes.addEventListener("change", listener);
}

/**
 * Fill every element that names its text, and have the select choose the language.
 * `data-text` is an element's text, `data-label` its accessible name, `data-title` its tooltip.
 */
export function startTexts() {
  fill();
  const select = /** @type {HTMLSelectElement} */ (document.getElementById("language"));
  for (const [value, name] of Object.entries(NAMES)) {
    const option = new Option(name, value);
    option.lang = TAGS[/** @type {Language} */ (value)];
    select.append(option);
  }
  select.value = language;
  select.addEventListener("change", () => {
    language = /** @type {Language} */ (select.value);
    writeAddress({ lang: language });
    keep(language);
    fill();
    changes.dispatchEvent(new Event("change"));
  });
}

function fill() {
  document.documentElement.lang = TAGS[language];
  document.title = say(/** @type {Key} */ (document.documentElement.dataset.title ?? "title"));
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = say(/** @type {Key} */ (/** @type {HTMLElement} */ (node).dataset.text));
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.ariaLabel = say(/** @type {Key} */ (/** @type {HTMLElement} */ (node).dataset.label));
  }
}

/**
 * The address decides, then what was chosen before, then the browser.
 *
 * @returns {Language}
 */
function chosen() {
  const wishes = [readAddress("lang"), kept(), ...navigator.languages];
  const known = wishes.map((wish) => wish?.slice(0, 2).toLowerCase()).filter((wish) => wish && wish in LANGUAGES);
  return /** @type {Language} */ (known[0] ?? "en");
}

/** A browser may refuse to keep anything. */
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** @param {Language} value */
function keep(value) {
  try {
    localStorage.setItem(KEPT, value);
  } catch {
    // The address still has it.
  }
}
