/** Colour tables of 256 entries, and the one rule that picks from them. */

/** cividis, even in lightness and the same to colour-blind eyes (Nuñez et al. 2018, CC0). */
const CIVIDIS =
  "00224d00234f00235000245200255400265500265700275900285b00285c00295e002a60002a62002b64" +
  "002c66002c67002d69002e6b002f6d002f6f0030700030700031700031700432700833700b33700e3470" +
  "11356f14366f16366f18376f1a386f1c386e1d396e1f3a6e213b6e223b6e243c6e253d6d273d6d283e6d" +
  "2a3f6d2b3f6d2c406d2e416c2f426c30426c31436c32446c34446c35456c36466c37466c38476c39486c" +
  "3a486b3b496b3d4a6b3e4b6b3f4b6b404c6b414d6b424d6b434e6b444f6b454f6b46506b47516b48516b" +
  "49526b4a536b4b546c4c546c4d556c4e566c4e566c4f576c50586c51586c52596c535a6c545a6c555b6d" +
  "565c6d575d6d585d6d595e6d595f6d5a5f6d5b606e5c616e5d616e5e626e5f636e60646e61646f61656f" +
  "62666f63666f64676f656870666970676970686a70686b71696b716a6c716b6d716c6d726d6e726e6f72" +
  "6e70736f7073707173717273727374737374747475747575757575767676777776787876797877797977" +
  "7a7a777b7b777c7b787d7c787e7d787f7d78807e78817f78828078838078848178858278858378868378" +
  "8784788885788986788a86788b87788c88788d89788e89788f8a77908b77918c77928c77938d77948e77" +
  "958f77968f779790769891769992769a93769b93769c94769d95759e96759f9675a09775a19874a29974" +
  "a39a74a49a74a59b73a69c73a79d73a89e73a99e72aa9f72aba072aca171ada271aea271afa370b0a470" +
  "b1a570b2a66fb3a66fb4a76fb5a86eb6a96eb7aa6db8ab6db9ab6dbaac6cbbad6cbcae6bbdaf6bbeb06a" +
  "bfb06ac1b169c2b269c3b368c4b468c5b567c6b567c7b666c8b765c9b865cab964cbba64ccbb63cdbc62" +
  "cebc62cfbd61d0be60d2bf60d3c05fd4c15ed5c25ed6c35dd7c35cd8c45bd9c55adac65adbc759dcc858" +
  "dec957dfca56e0cb55e1cc54e2cc53e3cd52e4ce51e5cf50e6d04fe8d14ee9d24dead34cebd44becd54a" +
  "edd648eed747efd846f1d944f2da43f3da42f4db40f5dc3ff6dd3df8de3bf9df3afae038fbe136fde234" +
  "fde333fde534fde636fde737";

/** Blue below zero, orange above; zero takes the colour of the page, so that it recedes. */
const DIVERGING_STOPS = {
  light: ["0b3c78", "5b9bd5", "f4f4f1", "e08f5c", "8f2f0c"],
  dark: ["a9d4ff", "2f6fb3", "14181f", "b5532a", "ffc49b"],
};

/**
 * @typedef {object} Colours
 * @property {Colour[]} table of 256
 * @property {number} low value of the first entry
 * @property {number} high value of the last entry
 */

/** @typedef {[number, number, number]} Colour red, green, blue */

/** @type {Colours} for reset and update */
const GATE_COLOURS = { table: parse(CIVIDIS), low: 0, high: 1 };
const DIVERGING = {
  light: blend(parse(DIVERGING_STOPS.light.join(""))),
  dark: blend(parse(DIVERGING_STOPS.dark.join(""))),
};
/** Standard deviations at the ends of the table. */
const MOST_DEVIATIONS = 3;

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

/** @param {() => void} redraw called when the colour scheme changes */
export function onSchemeChange(redraw) {
  darkScheme.addEventListener("change", redraw);
}

/**
 * @param {string} gate or the hidden state
 * @param {boolean} [standardised] whether the values are z-scores
 * @returns {Colours}
 */
export function coloursOf(gate, standardised = false) {
  const table = DIVERGING[darkScheme.matches ? "dark" : "light"];
  if (standardised) {
    return { table, low: -MOST_DEVIATIONS, high: MOST_DEVIATIONS };
  }
  return gate === "reset" || gate === "update" ? GATE_COLOURS : { table, low: -1, high: 1 };
}

/**
 * The entry of a value: 256 equal parts of [low, high], what lies outside at the ends.
 *
 * @param {number} value
 * @param {Colours} colours
 */
export function entryOf(value, { low, high }) {
  return Math.max(0, Math.min(255, Math.floor((256 * (value - low)) / (high - low))));
}

/**
 * The table as pixels of ImageData seen as 32-bit words, which are little-endian wherever browsers run.
 *
 * @param {Colours} colours
 */
export function pixelsOf({ table }) {
  return Uint32Array.from(table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
}

/**
 * Black or white, whichever has more contrast to a colour (WCAG 2.2): never less than 4.5.
 *
 * @param {Colour} colour
 */
export function inkOn(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return luminance > 0.179 ? "#000" : "#fff";
}

/** @param {string} hex @returns {Colour[]} */
function parse(hex) {
  const part = (/** @type {number} */ at) => parseInt(hex.slice(at, at + 2), 16);
  return Array.from({ length: hex.length / 6 }, (_, index) => [
    part(6 * index),
    part(6 * index + 2),
    part(6 * index + 4),
  ]);
}

/** @param {Colour[]} stops @returns {Colour[]} 256 of them */
function blend(stops) {
  return Array.from({ length: 256 }, (_, index) => {
    const place = (index / 255) * (stops.length - 1);
    const before = Math.min(Math.floor(place), stops.length - 2);
    const [start, end, share] = [stops[before], stops[before + 1], place - before];
    const mixed = (/** @type {0|1|2} */ part) =>
      Math.round(start[part] + share * (end[part] - start[part]));
    return [mixed(0), mixed(1), mixed(2)];
  });
}
