"""A store's URL, taken apart.

    redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]
    redis-cluster://[USER[:PASSWORD]@]HOST[:PORT],HOST[:PORT],…

With `rediss` in place of `redis` over TLS, whose files are named by `?ssl_ca_certs=…`,
`ssl_certfile=…` and `ssl_keyfile=…`. User and password are percent-encoded.
"""

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from service.stores.redis.link import Access, Node

_PORT = 6379
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class Address(NamedTuple):
    """Where a Redis is: its only node, or some of a cluster's."""

    nodes: list[Node]
    cluster: bool
    access: Access


def parse(url: str, timeout_seconds: float) -> Address:
    """Raises ValueError, whose message never holds anything of the user or the password."""
    scheme, _, rest = url.partition("://")
    place, question, query = rest.partition("?")
    credentials, _, location = place.rpartition("@")
    hosts, _, database = location.partition("/")
    cluster = scheme.endswith("-cluster")
    nodes = [_node(host) for host in hosts.split(",")]
    if len(nodes) > 1 and not cluster:
        raise ValueError("several hosts make a cluster; use redis-cluster://")
    if database and (cluster or not database.isdecimal()):
        raise ValueError("behind the host comes a database's number, and none in a cluster")
    tls = scheme.startswith("rediss")
    options: dict[str, Any] = _tls_files(query) if question else {}
    if options and not tls:
        raise ValueError("options are for TLS; use rediss:// or rediss-cluster://")
    user, _, password = credentials.partition(":")
    options |= {
        "username": unquote(user) or None,
        "password": unquote(password) or None,
        "db": int(database or 0),
    }
    return Address(nodes, cluster, Access(tls, options, timeout_seconds))


def _node(host: str) -> Node:
    try:
        split = urlsplit(f"//{host}")
        name, port = split.hostname, split.port
    except ValueError:
        name = None
    if not name:
        raise ValueError("a host is missing, or a port is not a number up to 65535")
    return Node(name, _PORT if port is None else port)


def _tls_files(query: str) -> dict[str, Any]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not options.keys() <= set(_TLS_FILES):
        raise ValueError(f"an option is unknown; there are {', '.join(_TLS_FILES)}")
    return dict(options)
