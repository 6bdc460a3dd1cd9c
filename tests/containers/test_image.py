"""The image that serves: what is in it, and how it runs with next to nothing allowed."""

import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.containers.docker import docker, inspect, run
from tests.containers.stack import PATIENCE_SECONDS, ROOT
from tests.faults.replica import quiet_port
from tests.waiting import is_ready, wait_until

MAX_BYTES = 400_000_000
MAX_START_SECONDS = 3.0
STARTS = 3
USER = "10001:10001"
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"),
    *("--memory", "512m", "--pids-limit", "128", "--tmpfs", "/tmp:size=16m"),
)
BUILD_TOOLS = ("pip", "gcc", "cc", "make", "g++")
NOT_SERVED_WITH = ("pip", "setuptools", "torch", "onnx", "model_export", "ensurepip")


@contextmanager
def container(image: str, models: Path, *flags: str) -> Iterator[tuple[str, str]]:
    """A hardened container of the image: its name, and the address where it serves."""
    port = quiet_port()
    name = f"gatewise-test-{port}"
    published = ("--publish", f"127.0.0.1:{port}:8000")
    mounted = ("--volume", f"{models}:/models:ro")
    docker("run", "--detach", "--name", name, *HARDENED, *published, *mounted, *flags, image)
    try:
        yield name, f"http://127.0.0.1:{port}"
    finally:
        docker("rm", "--force", "--volumes", name)


def wait_until_ready(name: str, url: str) -> None:
    wait_until(lambda: is_ready(url), lambda: run("docker", "logs", name).stderr, PATIENCE_SECONDS)


def test_is_small_labelled_and_runs_as_nobody_in_particular(image: str) -> None:
    found = inspect(image)
    assert found["Size"] < MAX_BYTES, f"{found['Size']:,} bytes"
    configured = found["Config"]
    assert configured["User"] == USER
    assert configured["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
    assert configured["Entrypoint"] == ["python", "-m", "service"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = configured["Labels"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert {"title", "description", "revision"} <= {label.rpartition(".")[2] for label in labels}


def test_holds_nothing_that_builds_or_trains(image: str) -> None:
    looked = f"for name in {' '.join(BUILD_TOOLS)}; do command -v $name; done; true"
    assert docker("run", "--rm", "--entrypoint", "sh", image, "-c", looked) == ""
    code = (
        "import importlib.util as u; "
        f"print(*[name for name in {NOT_SERVED_WITH} if u.find_spec(name)])"
    )
    assert docker("run", "--rm", "--entrypoint", "python", image, "-c", code) == ""


def test_dependencies_are_those_that_are_pinned(image: str) -> None:
    code = (
        "from importlib.metadata import distributions; "
        "print(*sorted({f'{d.name}=={d.version}' for d in distributions()}))"
    )
    installed = docker("run", "--rm", "--entrypoint", "python", image, "-c", code).split()
    pins = {_normal(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line}
    names = {pin.partition("==")[0] for pin in pins}
    assert len(installed) > 20
    for one in map(_normal, installed):
        assert one in pins or (one.startswith("gatewise==")), one
        assert one.partition("==")[0] in names | {"gatewise"}


def test_steps_a_session_with_nothing_allowed(image: str, demo_repository: Path) -> None:
    with container(image, demo_repository) as (name, url):
        wait_until_ready(name, url)
        with httpx.Client(base_url=url) as client:
            client.post("/v1/sessions", json={"model": "neuron", "session_id": "one"})
            done = client.post("/v1/sessions/one/steps", json={"inputs": [[371.2]]})
        assert (done.status_code, done.json()["step"]) == (200, 1)
        status = docker("exec", name, "cat", "/proc/1/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["10001"] * 4
        assert {fields[f"Cap{kind}"].strip("0") for kind in ("Prm", "Eff", "Bnd", "Amb")} == {""}
        assert fields["NoNewPrivs"] == "1"
        written = run("docker", "exec", name, "touch", "/opt/gatewise/new")
        assert "Read-only file system" in written.stderr
        wait_until(
            lambda: _is_healthy(name),
            lambda: str(inspect(name)["State"]["Health"]),
            PATIENCE_SECONDS,
        )


def test_starts_in_time(image: str, demo_repository: Path, say: Callable[[str], None]) -> None:
    taken = []
    for _ in range(STARTS):
        began = time.monotonic()
        with container(image, demo_repository) as (name, url):
            wait_until_ready(name, url)
            taken.append(time.monotonic() - began)
    say(f"starts: {', '.join(f'{seconds:.2f} s' for seconds in taken)}")
    assert min(taken) < MAX_START_SECONDS


def test_sigterm_drains_and_ends_with_status_0(image: str, demo_repository: Path) -> None:
    drain = ("--env", "GATEWISE_DRAIN_SECONDS=2", "--env", "GATEWISE_LOG_LEVEL=info")
    with container(image, demo_repository, *drain) as (name, url):
        wait_until_ready(name, url)
        assert docker("exec", name, "cat", "/proc/1/cmdline").split("\0")[:3] == [
            *("python", "-m", "service"),
        ]
        docker("kill", "--signal", "SIGTERM", name)
        wait_until(
            lambda: not is_ready(url), lambda: "it is still ready after SIGTERM", PATIENCE_SECONDS
        )
        served = httpx.post(f"{url}/v1/sessions", json={"model": "neuron"})
        assert served.status_code == 201, "it serves on while balancers move away"
        assert docker("wait", name) == "0"


def test_refuses_without_models_in_one_line(image: str, tmp_path: Path) -> None:
    with container(image, tmp_path) as (name, _):
        assert docker("wait", name) != "0"
        said = run("docker", "logs", name).stderr.strip().splitlines()
    assert said[-1].startswith("gatewise: ")


def test_trains_and_verifies(images: dict[str, str], demo_repository: Path) -> None:
    """One epoch on a small table, in the hardened image that trains; the result is verified."""
    rows = "\n".join(["level", *(str(10 + number % 7) for number in range(400))])
    make = f"printf '{rows}\n' >/tmp/levels.csv".replace("\n", "\\n")
    train = "python -m model_export train forecast --data /tmp/levels.csv --name levels"
    small = "--repository /models --runs /runs --hidden-size 4 --epochs 1 --time-steps 32"
    verify = "python -m model_export verify /models/levels/1"
    hardened = [word for word in HARDENED if word not in ("--memory", "512m")]
    printed = docker(
        *("run", "--rm", "--network", "none", *hardened),
        *("--volume", f"{demo_repository}:/demos:ro", "--entrypoint", "sh", images["train"]),
        *(
            "-ec",
            f"{make}; {train} {small}; {verify}; python -m model_export verify /demos/neuron/1",
        ),
    )
    assert "published /models/levels/1" in printed


def _is_healthy(name: str) -> bool:
    return bool(inspect(name)["State"]["Health"]["Status"] == "healthy")


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{name.lower().replace('_', '-')}=={version.partition('+')[0]}"
