"""A WebSocket at the level of bytes, for clients that misbehave or must cost next to nothing."""

import os
import socket
from base64 import b64encode
from collections.abc import Iterator

TEXT, BINARY = 1, 2


def connect(port: int, path: str, *, buffer_bytes: int | None = None) -> socket.socket:
    """A connected socket after the handshake, with a deadline for everything."""
    connection = socket.socket()
    connection.settimeout(20)
    if buffer_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.connect(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = connection.recv(1)
        assert received, head
        head += received
    assert head.startswith(b"HTTP/1.1 101"), head
    return connection


def client_frame(payload: bytes, kind: int = BINARY) -> bytes:
    """One whole message as a client sends it, masked with zeros."""
    length = len(payload)
    head = bytes([0x80 | kind])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload


def payloads(connection: socket.socket) -> Iterator[bytes]:
    """Messages of the server as they come; its pings stay unanswered."""
    buffer = bytearray()
    while True:
        received = connection.recv(1 << 20)
        if not received:
            return
        buffer += received
        begin = 0
        while (frame := _frame_at(buffer, begin)) is not None:
            kind, place, end = frame
            if kind in (TEXT, BINARY):
                yield bytes(buffer[place:end])
            begin = end
        del buffer[:begin]


def _frame_at(buffer: bytearray, begin: int) -> tuple[int, int, int] | None:
    """Kind, begin and end of the payload; None where it is not complete."""
    if len(buffer) < begin + 2:
        return None
    length, place = buffer[begin + 1], begin + 2
    extended = {126: 2, 127: 8}.get(length, 0)
    if len(buffer) < place + extended:
        return None
    if extended:
        length = int.from_bytes(buffer[place : place + extended], "big")
        place += extended
    return (buffer[begin] & 15, place, place + length) if len(buffer) >= place + length else None
