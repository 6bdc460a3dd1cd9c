"""Make the environments of peers, each of its own.

    python -m benchmarks.peers.setup [NAME …]

Without names: all of them. They go to .peers/ and take about 2 GB.
"""

import argparse
import subprocess
import sys
import venv

from benchmarks.peers.peer import ENVIRONMENTS, PEERS, Peer


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the environments of peers in .peers/.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)}")
    names = parser.parse_args().names or list(PEERS)
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    failed = [name for name in names if not install(PEERS[name])]
    if failed:
        sys.exit(f"not installed: {', '.join(failed)}")


def install(peer: Peer) -> bool:
    """Make or complete the environment of one peer; says on the terminal how that went."""
    print(f"{peer.title}: {ENVIRONMENTS / peer.name}", flush=True)
    venv.create(ENVIRONMENTS / peer.name, with_pip=True)
    pip = [str(peer.python), "-m", "pip", "install", "--quiet"]
    requirements = peer.folder / "requirements.txt"
    installed = subprocess.run([*pip, "--requirement", str(requirements)], check=False)
    return installed.returncode == 0


if __name__ == "__main__":
    main()
