/** Building the page's elements. */

/**
 * @param {string} tag
 * @param {object} properties properties of the element, such as className
 * @param {...(Node|string)} children
 */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** @param {string} id */
export function byId(id) {
  return document.getElementById(id);
}
