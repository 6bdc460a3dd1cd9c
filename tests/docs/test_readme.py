"""The README's examples are run as printed; its table of settings is up to date."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import httpx
import numpy as np
import pytest

from docs.settings_table import README, with_table
from tests.docs.console import check, examples_of, run
from tests.service_process import ServiceProcess, running_service
from tests.waiting import wait_until

EXAMPLES = examples_of(README)
WORKED, OWN_DATA = EXAMPLES[:-2], EXAMPLES[-2:]


@pytest.fixture(scope="module")
def demo_service(
    demo_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    log = tmp_path_factory.mktemp("readme") / "service.log"
    with running_service(demo_repository, "memory://", log) as service:
        yield service


def test_worked_example_answers_what_is_shown(demo_service: ServiceProcess) -> None:
    assert len(WORKED) == 6
    for example in WORKED:
        check(example, run(example.command, demo_service.url))


@pytest.mark.timeout(400)  # beside a busy process, training on two threads takes ten times as long
def test_own_data_in_two_commands(demo_repository: Path, tmp_path: Path) -> None:
    """Beside a service that runs already."""
    train, ask = OWN_DATA
    _write_sensors(tmp_path / "sensors.csv")
    copytree(demo_repository, tmp_path / "models")
    python = f"cd {tmp_path} && {sys.executable}"
    log = tmp_path / "service.log"
    with running_service(tmp_path / "models", f"sqlite:///{tmp_path}/s.db", log) as service:
        run(
            train.command.replace(".venv/bin/python", python) + " --epochs 2 --force",
            "",
            seconds=300,
        )
        sensors = f"{service.url}/v1/models/sensors"
        wait_until(lambda: httpx.get(sensors).status_code == 200, service.log)
        printed = run(ask.command, service.url)
    check(ask, printed)
    assert len(json.loads(printed)["sequences"][0]["outputs"]) == 2


def test_settings_table_is_up_to_date() -> None:
    text = README.read_text("utf-8")
    assert text == with_table(text), "run: make docs"


def _write_sensors(file: Path) -> None:
    time = np.arange(600)
    warmth = 21 + 3 * np.sin(time / 24 * 2 * np.pi)
    humidity = 40 - 5 * np.sin(time / 24 * 2 * np.pi + 0.5)
    rows = [f"{one:.2f},{other:.2f}" for one, other in zip(warmth, humidity, strict=True)]
    file.write_text("\n".join(["temperature,humidity", *rows]) + "\n", "utf-8")
