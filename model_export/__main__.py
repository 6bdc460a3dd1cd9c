"""`python -m model_export`: the command line, or what to install for it."""

import sys
from importlib.util import find_spec

NEEDED = (
    "click",
    "h5py",
    "ignite",
    "jinja2",
    "matplotlib",
    "onnx",
    "onnx_ir",
    "onnxscript",
    "polars",
    "safetensors",
    "scipy",
    "sklearn",
    "statsmodels",
    "sympy",
    "torch",
    "tqdm",
)
"""The modules of the extra `train`, which a machine that only serves does not have."""


def main() -> None:
    """All are looked for before anything runs: hours of training must not end for want of one."""
    if missing := [name for name in NEEDED if not _is_installed(name)]:
        sys.exit(
            f"gatewise: model_export needs packages that are missing here ({', '.join(missing)}); "
            "install them with: pip install 'gatewise[train]' "
            "(in a checkout: pip install -e '.[train]', or make setup)"
        )
    from model_export.command_line import main as run

    run(prog_name="python -m model_export")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


if __name__ == "__main__":
    main()
