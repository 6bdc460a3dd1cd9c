"""A Keras file as an `Original`: ONNX, and a float64 reading of the file to compare with."""

from pathlib import Path

from model_export.errors import ModelRefused
from model_export.imports.keras.assembly import read_network
from model_export.imports.keras.build import build
from model_export.imports.keras.file import KerasFile, open_keras
from model_export.imports.keras.network import Network
from model_export.imports.keras.reading import read, read_all
from model_export.imports.keras.signature import signature_of
from model_export.original import Arrays, Original


def read_keras(file: Path) -> Original:
    """Read a `.keras` or `.h5` file of Keras 2 or 3, without Keras or TensorFlow.

    Inputs are float32, or int64 where they are tokens of an Embedding; sizes of time that the file
    fixes stand in the ONNX model's input. Raises ModelRefused, one line that names the file and
    the layer, where anything in it cannot be carried over exactly.
    """
    try:
        with open_keras(file) as opened:
            network = _network(opened)
            version = opened.version
        signature = signature_of(network)
        built = build(network, signature)
    except ModelRefused as error:
        raise ModelRefused(_printable(f"{file}: {error}")) from error

    def answer(inputs: Arrays) -> Arrays:
        return read(network, signature, inputs)

    def inside(inputs: Arrays) -> Arrays:
        values = read_all(network, signature, inputs)
        return {built.names[value]: one for value, one in values.items()}

    notes = tuple(_notes(network))
    return Original(built.model, answer, inside, file, f"Keras {version}", notes)


def _printable(message: str) -> str:
    """Text from a damaged file may hold what no terminal can show."""
    return message.encode(errors="backslashreplace").decode()


def _network(file: KerasFile) -> Network:
    network = _with_free_time(file) if _has_stateful(file.architecture) else read_network(file)
    if not network.recurrent():
        held = ", ".join(dict.fromkeys(step.name for step in network.steps)) or "no layer"
        raise ModelRefused(f"the model has no GRU; its layers are {held}")
    _refuse_mixed_states(network)
    return network


def _with_free_time(file: KerasFile) -> Network:
    """A stateful model goes on where the last call ended, so its calls may have any length.

    Its inputs have three axes, or two with tokens. Where a layer needs the length of the file, it
    stays.
    """
    for axes in ((2, 3), (3,)):
        try:
            return read_network(file, axes)
        except ModelRefused:
            continue
    return read_network(file)


def _has_stateful(record: object) -> bool:
    if isinstance(record, dict):
        return record.get("stateful") is True or any(map(_has_stateful, record.values()))
    return isinstance(record, list) and any(map(_has_stateful, record))


def _refuse_mixed_states(network: Network) -> None:
    """Raises ModelRefused where one layer goes on from call to call and another one does not."""
    stateful = [(step, gru) for step, gru in network.recurrent() if gru.stateful]
    for step, gru in stateful:
        if gru.go_backwards or len(step.inputs) > 1:
            why = "runs backward through time" if gru.go_backwards else "is given its first state"
            raise ModelRefused(f"layer {step.name!r}: it is stateful and {why}")
    names = [step.name for step, _ in stateful]
    if len(set(names)) < len(names):
        raise ModelRefused(f"layer {names[0]!r}: it is stateful and called more than once")
    others = [step.name for step, gru in network.recurrent() if not gru.stateful]
    if stateful and others:
        raise ModelRefused(
            f"layer {names[0]!r} is stateful and goes on from call to call, layer {others[0]!r} is "
            "not and starts anew; make all of them stateful, or none"
        )


def _notes(network: Network) -> list[str]:
    notes = list(network.notes)
    if network.left_out:
        notes.append(f"Left out, since they only act in training: {', '.join(network.left_out)}.")
    if network.precisions:
        notes.append(
            f"The file asks for {', '.join(sorted(network.precisions))}; everything is computed in "
            "float32, so that answers differ by the rounding of the two."
        )
    stateful = dict.fromkeys(step.name for step, gru in network.recurrent() if gru.stateful)
    if stateful:
        notes.append(
            f"Stateful layers ({', '.join(stateful)}) start from zero in a new session, and go on "
            "as in Keras until reset_states."
        )
    return notes
