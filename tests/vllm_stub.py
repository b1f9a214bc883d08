"""A stub of vLLM's server: so many slots, each busy for a set time, and every way of going wrong on demand.

`python -m tests.vllm_stub --port 0 --latency 2 --slots 64` prints its address. The standard library alone, with uvloop
where it is there: it shares the processors with what is measured against it.
"""

import argparse
import asyncio
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.vllm_server import Listener

_HOST = "127.0.0.1"
_BACK_SECONDS = 10.0
_ROOT = Path(__file__).parents[1]


class Stub:
    """A stub that runs; `set` takes the fields of `Settings` and `misbehave` those of `Misbehaviour`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = urlsplit(url).netloc

    def set(self, **fields: Any) -> None:
        self._ask("POST", "/set", fields)

    def misbehave(self, *misbehaviours: dict[str, Any]) -> None:
        """Whichever comes first and applies; none: it behaves."""
        self.set(misbehave=list(misbehaviours))

    def stats(self) -> dict[str, Any]:
        return self._ask("GET", "/stats")

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("POST", "/reset")

    def go_away(self, seconds: float) -> None:
        """Break every connection and refuse new ones for so long."""
        self._ask("POST", "/away", {"seconds": seconds})

    def last(self) -> dict[str, Any]:
        """The last question's body, whole."""
        return self._ask("GET", "/last")

    def _ask(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = self._connected()
        try:
            connection.request(method, path, body=json.dumps(fields or {}))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == http.HTTPStatus.OK, body
            said: dict[str, Any] = json.loads(body)
            return said
        finally:
            connection.close()

    def _connected(self) -> http.client.HTTPConnection:
        """Wait until it is back, where it is away."""
        until = time.monotonic() + _BACK_SECONDS
        while True:
            connection = http.client.HTTPConnection(self._address, timeout=10)
            try:
                connection.connect()
            except (ConnectionRefusedError, ConnectionResetError):  # reset, where it goes just now
                assert time.monotonic() < until, "the stub is away"
                time.sleep(0.02)
            else:
                return connection


@contextmanager
def stub(**settings: Any) -> Iterator[Stub]:
    """One in a thread of this process."""
    listener = Listener(_HOST, 0)
    ready = threading.Event()
    thread = threading.Thread(target=_run, args=(listener, ready.set))
    thread.start()
    try:
        assert ready.wait(10)
        running = Stub(f"http://{_HOST}:{listener.port}")
        running.set(**settings)
        yield running
    finally:
        listener.stop()
        thread.join()


@contextmanager
def stub_process(**settings: Any) -> Iterator[Stub]:
    """One in a process of its own, whose work is not this one's."""
    command = [sys.executable, "-m", "tests.vllm_stub", "--port", "0"]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        running = Stub(process.stdout.readline().strip())
        running.set(**settings)
        yield running
    finally:
        process.kill()
        process.communicate()


def _run(listener: Listener, ready: Any) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(listener.serve(ready))


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def main() -> None:
    parser = argparse.ArgumentParser(description="A stub of vLLM's server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--priority", action="store_true")
    given = parser.parse_args()
    listener = Listener(_HOST, given.port)
    listener.engine.settings.latency = given.latency
    listener.engine.settings.slots = given.slots
    listener.engine.settings.priority = given.priority
    _run(listener, lambda: os.write(1, f"http://{_HOST}:{listener.port}\n".encode()))


if __name__ == "__main__":
    main()
