/** Starts the page: lists the models and turns to the one that the address names, or the first. */

import { listModels, Problem } from "./api.js";
import { byId, element } from "./elements.js";
import { Inspector } from "./inspector.js";

const select = byId("model");

async function start() {
  const models = await listModels();
  if (models.length === 0) {
    byId("sentence").textContent = "No model is being served: the model repository is empty.";
    return;
  }
  const inspector = new Inspector();
  select.replaceChildren(...models.map(({ name }) => element("option", { value: name }, name)));
  const byName = new Map(models.map((model) => [model.name, model]));
  const asked = byName.get(new URLSearchParams(location.search).get("model")) ?? models[0];
  select.value = asked.name;
  select.addEventListener("change", () => {
    history.replaceState(null, "", `?model=${encodeURIComponent(select.value)}`);
    inspector.choose(byName.get(select.value));
  });
  await inspector.choose(asked);
}

try {
  await start();
} catch (problem) {
  if (!(problem instanceof Problem)) {
    throw problem;
  }
  byId("sentence").textContent = `${problem.title}: ${problem.message}.`;
}
