"""Our client to vLLM: so many questions in flight, by lane; what fails is tried again, and its fault is found."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from gpu_worker.engines.vl.asking import Asking
from gpu_worker.engines.vl.body import Bodies
from gpu_worker.engines.vl.circuit import Circuit
from gpu_worker.engines.vl.connection import Address, Connection
from gpu_worker.engines.vl.probe import Probe
from gpu_worker.engines.vl.question import Answer, BlockRefused, Question
from gpu_worker.lanes import Lanes
from shared.config import Settings
from shared.domain.errors import EngineUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """`url` is the server's root or …/v1; `requests` are in flight at most; `seconds` is the longest wait for one."""

    url: str
    model: str
    requests: int = 64
    seconds: float = 120.0
    priority: bool = False

    @staticmethod
    def of(settings: Settings) -> "VllmSettings":
        assert settings.vl_server_url is not None, "read_settings asks for it"
        return VllmSettings(
            url=settings.vl_server_url,
            model=settings.vl_served_model,
            requests=settings.vl_requests,
            seconds=settings.vl_seconds,
            priority=settings.vl_priority,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    """One question, and the future that its asker holds."""

    question: Question
    future: Future[Answer] = field(default_factory=Future)


class VllmClient:
    """Safe to use from any thread. Senders are made as they are needed: a thread and a connection each."""

    def __init__(self, settings: VllmSettings) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._address = Address(settings.url)
        self._bodies = Bodies(model=settings.model, priority=settings.priority)
        self._lanes: Lanes[_Waiting] = Lanes()
        self._probe = Probe(self._address, self._bodies, model=settings.model, seconds=settings.seconds)
        self._circuit = Circuit(probe=self._probe.look, opened=self._give_up_waiting)
        self._stopping = threading.Event()
        self._growing = threading.Lock()
        self._senders: list[threading.Thread] = []
        self._connections: list[Connection] = []

    def ask(self, question: Question) -> Future[Answer]:
        """Begin to ask. The future raises BlockRefused where this block is at fault, EngineUnavailable where vLLM is
        (at once while it is known to be away), and EngineDied where it went away while it had this question.
        """
        waiting = _Waiting(question=question)
        try:
            self._check()
        except EngineUnavailable as error:
            waiting.future.set_exception(error)
            return waiting.future
        if not self._lanes.put(waiting, question.lane):
            self._grow()
        if self._stopping.is_set():
            self._give_up_waiting()  # it came while the doors closed
        return waiting.future

    def check(self) -> None:
        """Raise EngineUnavailable where it could not answer now: asks /health and /v1/models, for seconds at most."""
        self._check()
        self._probe.check()

    def close(self) -> None:
        """Break off what is in flight; futures not done raise EngineUnavailable. Idempotent."""
        self._stopping.set()
        self._lanes.close()
        self._give_up_waiting()
        with self._growing:
            for connection in self._connections:
                connection.abort()
        self._probe.close()
        self._circuit.close()
        for thread in self._senders:
            thread.join()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise EngineUnavailable("the client is closed")
        self._circuit.check()

    def _grow(self, *, instead_of: threading.Thread | None = None) -> None:
        """A sender that dies of a bug is replaced: others wait for it."""
        with self._growing:
            if self._stopping.is_set():
                return
            self._senders = [each for each in self._senders if each is not instead_of]
            if len(self._senders) >= self._settings.requests:
                return
            connection = Connection(self._address)
            self._connections.append(connection)
            try:
                self._senders.append(_started(partial(self._send, connection), f"vllm-{len(self._senders)}"))
            except RuntimeError:  # the system has no thread to give; those that there are go on
                log.warning("no thread for another sender", extra={"senders": len(self._senders)})
                if not self._senders:
                    self._give_up_waiting()

    def _send(self, connection: Connection) -> None:
        asking = Asking(
            connection,
            circuit=self._circuit,
            probe=self._probe,
            stopping=self._stopping,
            seconds=self._settings.seconds,
        )
        try:
            while (waiting := self._lanes.take()) is not None:
                if waiting.future.set_running_or_notify_cancel():
                    _settle(waiting, asking, self._bodies)
        finally:
            connection.close()
            self._grow(instead_of=threading.current_thread())

    def _give_up_waiting(self) -> None:
        for waiting in self._lanes.drain():
            _fail(waiting.future, EngineUnavailable("vLLM is away, or the client is closed"))


def _started(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _settle(waiting: _Waiting, asking: Asking, bodies: Bodies) -> None:
    if not waiting.question.picture.jpeg:
        waiting.future.set_exception(BlockRefused("a block without a pixel"))
        return
    try:
        answer = asking.ask(bodies.of(waiting.question))
    except (BlockRefused, EngineUnavailable) as error:
        waiting.future.set_exception(error)
    else:
        waiting.future.set_result(answer)
    finally:
        if not waiting.future.done():  # a bug of ours, which the thread's end tells of
            waiting.future.set_exception(BlockRefused("it could not be asked"))


def _fail(future: Future[Answer], error: Exception) -> None:
    """But for who has cancelled."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
