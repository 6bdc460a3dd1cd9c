"""Environments of frameworks that write the files we read, each of its own in .variety/.

    python -m tests.variety.environments [NAME …]

Without names: all of them.
"""

import argparse
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".variety"

REQUIREMENTS = {"keras_3": HERE / "keras_models" / "requirements.txt"}


def python_of(name: str) -> Path:
    """The Python of an environment, which is made first where it is lacking or out of date.

    Raises subprocess.CalledProcessError where pip cannot install what it needs.
    """
    environment, requirements = FOLDER / name, REQUIREMENTS[name]
    python, stamp = environment / "bin" / "python", environment / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(environment, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        stamp.write_text(wanted)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the environments in .variety/.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(REQUIREMENTS)}")
    names = parser.parse_args().names or list(REQUIREMENTS)
    unknown = [name for name in names if name not in REQUIREMENTS]
    if unknown:
        parser.error(f"no environment {', '.join(unknown)}; there are {', '.join(REQUIREMENTS)}")
    for name in names:
        sys.stdout.write(f"{python_of(name)}\n")


if __name__ == "__main__":
    main()
