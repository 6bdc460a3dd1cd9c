/** Taking along what is shown: as a link, as a request, as a picture or as numbers. */

import { byId, byIdOf, element } from "../elements.js";
import { onLanguageChange, say } from "../texts.js";
import { addressOf } from "../traces-api.js";
import { tensorInWords } from "../words.js";
import { curlOf, pythonOf } from "./code.js";
import { pictureOf } from "./map-picture.js";

/** @import {OpenTrace} from "../open-trace.js" */
/** @import {Stage} from "../stage.js" */
/** @import {Timeline} from "../timeline/timeline.js" */
/** @import {Key} from "../texts.js" */

export class SharePanel {
  #stage;
  #timeline;
  #panel = byId("share-panel");
  #code = byIdOf("share-code", HTMLTextAreaElement);
  #status = byId("share-status");
  /** @type {Key | null} */
  #said = null;

  /** @param {Stage} stage @param {Timeline} timeline @param {() => void} writeLink */
  constructor(stage, timeline, writeLink) {
    this.#stage = stage;
    this.#timeline = timeline;
    this.#on("share-link", (trace) => {
      writeLink();
      trace.shared = true;
      return this.#copy(location.href);
    });
    this.#on("share-curl", (trace) => this.#copy(curlOf(this.#requests(trace))));
    this.#on("share-python", (trace) => this.#copy(pythonOf(this.#requests(trace))));
    this.#on("share-png", (trace) => this.#savePicture(trace));
    this.#on("share-csv", (trace) => this.#saveNumbers(trace, "csv"));
    this.#on("share-npz", (trace) => this.#saveNumbers(trace, "npz"));
    for (const type of ["trace", "more"]) {
      stage.addEventListener(type, () => this.#follow());
    }
    onLanguageChange(() => this.#tell(this.#said));
  }

  /** @param {string} id @param {(trace: OpenTrace) => void | Promise<void>} action */
  #on(id, action) {
    byId(id).addEventListener("click", () => {
      if (this.#stage.trace !== null) {
        action(this.#stage.trace);
      }
    });
  }

  #follow() {
    const { trace } = this.#stage;
    this.#panel.hidden = trace === null || trace.described.layers.length === 0;
  }

  /** The units and steps that can be seen of the cursor's tensor. @param {OpenTrace} trace */
  #shown(trace) {
    const { layer, gate } = this.#stage.cursor.position;
    const { from, to, units, stepsPerColumn } = this.#timeline.shown(layer);
    const span = { layer, units: rangesOf(units), from: trace.first + from, to: trace.first + to };
    return { tensor: gate, span, stepsPerColumn };
  }

  /** @param {OpenTrace} trace */
  #requests(trace) {
    const { tensor, span, stepsPerColumn } = this.#shown(trace);
    const columns = Math.ceil((span.to - span.from) / stepsPerColumn);
    const query = { tensor, ...span, ...(stepsPerColumn > 1 ? { columns } : {}) };
    return { base: new URL(".", location.href).href.replace(/\/$/, ""), made: trace.made, id: trace.id, query };
  }

  /** @param {string} text */
  async #copy(text) {
    this.#code.hidden = false;
    this.#code.value = text;
    this.#code.focus();
    this.#code.select();
    try {
      await navigator.clipboard.writeText(text);
      this.#tell("share.copied");
    } catch {
      // Without https browsers have no clipboard, or somebody has refused: what is selected can be copied.
      this.#tell("share.selected");
    }
  }

  /** @param {Key | null} key */
  #tell(key) {
    this.#said = key;
    this.#status.textContent = key === null ? "" : say(key);
  }

  /** @param {OpenTrace} trace */
  async #savePicture(trace) {
    const { layer, gate } = this.#stage.cursor.position;
    const map = this.#timeline.map(layer, gate);
    if (map === null) {
      return;
    }
    const { from, to, units } = this.#timeline.shown(layer);
    const { model, version } = trace.described;
    const picture = await pictureOf(map, {
      title: say("share.picture", { model, version, layer, tensor: tensorInWords(gate) }),
      units,
      ...{ from: trace.first + from, to: trace.first + to },
      standardised: this.#timeline.settings.standardised,
    });
    const address = URL.createObjectURL(picture);
    save(address, `${model}-${gate}-layer-${layer}.png`);
    setTimeout(() => URL.revokeObjectURL(address));
    this.#tell("share.saved");
  }

  /** @param {OpenTrace} trace @param {"csv" | "npz"} format */
  #saveNumbers(trace, format) {
    const { span } = this.#shown(trace);
    save(addressOf(trace.id, "export", { format, ...span }), `${trace.described.model}.${format}`);
    this.#tell("share.saved");
  }
}

/** @param {string} href @param {string} download */
function save(href, download) {
  const link = element("a", { href, download });
  document.body.append(link);
  link.click();
  link.remove();
}

/** As the API takes them: 0-63,70. In the API's answer they are in this order. @param {number[]} units */
function rangesOf(units) {
  const sorted = [...units].sort((one, other) => one - other);
  /** @type {[number, number][]} */
  const ranges = [];
  for (const unit of sorted) {
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last[1] === unit - 1) {
      last[1] = unit;
    } else {
      ranges.push([unit, unit]);
    }
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
