"""What commands need besides the serving environment."""

from importlib.util import find_spec

NEEDED = (
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


def what_to_install() -> str | None:
    """A line for the user where something is missing.

    All are looked for before anything runs: hours of training must not end for want of one.
    """
    missing = [name for name in NEEDED if not _is_installed(name)]
    if not missing:
        return None
    return (
        f"model_export needs packages that are missing here ({', '.join(missing)}); "
        "install them with: pip install 'gatewise[train]' "
        "(in a checkout: pip install -e '.[train]', or make setup)"
    )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
