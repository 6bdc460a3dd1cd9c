/** The views below the heat maps, in the order in which they are shown. */

import { AgeView } from "./age-view.js";
import { AttributionView } from "./attribution-view.js";
import { FollowingView } from "./following-view.js";
import { MemoryView } from "./memory-view.js";
import { ResetView } from "./reset-view.js";
import { SaturationView } from "./saturation-view.js";
import { TriageView } from "./triage-view.js";

/** @import {Stage} from "../stage.js" */
/** @import {View} from "./view.js" */

/** @type {(new (stage: Stage) => View)[]} */
export const VIEWS = [
  MemoryView,
  AttributionView,
  AgeView,
  SaturationView,
  ResetView,
  TriageView,
  FollowingView,
];
