"""The stub of vLLM itself: connections, what they ask, slots and their queue. `tests.vllm_stub` starts it."""

import asyncio
import heapq
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from tests.vllm_answers import Asked, Misbehaviour, Settings, completion, read_question, refusal, served

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DRIP_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Stats:
    """`busy_seconds` is the slots' time that was worked; `first` and `last` are of the monotonic clock."""

    requests: int = 0
    done: int = 0
    aborted: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    waiting_max: int = 0
    busy_seconds: float = 0.0
    first: float | None = None
    last: float | None = None
    connections: int = 0
    connections_made: int = 0
    bytes: int = 0
    prompts: dict[str, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)


class Job:
    """One question on its way through the slots."""

    def __init__(self, asked: Asked, connection: "Connection", misbehaviour: Misbehaviour | None) -> None:
        self.asked = asked
        self.connection = connection
        self.misbehaviour = misbehaviour
        self.began: float | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_gone = False


class Engine:
    """Slots and the queue before them: by priority where that is on, then as they came."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.stats = Stats()
        self._queue: list[tuple[int, int, Job]] = []
        self._count = 0
        self.running = 0

    def submit(self, job: Job) -> None:
        self._count += 1
        heapq.heappush(self._queue, (job.asked.priority if self.settings.priority else 0, self._count, job))
        self.fill()
        self.stats.waiting_max = max(self.stats.waiting_max, len(self._queue))

    def fill(self) -> None:
        while self._queue and self.running < self.settings.slots:
            job = heapq.heappop(self._queue)[2]
            if not job.is_gone:
                self._start(job)

    def abort(self, job: Job) -> None:
        """Who asked has gone: as vLLM does, make room for others."""
        if job.is_gone:
            return
        self.stats.aborted += 1
        job.is_gone = True
        if job.timer is not None:
            job.timer.cancel()
            self._end(job)

    def _start(self, job: Job) -> None:
        job.began = time.monotonic()
        self.running += 1
        self.stats.in_flight_max = max(self.stats.in_flight_max, self.running)
        job.timer = asyncio.get_running_loop().call_later(self.settings.latency, self._done, job)

    def _done(self, job: Job) -> None:
        if job.misbehaviour is not None and job.misbehaviour.do == "hang":
            return  # it keeps its slot until who asked goes
        job.is_gone = True
        self.stats.done += 1
        job.connection.answer_job(job, self.settings)
        self._end(job)

    def _end(self, job: Job) -> None:
        assert job.began is not None
        now = time.monotonic()
        self.running -= 1
        self.stats.busy_seconds += now - job.began
        self.stats.last = now
        self.fill()


class Connection(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._engine = listener.engine
        self._data = bytearray()
        self._needed = 0
        self._head = b""
        self._job: Job | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self._listener.closed(self)
        if self._job is not None:
            self._engine.abort(self._job)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._head:
            self._read_head()
        if self._head and len(self._data) >= self._needed:
            body, self._data = self._data[: self._needed], self._data[self._needed :]
            head, self._head = self._head, b""
            self._asked(head, body)

    def _read_head(self) -> None:
        end = self._data.find(_END_OF_HEAD)
        if end < 0:
            return
        self._head = bytes(self._data[:end])
        del self._data[: end + len(_END_OF_HEAD)]
        length = _LENGTH.search(self._head)
        self._needed = int(length[1]) if length else 0

    def _asked(self, head: bytes, body: bytearray) -> None:
        method, path, _ = head.split(b" ", 2)
        match method, path:
            case b"POST", b"/v1/chat/completions":
                self._question(body)
            case b"GET", b"/health":
                self.answer(self._engine.settings.health, b"")
            case b"GET", b"/v1/models":
                self.answer(200, served(self._engine.settings))
            case _:
                self.answer(*self._listener.control(path, body))

    def _question(self, body: bytearray) -> None:
        self._listener.last = body
        try:
            asked = read_question(body)
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            self._error(400, f"not a question: {error!r}")
            return
        self._listener.note(asked, len(body))
        refused = refusal(asked, self._engine.settings)
        misbehaviour = self._listener.misbehaviour_for(asked)
        if refused is not None:
            self._error(*refused)
        elif misbehaviour is not None and misbehaviour.do == "status":
            self._error(misbehaviour.status, "as told", retry_after=misbehaviour.retry_after)
        else:
            self._job = Job(asked, self, misbehaviour)
            self._engine.submit(self._job)

    def answer_job(self, job: Job, settings: Settings) -> None:
        self._job = None
        todo = job.misbehaviour
        match todo.do if todo is not None else "":
            case "drop":
                self.transport.abort()
            case "die":
                assert todo is not None
                self._listener.go_away(todo.away)
            case "drip":
                self._drip(_head(200, 100_000) + b" ")
            case how:
                self.answer(200, completion(job.asked, settings, how))

    def answer(self, status: int, body: bytes, more: str = "") -> None:
        statuses = self._engine.stats.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.transport.write(_head(status, len(body), more) + body)

    def _error(self, status: int, message: str, retry_after: str | None = None) -> None:
        more = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
        error = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}
        self.answer(status, json.dumps(error).encode(), more)

    def _drip(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
            asyncio.get_running_loop().call_later(_DRIP_SECONDS, self._drip, b" ")


class Listener:
    """Where connections arrive; it can go away and come back on the same port."""

    def __init__(self, host: str, port: int) -> None:
        self.engine = Engine()
        self.host = host
        self.port = port
        self.last = bytearray(b"{}")
        self._left: list[tuple[Misbehaviour, int | None, float | None]] = []
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._stopping: asyncio.Event
        self._loop: asyncio.AbstractEventLoop

    async def serve(self, ready: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        await self._listen()
        ready()
        await self._stopping.wait()
        self._close()

    def stop(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def go_away(self, seconds: float) -> None:
        self._close()
        self._loop.call_later(seconds, lambda: self._loop.create_task(self._listen()))

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self.engine.stats.connections_made += 1

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def note(self, asked: Asked, size: int) -> None:
        stats = self.engine.stats
        stats.requests += 1
        stats.bytes += size
        stats.prompts[asked.prompt] = stats.prompts.get(asked.prompt, 0) + 1
        stats.first = stats.first if stats.first is not None else time.monotonic()

    def misbehaviour_for(self, asked: Asked) -> Misbehaviour | None:
        for place, (todo, requests, until) in enumerate(self._left):
            is_over = requests == 0 or (until is not None and time.monotonic() > until)
            if not is_over and todo.prompt in (None, asked.prompt):
                self._left[place] = (todo, None if requests is None else requests - 1, until)
                return todo
        return None

    def control(self, path: bytes, body: bytearray) -> tuple[int, bytes]:
        match path:
            case b"/stats":
                return 200, json.dumps(self._stats()).encode()
            case b"/reset":
                self.engine.stats = Stats()
            case b"/set":
                self._set(json.loads(bytes(body)))
            case b"/away":
                self._loop.call_later(_DRIP_SECONDS, self.go_away, json.loads(bytes(body))["seconds"])
            case b"/last":
                return 200, bytes(self.last)
            case _:
                return 404, b"{}"
        return 200, b"{}"

    def _set(self, fields: dict[str, Any]) -> None:
        if "misbehave" in fields:
            fields["misbehave"] = [Misbehaviour(**each) for each in fields["misbehave"]]
            now = time.monotonic()
            self._left = [(m, m.requests, now + m.seconds if m.seconds else None) for m in fields["misbehave"]]
        self.engine.settings = replace(self.engine.settings, **fields)
        self.engine.fill()

    def _stats(self) -> dict[str, Any]:
        self.engine.stats.connections = len(self._connections) - 1  # the one that asks
        self.engine.stats.in_flight = self.engine.running
        return asdict(self.engine.stats) | {"cpu_seconds": time.process_time(), "now": time.monotonic()}

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(lambda: Connection(self), self.host, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.transport.abort()


def _head(status: int, length: int, more: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    ).encode()
