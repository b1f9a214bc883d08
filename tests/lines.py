"""A line to a server that can be broken: what is sent arrives, but the answers get lost, and then the connection."""

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Line:
    """A port of 127.0.0.1 that leads to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._muted = threading.Event()
        self._sockets: list[socket.socket] = []
        self._tcp = _Tcp(self._carry)
        self._thread = threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.005})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._tcp.server_address[1]}"

    def lose_answers(self, *, seconds: float) -> None:
        """From now on no answer arrives; after so long every connection breaks, and new ones are whole again."""
        self._muted.set()
        threading.Timer(seconds, self._cut).start()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.shutdown()
        self._thread.join()
        self._cut()
        self._tcp.server_close()

    def _cut(self) -> None:
        broken, self._sockets = self._sockets, []
        for each in broken:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._muted.clear()

    def _carry(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            self._sockets += [client, server]
            back = threading.Thread(target=self._pump, args=(server, client, True))
            back.start()
            self._pump(client, server, False)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (is_answer and self._muted.is_set()):
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


class _Tcp(socketserver.ThreadingTCPServer):
    request_queue_size = 64

    def __init__(self, carry: object) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                carry(self.request)  # type: ignore[operator]

        super().__init__(("127.0.0.1", 0), Handler)
