/** Starts the page: lists the models, and shows what the address asks for, or the first model's sample. */

import { listModels, Problem } from "./api.js";
import { byId, byIdOf, element } from "./elements.js";
import { Inspector } from "./inspector.js";
import { readWish } from "./link.js";
import { startSections } from "./sections.js";
import { say, startTexts } from "./texts.js";

const select = byIdOf("model", HTMLSelectElement);

async function start() {
  const models = await listModels();
  if (models.length === 0) {
    byId("sentence").textContent = say("cursor.no-model");
    return;
  }
  select.replaceChildren(...models.map(({ name }) => element("option", { value: name }, name)));
  const byName = new Map(models.map((model) => [model.name, model]));
  const inspector = new Inspector(models);
  startSections(inspector.views);
  select.addEventListener("change", () => inspector.choose(byName.get(select.value) ?? models[0]));
  await inspector.follow(readWish(), models[0]);
}

startTexts();
byId("sentence").textContent = say("cursor.empty");
try {
  await start();
} catch (problem) {
  if (!(problem instanceof Problem)) {
    throw problem;
  }
  byId("sentence").textContent = say("problem.start", { title: problem.title, detail: problem.message });
}
