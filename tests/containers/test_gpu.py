"""The profile for GPUs as far as it can be looked at without one: nothing of it is built or run."""

import json

import pytest

from tests.containers.stack import Stack


@pytest.mark.usefixtures("images")
def test_profile_reserves_a_gpu_and_serves_one_image() -> None:
    stack = Stack("gatewise-test-gpu")
    services = json.loads(stack.compose("config", "--format", "json", profile="gpu"))["services"]
    assert set(services) == {"train", "serve-cuda"}
    serve = services["serve-cuda"]
    assert serve["build"]["target"] == "serve-cuda"
    (device,) = serve["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert serve["read_only"] is True
