"""Files that Keras 3 writes now, in an environment of its own: `make variety`."""

import os
import subprocess
from pathlib import Path

import pytest

from model_export.errors import ModelRefused
from model_export.imports.keras import read_keras
from tests.keras_files import assert_reads_as_keras_answers, written_in
from tests.variety.environments import python_of
from tests.variety.keras_models import write_models_script

FEWEST_MODELS = 80
MINUTES_TO_INSTALL = 15


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    command = [str(python_of("keras_3")), str(write_models_script()), str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.timeout(60 * MINUTES_TO_INSTALL)
def test_every_model_answers_as_keras_does(written: Path, subtests: pytest.Subtests) -> None:
    models = written_in(written)
    assert len({model.file.stem for model in models}) >= FEWEST_MODELS
    for model in models:
        with subtests.test(model.file.name):
            assert_reads_as_keras_answers(model)


@pytest.mark.timeout(60 * MINUTES_TO_INSTALL)
def test_what_cannot_be_carried_over_is_refused_by_name(
    written: Path, subtests: pytest.Subtests
) -> None:
    files = [path for path in (written / "refused").iterdir() if path.suffix != ".txt"]
    assert files
    for file in files:
        with subtests.test(file.name):
            with pytest.raises(ModelRefused) as refused:
                read_keras(file)
            for mention in file.with_suffix(".txt").read_text().splitlines():
                assert mention in str(refused.value)
