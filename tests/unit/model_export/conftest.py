"""pytorch-ignite imports a part of torch that deprecates itself; once imported it is silent."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
    import ignite.handlers  # noqa: F401
