"""A relay in front of a Redis, for the failures that a network makes."""

import socket
import threading
from contextlib import closing, suppress

_CHUNK = 1 << 16


class Relay:
    """Passes bytes between a free port and a Redis; `target_port` is where new connections lead.

    `lose_answers` lets everything through to Redis and nothing back; then the connection ends.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._losing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_answers(self) -> None:
        """From now on: the request arrives, its answer does not, and the connection ends."""
        self._losing.set()

    def heal(self) -> None:
        """Pass everything again."""
        self._losing.clear()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                target = socket.create_connection(("127.0.0.1", self.target_port))
                threading.Thread(target=self._ask, args=(client, target), daemon=True).start()
                threading.Thread(target=self._answer, args=(target, client), daemon=True).start()

    def _ask(self, client: socket.socket, target: socket.socket) -> None:
        with closing(target), suppress(OSError):
            while data := client.recv(_CHUNK):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def _answer(self, target: socket.socket, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            while (data := target.recv(_CHUNK)) and not self._losing.is_set():
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
