/** The links to the page's sections: only to those that are there, and they open what is folded. */

/** Keep the links as the sections are. */
export function startSections() {
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
