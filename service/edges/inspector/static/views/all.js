/** The views below the heat maps, in the order in which they are shown. */

import { CellView } from "./cell-view.js";
import { KindsView } from "./kinds-view.js";
import { TourView } from "./tour.js";

/** @import {Stage} from "../stage.js" */
/** @import {View} from "./view.js" */

/** @type {(new (stage: Stage) => View)[]} */
export const VIEWS = [CellView, TourView, KindsView];
