"""What a platform asks of a running worker: `/healthz`, is it alive and what does it do, and `/metrics`."""

import json
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from types import TracebackType
from typing import Self

from gpu_worker.worker import Worker
from shared.metrics import CONTENT_TYPE, Metrics

STILL_SECONDS = 30.0
"""For so long the process' own loop, which does next to nothing, never takes."""


class Pulse:
    """Beaten by the process' loop."""

    def __init__(self) -> None:
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    @property
    def still_seconds(self) -> float:
        return time.monotonic() - self._beaten_at


class Probes:
    """A server while its context is open; `port` 0 lets the system pick. Raises OSError where it is taken.

    A page that is in hand for longer than `stuck_seconds` hangs.
    """

    def __init__(self, host: str, port: int, worker: Worker, metrics: Metrics, *, stuck_seconds: float) -> None:
        self.pulse = Pulse()
        self._worker, self._metrics, self._stuck_seconds = worker, metrics, stuck_seconds
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="probes", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def health(self) -> tuple[HTTPStatus, Mapping[str, object]]:
        """Return 503 where a page hangs, or the process does: whoever asks should have it started again."""
        state = self._worker.state()
        stuck = self._worker.oldest_page_seconds > self._stuck_seconds
        is_alive = not stuck and self.pulse.still_seconds < STILL_SECONDS
        said = {"status": "ok" if is_alive else "stuck", **state}
        return (HTTPStatus.OK if is_alive else HTTPStatus.SERVICE_UNAVAILABLE), said

    def metrics(self) -> bytes:
        self._metrics.pages_in_hand.set(self._worker.pages_in_hand)
        return self._metrics.exposed()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], probes: Probes) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.probes = probes
        super().__init__(address, _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0
    """Seconds that a client may keep its thread waiting."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/healthz":
                status, said = self.server.probes.health()
                self._send(status, "application/json", json.dumps(said).encode())
            case "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE, self.server.probes.metrics())
            case _:
                self._send(HTTPStatus.NOT_FOUND, "application/json", b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Nothing: a probe comes every few seconds."""

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
