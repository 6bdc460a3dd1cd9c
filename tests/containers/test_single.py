"""`docker compose up`: what it may do, who reaches it, and what outlives it."""

from tests.containers.docker import inspect
from tests.containers.stack import Stack
from tests.docs.console import run


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
        'curl -sf localhost:8000/v1/sessions -d \'{"model": "neuron", "session_id": "kept"}\'',
        single.url,
    )
    step = "curl -sf localhost:8000/v1/sessions/kept/steps -d '{\"inputs\": [[371.2]]}'"
    run(step, single.url)
    single.compose(
        "up", "--detach", "--wait", "--no-build", "--force-recreate", "--no-deps", "serve"
    )
    assert '"step":2' in run(step, single.url)
