"""Layers as they stand in the JSON of an architecture."""

from dataclasses import dataclass

from model_export.errors import ModelRefused
from model_export.imports.keras.settings import Json, brief, expect_own

MOST_LAYERS = 2000

FUNCTIONAL = {"Functional", "Model"}
MODELS = FUNCTIONAL | {"Sequential"}
"""Models whose structure is in the file; Keras 2 calls a Functional one Model at times."""


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """`calls` is the JSON that says what the layer is called with, in a Functional model."""

    class_name: str
    name: str
    config: dict[str, Json]
    module: str
    calls: Json

    def named(self, error: ModelRefused) -> ModelRefused:
        """The error with this layer before it."""
        return ModelRefused(f"layer {self.name!r} ({self.class_name}): {error}")

    @property
    def has_weights_entry(self) -> bool:
        """Operations of Keras 3, such as x + 1, have no place among the weights."""
        return not self.module.startswith(("keras.src.ops", "keras.ops"))


def read_record(entry: Json) -> LayerRecord:
    """Raises ModelRefused for what is no layer, or none of Keras."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise ModelRefused(f"the architecture holds {brief(entry)}, which is no layer")
    class_name, config = entry["class_name"], entry.get("config")
    if class_name == "Sequential" and isinstance(config, list):
        config = {"layers": config}  # as Keras wrote it before 2.3
    if not isinstance(config, dict):
        raise ModelRefused(f"a layer of class {class_name} has no configuration")
    name = entry.get("name", config.get("name", class_name.lower()))
    if not isinstance(name, str) or not name.isprintable():
        raise ModelRefused(f"a layer of class {class_name} has the name {brief(name)}")
    module, calls = str(entry.get("module", "")), entry.get("inbound_nodes", [])
    record = LayerRecord(class_name, name, config, module, calls)
    try:
        expect_own(entry)
    except ModelRefused as error:
        raise record.named(error) from error
    return record


def layers_of(model: LayerRecord) -> list[LayerRecord]:
    """The layers of a Sequential or Functional model, which have different names."""
    entries = model.config.get("layers")
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_LAYERS:
        count = len(entries) if isinstance(entries, list) else "no"
        raise ModelRefused(f"the model has {count} layers; 1 to {MOST_LAYERS} can be imported")
    records = [read_record(entry) for entry in entries]
    names = [record.name for record in records]
    twice = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else {}
    )
    if twice:
        raise ModelRefused(f"two layers have the name {sorted(twice)[0]!r}")
    return records
