"""Which pages may use the service."""

import pytest

from service.edges.http.origins import check_origin
from service.errors import ForeignOrigin

MALFORMED = [
    "",
    "null",
    "http://[",
    "http://]",
    "http://[::1",
    "http://::1]",
    "http://",
    "http:///",
    "://",
    "x",
    "x:8000",
    "//x:8000",
    "http://x:8000/",
    "http://x:8000 ",
    "http://x:8000, http://x:8000",
    "http://x:port",
    "http://x:",
    "http://x:-1",
    "http://x:8000:8000",
    "http://x:99999999999999999999",
    "http://u@x:8000",
    "http://\u00e9:8000",
    "file://",
    "file://x:8000",
    "http://x:8000\\.evil",
    "http://x:\u00b2",
]


def check(origin: str | None, host: str | None, method: str = "POST") -> None:
    headers = {"origin": origin, "accept": "*/*", "host": host}
    raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items() if v is not None]
    check_origin(method, raw)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://x", "x"),
        ("http://x", "X"),
        ("HTTP://X", "x"),
        ("http://x", "x:80"),
        ("http://x:80", "x"),
        ("https://x", "x"),
        ("https://x", "x:443"),
        ("https://x:443", "x"),
        ("https://x:8443", "x:8443"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[2001:DB8::1]", "[2001:db8::1]:80"),
        (None, "x"),
        (None, None),
        (None, "http://["),
    ],
)
def test_own_pages_and_whoever_is_no_page(origin: str | None, host: str | None) -> None:
    check(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://elsewhere.example", "x"),
        ("http://x.elsewhere.example", "x"),
        ("http://elsewhere.example", "elsewhere.example:8000"),
        ("http://x", "x:443"),
        ("https://x", "x:80"),
        ("http://x:8001", "x:8000"),
        ("http://x:8000", "x"),
        ("ftp://x", "x"),
        ("chrome-extension://x", "x"),
        ("http://x", None),
        ("http://x", ""),
        ("http://x", "["),
        ("http://x", "x y"),
        *((malformed, "x:8000") for malformed in MALFORMED),
        *((malformed, malformed) for malformed in MALFORMED),
    ],
)
def test_other_pages(origin: str, host: str | None) -> None:
    with pytest.raises(ForeignOrigin):
        check(origin, host)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "other", "get"])
def test_methods_that_are_looked_at(method: str) -> None:
    with pytest.raises(ForeignOrigin, match=r"http://y.*'x'"):
        check("http://y", "x", method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_methods_that_change_nothing(method: str) -> None:
    check("http://y", "x", method)


def test_a_second_origin_is_looked_at_too() -> None:
    headers = [(b"origin", b"http://x"), (b"host", b"x"), (b"origin", b"http://y")]
    with pytest.raises(ForeignOrigin):
        check_origin(None, headers)


def test_a_long_origin_is_not_answered_in_full() -> None:
    with pytest.raises(ForeignOrigin) as refused:
        check("http://" + 60_000 * "y", "x")
    assert len(str(refused.value)) < 1000
