/** What the page's address says: a link shows the same page again. */

/** @param {string} name @returns {string | null} */
export function readAddress(name) {
  return new URLSearchParams(location.search).get(name);
}

/** @param {Record<string, string | null>} changes null takes a name out */
export function writeAddress(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) {
      query.delete(name);
    } else {
      query.set(name, value);
    }
  }
  history.replaceState(null, "", `?${query}${location.hash}`);
}
