"""Publishing: versions count up; a version is there as a whole or not at all."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import numpy_helper

from model_export import publish
from model_export import versions as model_export_versions
from model_export.errors import ModelRefused
from model_export.package import draft_of, publish_trained
from model_export.rewrite import writer
from model_export.rewrite.builder import Builder
from model_export.rewrite.cell import Cell, build_cell
from model_export.rewrite.gru_node import GruNode
from service.bundle.desired import DESIRED_FILE, Desired, Wish, change_desired, read_desired
from service.bundle.folders import read_repository
from service.bundle.manifest import SEQUENCE_FILE
from service.engine.provider import Provider
from service.repository.models import load_models
from tests.bundles import plain_report, values_model

TINY = values_model("tiny", hidden_sizes=(2,))


@pytest.fixture(autouse=True)
def _plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)


def versions(repository: Path) -> list[str]:
    return sorted(str(b.folder.relative_to(repository)) for b in read_repository(repository))


def visible_and_hidden(repository: Path) -> list[str]:
    return sorted(str(path.relative_to(repository)) for path in repository.rglob("*"))


def test_versions_count_up_and_earlier_ones_stay(tmp_path: Path) -> None:
    repository = tmp_path / "not" / "yet" / "there"
    first = publish_trained(TINY, repository)
    before = {file.name: file.read_bytes() for file in first.iterdir()}
    (repository / "tiny" / "7").mkdir()
    second = publish_trained(TINY, repository)
    assert first.stat().st_mode & 0o755 == 0o755, "the service may run as another user"
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in first.iterdir())
    assert (first, second) == (repository / "tiny" / "1", repository / "tiny" / "8")
    assert {file.name: file.read_bytes() for file in first.iterdir()} == before
    assert [path.name for path in repository.iterdir()] == ["tiny"], "no staging folder"
    (repository / "tiny" / "7").rmdir()
    assert versions(repository) == ["tiny/1", "tiny/8"]
    assert len(list(load_models(read_repository(repository), Provider()))) == 2


def test_a_network_that_computes_nothing_finite_is_refused(tmp_path: Path) -> None:
    broken = values_model("broken", hidden_sizes=(2,))
    with torch.no_grad():
        next(broken.network.layers.parameters())[0, 0] = torch.nan
    with pytest.raises(ModelRefused, match="not all finite numbers"):
        publish_trained(broken, tmp_path)
    assert visible_and_hidden(tmp_path) == []


@pytest.mark.parametrize("factor", [1.0001, 1.01])
def test_a_sequence_graph_of_other_weights_is_refused(tmp_path: Path, factor: float) -> None:
    """However little: the tolerance of a free run is measured, and would grow with it."""
    draft = draft_of(values_model("other", hidden_sizes=(16,)))
    model = onnx.load_from_string(draft.graphs[SEQUENCE_FILE])
    gru = next(node for node in model.graph.node if node.op_type == "GRU")
    tensor = next(one for one in model.graph.initializer if one.name == gru.input[2])
    changed = numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    graphs = {**draft.graphs, SEQUENCE_FILE: model.SerializeToString()}
    with pytest.raises(ModelRefused, match="state of the sequence graph against the equations"):
        publish.publish(replace(draft, graphs=graphs), tmp_path)
    assert visible_and_hidden(tmp_path) == []


def test_a_wrong_rewrite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the rewriter confused the two meanings of the update gate."""

    def wrong(builder: Builder, x: ir.Value, hidden: ir.Value, gru: GruNode) -> Cell:
        cell = build_cell(builder, x, hidden, gru)
        return replace(cell, reset=cell.update, update=cell.reset)

    monkeypatch.setattr(writer, "build_cell", wrong)
    with pytest.raises(ModelRefused, match="reset gate of a single step: off by"):
        publish_trained(TINY, tmp_path)
    assert visible_and_hidden(tmp_path) == []


@pytest.mark.parametrize("at", ["verify", "write_report", "move_into_place"])
def test_a_failure_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(f"model_export.publish.{at}", fail)
    with pytest.raises(OSError, match="no space left"):
        publish_trained(TINY, tmp_path)
    assert visible_and_hidden(tmp_path) == []


def test_a_candidate_is_known_as_one_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_trained(TINY, tmp_path)
    seen: list[tuple[str, Desired]] = []
    rename = Path.rename

    def spy(source: Path, target: Path) -> Path:
        seen.append((target.name, read_desired(tmp_path / "tiny")))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", spy)
    assert publish_trained(TINY, tmp_path, candidate=True).name == "2"
    assert publish_trained(TINY, tmp_path).name == "3"
    candidates = Desired(versions={2: Wish(candidate=True)})
    assert seen == [("2", candidates), ("3", candidates)]
    assert read_desired(tmp_path / "tiny") == candidates


def test_a_number_that_was_given_is_not_given_again(tmp_path: Path) -> None:
    """Sessions of a version that was withdrawn and removed must not go on with other weights."""
    publish_trained(TINY, tmp_path)
    change_desired(tmp_path / "tiny", lambda before: before.with_wish(4, Wish(withdrawn=True)))
    assert publish_trained(TINY, tmp_path).name == "5"


@pytest.mark.parametrize("candidate", [False, True])
def test_a_number_that_somebody_takes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, candidate: bool
) -> None:
    publish_trained(TINY, tmp_path)
    move = model_export_versions.move_into_place

    def late(staged: Path, folder: Path, *, candidate: bool) -> Path:
        wish = Wish(candidate=True)
        change_desired(folder.parent, lambda before: before.with_wish(int(folder.name), wish))
        return move(staged, folder, candidate=candidate)

    monkeypatch.setattr(publish, "move_into_place", late)
    with pytest.raises(ModelRefused, match="appeared while it was being made; publish again"):
        publish_trained(TINY, tmp_path, candidate=candidate)
    assert versions(tmp_path) == ["tiny/1"]


def test_what_is_wanted_must_be_readable(tmp_path: Path) -> None:
    publish_trained(TINY, tmp_path)
    file = tmp_path / "tiny" / DESIRED_FILE
    file.write_text("{")
    with pytest.raises(ModelRefused, match=re.escape(str(file))):
        publish_trained(TINY, tmp_path)
    assert versions(tmp_path) == ["tiny/1"]


KILLED = """
import sys, time
from pathlib import Path
from typing import Any
from model_export import publish
from model_export.package import publish_trained
from tests.bundles import plain_report, values_model

publish.write_report = plain_report
publish.move_into_place = lambda *_, **__: (print("staged", flush=True), time.sleep(60))
publish_trained(values_model("tiny", hidden_sizes=(2,)), Path(sys.argv[1]))
"""


def test_kill_9_half_way_leaves_a_repository_that_loads(tmp_path: Path) -> None:
    publish_trained(TINY, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "staged\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert versions(tmp_path) == ["tiny/1"]
    assert publish_trained(TINY, tmp_path) == tmp_path / "tiny" / "2"
    assert versions(tmp_path) == ["tiny/1", "tiny/2"]
