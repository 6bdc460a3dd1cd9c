"""What a manifest says of inputs and outputs: which ones are possible, and how they are written."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.bundle.manifest import Manifest
from service.bundle.signatures import (
    Classes,
    InputSignature,
    Labels,
    OutputSignature,
    Probabilities,
    Quantiles,
    Tokens,
    Values,
)

INPUTS: TypeAdapter[InputSignature] = TypeAdapter(InputSignature)
OUTPUTS: TypeAdapter[OutputSignature] = TypeAdapter(OutputSignature)

PLAIN = Values(names=("flow", "rain"), units=("m³/s", "mm"))
PLAIN_AS_WRITTEN = {
    "kind": "values",
    "names": ["flow", "rain"],
    "units": ["m³/s", "mm"],
    "shape": None,
}


@pytest.mark.parametrize(
    ("signature", "width"),
    [
        (PLAIN, 2),
        (PLAIN.model_copy(update={"missing": True, "known_ahead": ("rain",)}), 2),
        (Tokens(size=2, vocabulary=("milk", "bread"), token="item"), 1),
    ],
)
def test_inputs_are_read_as_they_were_written(signature: InputSignature, width: int) -> None:
    assert INPUTS.validate_json(signature.model_dump_json()) == signature
    assert signature.width == width


@pytest.mark.parametrize(
    ("signature", "width", "described"),
    [
        (PLAIN, 2, "flow [m³/s], rain [mm]"),
        (
            Quantiles(names=("flow", "level"), units=("m³/s", "1"), levels=(0.1, 0.5, 0.9)),
            6,
            "flow [m³/s], level, quantiles 0.1, 0.5, 0.9",
        ),
        (Probabilities(width=5), 5, "probabilities of the next of 5 tokens"),
        (Labels(names=("C4", "E4", "G4")), 3, "probabilities of 3 labels"),
        (Classes(names=("walking", "sitting")), 2, "probabilities of 2 classes"),
    ],
)
def test_outputs_are_read_as_they_were_written(
    signature: OutputSignature, width: int, described: str
) -> None:
    assert OUTPUTS.validate_json(signature.model_dump_json()) == signature
    assert (signature.width, signature.described) == (width, described)


def test_what_earlier_releases_read_is_written_as_they_wrote_it() -> None:
    assert PLAIN.model_dump(mode="json") == PLAIN_AS_WRITTEN
    tokens = {"kind": "tokens", "size": 1, "vocabulary": ["a"]}
    assert Tokens(size=1, vocabulary=("a",)).model_dump(mode="json") == tokens
    assert INPUTS.validate_python(PLAIN_AS_WRITTEN) == PLAIN


@pytest.mark.parametrize(
    ("signature", "wrong"),
    [
        ({"kind": "values", "names": ["a"], "units": []}, "1 names but 0 units"),
        ({"kind": "values", "names": ["a"], "units": ["1"], "known_ahead": ["b"]}, "'b' is known"),
        (
            {"kind": "values", "names": ["a", "a"], "units": ["1", "1"], "known_ahead": ["a"]},
            "not the name of one input",
        ),
        (
            {"kind": "values", "names": ["a"], "units": ["1"], "known_ahead": ["a", "a"]},
            "known ahead twice",
        ),
        ({"kind": "tokens", "size": 3, "token": "item"}, "items need a vocabulary"),
        ({"kind": "tokens", "size": 3, "token": "word"}, "'character' or 'item'"),
    ],
)
def test_inputs_that_cannot_be(signature: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        INPUTS.validate_python(signature)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"levels": [0.1, 0.9]}, "one of the levels is 0.5"),
        ({"levels": [0.5, 0.1]}, "levels ascend"),
        ({"levels": [0.5, 0.5]}, "levels ascend"),
        ({"levels": [0.5, 1.0]}, "between 0 and 1"),
        ({"levels": [0.0, 0.5]}, "between 0 and 1"),
        ({"levels": []}, "at least 1"),
        ({"units": []}, "1 names but 0 units"),
        ({"names": ["a", "a"], "units": ["1", "1"]}, "'a' is there twice"),
    ],
)
def test_quantiles_that_cannot_be(changes: dict[str, Any], wrong: str) -> None:
    sound = {"kind": "quantiles", "names": ["a"], "units": ["1"], "levels": [0.5]}
    assert OUTPUTS.validate_python(sound).width == 1
    with pytest.raises(ValidationError, match=wrong):
        OUTPUTS.validate_python(sound | changes)


@pytest.mark.parametrize("kind", ["labels", "classes"])
def test_names_that_come_twice(kind: str) -> None:
    assert OUTPUTS.validate_python({"kind": kind, "names": ["a", "b"]}).width == 2
    with pytest.raises(ValidationError, match="'b' is there twice"):
        OUTPUTS.validate_python({"kind": kind, "names": ["a", "b", "b"]})


@pytest.mark.parametrize("said", [{"missing": True}, {"known_ahead": ["a"]}])
def test_what_is_said_of_inputs_is_not_said_of_outputs(said: dict[str, Any]) -> None:
    values = {"kind": "values", "names": ["a"], "units": ["1"]}
    manifest = {
        "name": "one",
        "version": 1,
        "task": "forecast",
        "opset": 20,
        "input": values | said,
        "output": values,
        "state": [{"name": "layer 0", "kind": "gru", "shape": [1, 2]}],
        "layers": [{"segment": "layer 0", "offset": 0, "hidden_size": 2, "reset": "before"}],
        "files": {},
    }
    assert Manifest.model_validate(manifest).input.width == 1
    with pytest.raises(ValidationError, match="are said of inputs"):
        Manifest.model_validate(manifest | {"output": values | said})
