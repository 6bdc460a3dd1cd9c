/** Numbers of any size in words. */

import { decimal } from "../words.js";

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** Three decimals as everywhere, or two digits and a power of ten of what these would hide. @param {number} value */
export function amount(value) {
  if (value === 0 || Math.abs(value) >= 0.0095) {
    return Math.abs(value) >= 1000 ? decimal(value, 0) : decimal(value);
  }
  if (Math.abs(value) >= 0.0001) {
    return decimal(value, 5);
  }
  const [digits, power] = value.toExponential(1).replace("+", "").split("e");
  const raised = [...power].map((sign) => SUPERSCRIPTS[/** @type {keyof typeof SUPERSCRIPTS} */ (sign)]);
  return `${digits.replace("-", "−")} × 10${raised.join("")}`;
}

/** A share in percent, with as many digits as it needs. @param {number} value */
export function share(value) {
  return `${Number((100 * value).toPrecision(2))} %`;
}
