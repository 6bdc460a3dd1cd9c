"""`docker compose up`: what the README shows is what it answers."""

from pathlib import Path

from docs.settings_table import README
from tests.containers.docker import inspect
from tests.containers.stack import Stack
from tests.docs.console import as_json, examples_of, matches, run

WORKED = examples_of(README)[:6]
TOLERANCE = 0.15
"""In ppm, or of a gate's mean: models are trained anew on every machine."""


def test_answers_the_readme(single: Stack) -> None:
    assert "localhost:8000/v1/sessions" in WORKED[0].command
    for example in WORKED:
        printed = run(example.command, single.url)
        shown = as_json(example.shown) if example.shown else None
        assert shown is None or matches(shown, as_json(printed), tolerance=TOLERANCE), printed
    assert "Gatewise" in run("curl -s http://localhost:8000/", single.url)


def test_is_hardened(single: Stack, replicas: Stack) -> None:
    services = [(single, "serve"), (single, "train")]
    services += [(replicas, service) for service in ("replica", "balancer", "redis")]
    for stack, service in services:
        for container in stack.containers(service):
            host = inspect(container)["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert host["SecurityOpt"] == ["no-new-privileges:true"], service
            assert host["Memory"] > 0 and host["PidsLimit"] > 0, service


def test_only_this_machine_reaches_it(single: Stack) -> None:
    (container,) = single.containers("serve")
    published = inspect(container)["NetworkSettings"]["Ports"]["8000/tcp"]
    assert [port["HostIp"] for port in published] == ["127.0.0.1"]


def test_sessions_outlive_the_container(single: Stack) -> None:
    run(
        'curl -sf localhost:8000/v1/sessions -d \'{"model": "co2", "session_id": "kept"}\'',
        single.url,
    )
    step = "curl -sf localhost:8000/v1/sessions/kept/steps -d '{\"inputs\": [[371.2]]}'"
    run(step, single.url)
    single.compose(
        "up", "--detach", "--wait", "--no-build", "--force-recreate", "--no-deps", "serve"
    )
    assert '"step":2' in run(step, single.url)


def test_the_checkout_is_enough(checkout: Path) -> None:
    for name in ("docker-compose.yml", ".env", "Dockerfile", ".dockerignore", "deploy/wheels"):
        assert (checkout / name).exists(), name
