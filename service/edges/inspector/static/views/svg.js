/** Building pictures of elements. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number>} Attributes */

/**
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {...(Node|string)} children
 * @returns {SVGElement}
 */
export function drawn(tag, attributes, ...children) {
  const node = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/**
 * A line with corners and a head at its end; every piece of it runs along an axis.
 *
 * @param {[number, number][]} points
 * @param {number} [width]
 * @param {string} [className]
 */
export function arrow(points, width = 1.5, className = "wire") {
  const [[x, y], [fromX, fromY]] = [points[points.length - 1], points[points.length - 2]];
  const [right, down] = [Math.sign(x - fromX), Math.sign(y - fromY)];
  const [long, half] = [6 + width / 2, 3.5 + width / 2];
  const foot = [x - long * right, y - long * down];
  const line = [...points.slice(0, -1), foot].map((point) => point.join(",")).join(" ");
  const side = (/** @type {number} */ sign) => [foot[0] + sign * half * down, foot[1] + sign * half * right];
  const head = [[x, y], side(1), side(-1)].map((point) => point.join(",")).join(" ");
  return drawn(
    "g",
    { class: className },
    drawn("polyline", { points: line, "stroke-width": width, fill: "none" }),
    drawn("polygon", { points: head }),
  );
}

/** A circle with an operation in it. @param {number} x @param {number} y @param {string} operation */
export function operator(x, y, operation) {
  return drawn("g", { class: "operator" }, drawn("circle", { cx: x, cy: y, r: 13 }), label(x, y + 5, operation));
}

/**
 * @param {number} x
 * @param {number} y of the line it stands on
 * @param {string} text
 * @param {"start" | "middle" | "end"} [anchor]
 * @param {string} [className]
 */
export function label(x, y, text, anchor = "middle", className = "") {
  return drawn("text", { x, y, "text-anchor": anchor, class: className }, text);
}
