/** The views below the heat maps, in the order in which they are shown. */

/** @import {Stage} from "../stage.js" */
/** @import {View} from "./view.js" */

/** @type {(new (stage: Stage) => View)[]} */
export const VIEWS = [];
