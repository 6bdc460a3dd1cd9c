"""What the design fixes about the code itself."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for folder in ("service", "model_export", "tests", "benchmarks", "docs")
    for path in (ROOT / folder).rglob("*.py")
)
HEAVY = {"torch", "onnx", "onnxscript", "model_export", "matplotlib"}


def test_imports_go_one_way() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_no_vague_module_names() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in MODULES if path.stem in vague]


@pytest.mark.parametrize(
    "module", ["service", "service.app", "service.edges.v1.schemas", "service.engine.engine"]
)
def test_the_service_needs_nothing_of_training(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    roots = {name.split(".")[0] for name in shown.stdout.split()}
    assert "service" in roots
    assert not roots & HEAVY
