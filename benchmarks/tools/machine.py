"""What the figures were measured on."""

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("onnxruntime", "numpy", "uvicorn", "fastapi")


@dataclass(frozen=True, slots=True)
class Machine:
    processor: str
    cores: int
    system: str
    python: str
    packages: dict[str, str]

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return f"{self.cores} cores of {self.processor}, {self.system}, {self.python}, {packages}"


def this_machine() -> Machine:
    return Machine(
        processor=processor(Path("/proc/cpuinfo").read_text("utf-8")),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=f"Python {platform.python_version()}",
        packages={name: version(name) for name in _PACKAGES},
    )


def processor(cpuinfo: str) -> str:
    """The model's name as Linux tells it; some architectures tell none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
