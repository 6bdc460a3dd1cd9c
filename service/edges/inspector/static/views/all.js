/** The views below the heat maps, in the order in which they are shown. */

import { AgeView } from "./age-view.js";
import { AttributionView } from "./attribution-view.js";
import { CellView } from "./cell-view.js";
import { CompareView } from "./compare-view.js";
import { FollowingView } from "./following-view.js";
import { InterventionView } from "./intervention-view.js";
import { KindsView } from "./kinds-view.js";
import { MemoryView } from "./memory-view.js";
import { NearestView } from "./nearest-view.js";
import { ResetView } from "./reset-view.js";
import { SaturationView } from "./saturation-view.js";
import { SensitivityView } from "./sensitivity-view.js";
import { TourView } from "./tour.js";
import { TrajectoryView } from "./trajectory-view.js";
import { TriageView } from "./triage-view.js";

/** @import {Stage} from "../stage.js" */
/** @import {View} from "./view.js" */

/** @type {(new (stage: Stage) => View)[]} */
export const VIEWS = [
  CellView,
  TourView,
  KindsView,
  MemoryView,
  AttributionView,
  AgeView,
  SaturationView,
  ResetView,
  TriageView,
  FollowingView,
  TrajectoryView,
  NearestView,
  CompareView,
  InterventionView,
  SensitivityView,
];
