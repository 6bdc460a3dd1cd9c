/** Starts the page: lists the models and turns to the one that the address names, or the first. */

import { readAddress, writeAddress } from "./address.js";
import { listModels, Problem } from "./api.js";
import { byId, byIdOf, element } from "./elements.js";
import { Inspector } from "./inspector.js";
import { startSections } from "./sections.js";
import { say, startTexts } from "./texts.js";

const select = byIdOf("model", HTMLSelectElement);

async function start() {
  const models = await listModels();
  if (models.length === 0) {
    byId("sentence").textContent = say("cursor.no-model");
    return;
  }
  const inspector = new Inspector();
  select.replaceChildren(...models.map(({ name }) => element("option", { value: name }, name)));
  const byName = new Map(models.map((model) => [model.name, model]));
  const asked = byName.get(readAddress("model") ?? "") ?? models[0];
  select.value = asked.name;
  select.addEventListener("change", () => {
    writeAddress({ model: select.value });
    inspector.choose(byName.get(select.value) ?? models[0]);
  });
  await inspector.choose(asked);
}

startTexts();
startSections();
byId("sentence").textContent = say("cursor.empty");
try {
  await start();
} catch (problem) {
  if (!(problem instanceof Problem)) {
    throw problem;
  }
  byId("sentence").textContent = say("problem.start", { title: problem.title, detail: problem.message });
}
