/** The links to the page's sections: only to those that are there, and they open what is folded. */

import { byId, element } from "./elements.js";
import { onLanguageChange, say } from "./texts.js";

/** @import {View} from "./views/view.js" */

/** Keep the links as the sections are. @param {View[]} views that have sections, and are to have links */
export function startSections(views) {
  const before = byId("nav-behind-views");
  for (const { about } of views) {
    const link = element("a", { href: `#${about.id}` });
    const name = () => (link.textContent = say(about.title));
    name();
    onLanguageChange(name);
    before.before(link);
  }
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("nav.sections a"));
  for (const link of links) {
    const section = document.getElementById(link.hash.slice(1));
    if (section === null) {
      throw new Error(`there is no section ${link.hash}`);
    }
    const follow = () => (link.hidden = section.hidden);
    follow();
    new MutationObserver(follow).observe(section, { attributeFilter: ["hidden"] });
    link.addEventListener("click", () => {
      if (section instanceof HTMLDetailsElement) {
        section.open = true;
      }
    });
  }
}
