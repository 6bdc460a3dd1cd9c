/** The views below the heat maps, in the order in which they are shown. */

import { CompareView } from "./compare-view.js";
import { InterventionView } from "./intervention-view.js";
import { NearestView } from "./nearest-view.js";
import { SensitivityView } from "./sensitivity-view.js";
import { TrajectoryView } from "./trajectory-view.js";

/** @import {Stage} from "../stage.js" */
/** @import {View} from "./view.js" */

/** @type {(new (stage: Stage) => View)[]} */
export const VIEWS = [TrajectoryView, NearestView, CompareView, InterventionView, SensitivityView];
