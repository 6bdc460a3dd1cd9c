"""From the architecture in a Keras file to a network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from model_export.errors import ModelRefused
from model_export.imports.keras import layers
from model_export.imports.keras.architecture import (
    FUNCTIONAL,
    MODELS,
    LayerRecord,
    layers_of,
    read_record,
)
from model_export.imports.keras.calls import Call, Tensor, read_calls, read_tensors
from model_export.imports.keras.file import KerasFile
from model_export.imports.keras.layers import Layer
from model_export.imports.keras.network import Input, Network, Step, Value
from model_export.imports.keras.operations import (
    MERGES,
    OLD_OPERATION,
    SELECTIONS,
    merge,
    select,
)
from model_export.imports.keras.readers import Source, read_layer, refuse_unknown
from model_export.imports.keras.settings import Json, Settings, brief, is_whole
from model_export.imports.keras.weights import Entry, Weights

DEEPEST = 10
"""Models within models."""

_RECURRENT = {"GRU", "Bidirectional"}
_COMBINING = {*MERGES, OLD_OPERATION, "Negative"}
_INPUT_COUNTS: dict[type, tuple[int, ...]] = {layers.Gru: (1, 2), layers.Bidirectional: (1, 3)}


def read_network(file: KerasFile, free_axes: Iterable[int] = ()) -> Network:
    """Every layer of the model, checked against its weights and against the shapes it is given.

    Time may have any length, whatever the file says, in inputs with as many axes as `free_axes`
    lists. Raises ModelRefused naming the layer and what about it stands in the way.
    """
    assembly = _Assembly(file.major, frozenset(free_axes))
    record = read_record(file.architecture)
    assembly.network.outputs = assembly.model(record, file.weights, None, depth=0)
    return assembly.network


class _Assembly:
    """Walks through the architecture and writes down one step for each call of a layer."""

    def __init__(self, major: int, free_axes: frozenset[int]) -> None:
        self.network = Network()
        self._major = major
        self._free_axes = free_axes
        self._made = 0

    def model(
        self, model: LayerRecord, weights: Weights, inputs: Sequence[Value] | None, depth: int
    ) -> list[Value]:
        """The outputs of a model for these inputs; the outermost one, given none, makes its own.

        Raises ModelRefused for a class whose structure is not in the file.
        """
        if depth > DEEPEST:
            raise ModelRefused(f"models stand within models more than {DEEPEST} deep")
        if model.class_name == "Sequential":
            return self._sequential(model, weights, inputs, depth)
        if model.class_name in FUNCTIONAL:
            return self._functional(model, weights, inputs, depth)
        raise ModelRefused(
            f"the model is of class {model.class_name}, whose structure is code that is not in the "
            "file; Sequential and Functional models can be imported"
        )

    def _sequential(
        self, model: LayerRecord, weights: Weights, inputs: Sequence[Value] | None, depth: int
    ) -> list[Value]:
        records = layers_of(model)
        values = [self._first_input(model, records[0])] if inputs is None else list(inputs)
        records = [record for record in records if record.class_name != "InputLayer"]
        for record, own in _with_weights(records, weights):
            values = self._apply(record, own, Call(tuple(values), {}), depth)
        return values

    def _first_input(self, model: LayerRecord, first: LayerRecord) -> Value:
        """Declared by an InputLayer, by the first layer, or when the model was built."""
        if first.class_name in MODELS:
            return self._first_input(first, layers_of(first)[0])
        if first.class_name == "InputLayer":
            return self._input_layer(first)
        shape = first.config.get("batch_input_shape", model.config.get("build_input_shape"))
        if shape is None:
            raise ModelRefused("the shape of its input is not in the file; build the model first")
        return self._input(first.name, shape)

    def _functional(
        self, model: LayerRecord, weights: Weights, inputs: Sequence[Value] | None, depth: int
    ) -> list[Value]:
        records = layers_of(model)
        known = self._inputs_of(model, records, inputs)
        holders = [record for record in records if record.has_weights_entry]
        own = {record.name: found for record, found in _with_weights(holders, weights)}
        calls = {record.name: _calls(record) for record in records}
        outputs = read_tensors(model.config.get("output_layers"))
        first = self._first_calls(records, calls, outputs)
        waiting = [
            (record, Tensor(record.name, first.get(record.name, 0) + number, 0), call)
            for record in records
            for number, call in enumerate(calls[record.name])
        ]
        while waiting:
            ready, waiting = _partition(waiting, known)
            for record, made, call in ready:
                given = call.filled(known)
                values = self._apply(record, own.get(record.name, weights), given, depth)
                known.update({replace(made, output=at): v for at, v in enumerate(values)})
        return [_made(self._from_outside(tensor, records), known) for tensor in outputs]

    def _inputs_of(
        self, model: LayerRecord, records: Sequence[LayerRecord], inputs: Sequence[Value] | None
    ) -> dict[Tensor, Value]:
        named = {record.name: record for record in records if record.class_name == "InputLayer"}
        tensors = read_tensors(model.config.get("input_layers"))
        strangers = [tensor.layer for tensor in tensors if tensor.layer not in named]
        if strangers:
            raise ModelRefused(f"its input {strangers[0]!r} is no InputLayer")
        if inputs is None:
            inputs = [self._input_layer(named[tensor.layer]) for tensor in tensors]
        if len(inputs) != len(tensors):
            raise ModelRefused(f"it has {len(tensors)} inputs and is given {len(inputs)}")
        return dict(zip(tensors, inputs, strict=True))

    def _first_calls(
        self,
        records: Sequence[LayerRecord],
        calls: Mapping[str, list[Call]],
        outputs: Sequence[Tensor],
    ) -> dict[str, int]:
        """The number under which a model within this one has its first call.

        Keras 2 counts a call at which such a model was made, if it was made before it was called.
        Every call in the file is used, so that the highest number tells.
        """
        if self._major > 2:
            return {}
        used = [tensor for made in calls.values() for call in made for tensor in call.tensors()]
        highest: dict[str, int] = {}
        for tensor in (*used, *outputs):
            highest[tensor.layer] = max(highest.get(tensor.layer, 0), tensor.call)
        nested = [record.name for record in records if record.class_name in MODELS]
        return {name: max(highest.get(name, 0) - len(calls[name]) + 1, 0) for name in nested}

    def _from_outside(self, tensor: Tensor, records: Sequence[LayerRecord]) -> Tensor:
        """Keras 3 counts that call too, but only in `output_layers` and for Functional models."""
        nested = {record.name for record in records if record.class_name in FUNCTIONAL}
        counted = self._major > 2 and tensor.layer in nested
        return replace(tensor, call=tensor.call - 1) if counted else tensor

    def _input_layer(self, record: LayerRecord) -> Value:
        config = record.config
        for key in ("sparse", "ragged", "optional"):
            if config.get(key):
                raise record.named(ModelRefused(f"its field {key!r} is set"))
        return self._input(record.name, config.get("batch_shape", config.get("batch_input_shape")))

    def _input(self, layer: str, shape: Json) -> Value:
        """Rows of a batch are independent, so the size of a batch is always free."""
        fits = isinstance(shape, list) and 2 <= len(shape) <= 5
        if not fits or not all(n is None or (is_whole(n) and n > 0) for n in shape):
            raise ModelRefused(f"layer {layer!r} (InputLayer): its shape is {brief(shape)}")
        sizes = [None, *shape[1:]]
        if len(sizes) in self._free_axes:
            sizes[1] = None
        value = self._new(layer)
        self.network.shapes[value] = tuple(sizes)
        self.network.inputs.append(Input(value, layer, tuple(sizes)))
        return value

    def _apply(self, record: LayerRecord, weights: Weights, call: Call, depth: int) -> list[Value]:
        try:
            refuse_unknown(record.class_name)
            operands = _operands(record, call)
            if record.class_name in MODELS:
                return self.model(record, weights, _values(operands), depth + 1)
            return self._layer(record, weights, operands, call.keywords)
        except ModelRefused as error:
            raise record.named(error) from error

    def _layer(
        self,
        record: LayerRecord,
        weights: Weights,
        operands: list[Json],
        keywords: Mapping[str, Json],
    ) -> list[Value]:
        settings = Settings(record.config)
        if settings.precision:
            self.network.precisions.add(settings.precision)
        inputs = [operand for operand in operands if isinstance(operand, Value)]
        if record.class_name in _COMBINING:
            combined = merge(record.class_name, settings.raw("function"), operands)
            return self._add(record, combined, inputs)
        if record.class_name in SELECTIONS:
            items = keywords.get("slice_spec", operands[1] if len(operands) > 1 else None)
            axes = len(self.network.shapes[inputs[0]]) if inputs else 0
            return self._add(record, select(items, axes), inputs)
        inputs = _values(operands)
        source = Source(settings, weights, self.network.shapes[inputs[0]], self._major)
        layer = read_layer(record.class_name, source)
        about = f"Layer {record.name!r} ({record.class_name})"
        self.network.notes += [f"{about}: {note}" for note in source.notes]
        if layer is None:
            self.network.left_out.append(f"{record.name} ({record.class_name})")
            return inputs[:1]
        return self._add(record, layer, inputs)

    def _add(self, record: LayerRecord, layer: Layer, inputs: Sequence[Value]) -> list[Value]:
        any_number = isinstance(layer, layers.Merge | layers.Concatenate) and inputs
        if not any_number and len(inputs) not in _INPUT_COUNTS.get(type(layer), (1,)):
            raise ModelRefused(f"it is called with {len(inputs)} tensors")
        shapes = layer.shapes([self.network.shapes[value] for value in inputs])
        outputs = [self._new(record.name) for _ in shapes]
        self.network.shapes.update(zip(outputs, shapes, strict=True))
        self.network.steps.append(Step(record.name, layer, tuple(inputs), tuple(outputs)))
        return outputs

    def _new(self, layer: str) -> Value:
        self._made += 1
        return Value(f"{self._made}/{layer}")


def _with_weights(
    records: Sequence[LayerRecord], weights: Weights
) -> list[tuple[LayerRecord, Weights]]:
    entries = [Entry(record.class_name, record.name) for record in records]
    return list(zip(records, weights.layers(entries), strict=True))


def _calls(record: LayerRecord) -> list[Call]:
    try:
        return read_calls(record.calls)
    except ModelRefused as error:
        raise record.named(error) from error


_Waiting = list[tuple[LayerRecord, Tensor, Call]]


def _partition(waiting: _Waiting, known: Mapping[Tensor, Value]) -> tuple[_Waiting, _Waiting]:
    """Calls whose tensors are all there, and the others; never none of the first."""
    ready: _Waiting = []
    others: _Waiting = []
    for entry in waiting:
        is_ready = all(tensor in known for tensor in entry[2].tensors())
        (ready if is_ready else others).append(entry)
    if not ready:
        name = others[0][0].name
        raise ModelRefused(f"layer {name!r} is called with a tensor that no layer makes")
    return ready, others


def _operands(record: LayerRecord, call: Call) -> list[Json]:
    """What a layer works on, in order. Raises ModelRefused for a keyword that has an effect."""
    keywords = dict(call.keywords)
    keywords.pop("slice_spec", None)
    given = list(call.operands)
    if record.class_name in _RECURRENT:
        given.append(keywords.pop("initial_state", None))
    if record.class_name == OLD_OPERATION and "y" in keywords:
        given.append(keywords.pop("y"))
    if keywords.pop("training", None):
        raise ModelRefused("it is called with training=True, so that it answers by chance")
    for key, value in keywords.items():
        nothing = all(item is None for item in value) if isinstance(value, list) else value is None
        if not nothing:
            raise ModelRefused(f"it is called with {key}={brief(value)}, which is not known here")
    operands: list[Json] = []
    for operand in given:
        several = isinstance(operand, list) and all(isinstance(item, Value) for item in operand)
        operands += operand if several else [operand]
    while operands and operands[-1] is None:
        operands.pop()
    return operands


def _values(operands: Sequence[Json]) -> list[Value]:
    values = [operand for operand in operands if isinstance(operand, Value)]
    if not values or len(values) != len(operands):
        raise ModelRefused(f"it is called with {brief(list(operands))}; tensors can be imported")
    return values


def _made(tensor: Tensor, known: Mapping[Tensor, Value]) -> Value:
    if tensor not in known:
        reason = (
            f"the model's output {tensor.layer!r} (call {tensor.call}) is not made by any layer"
        )
        raise ModelRefused(reason)
    return known[tensor]
