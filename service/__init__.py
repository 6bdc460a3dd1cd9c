"""Gatewise: serves networks of Gated Recurrent Units over HTTP.

Data flows `api` -> `sessions` -> `batcher` -> `engine` -> `bundle`, with `stores` beside.
"""

from importlib.metadata import version

__version__ = version("gatewise")
